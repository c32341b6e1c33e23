"""Damages valid files at random and reads them; ``python fuzz_formats.py KEY COUNT SEED``."""

import random
import sys
import tempfile
import tracemalloc
from pathlib import Path

from valid_files import FORMATS, OPTION

from surrolab.data.formats.problem import DataFileError

MOST = 64 << 20


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut a file off, change some bytes, move a piece of it, or overwrite a number."""
    made = bytearray(content)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(made[: rng.randrange(len(made))])
    if kind == 1:
        for _ in range(rng.choice([1, 1, 2, 5, 20])):
            made[rng.randrange(len(made))] = rng.choice([rng.randrange(256), 0, 255])
    elif kind == 2:
        start, end = sorted(rng.randrange(len(made) + 1) for _ in range(2))
        place = rng.randrange(len(made) + 1)
        made[place:place] = made[start:end]
    else:
        place, width = rng.randrange(len(made)), rng.choice([1, 2, 4, 8])
        made[place : place + width] = rng.choice([b"\xff", b"\0", b"\x7f", b"\x01"]) * width
    return bytes(made)


def fuzz(key: str, count: int, seed: int, folder: Path) -> tuple[int, int]:
    """Read ``count`` damaged files; return how many were refused and how many read all the same."""
    name, content, read = FORMATS[key]
    rng = random.Random(seed)
    path = folder / name
    refused = 0
    tracemalloc.start()
    try:
        for at in range(count):
            path.write_bytes(damaged(content, rng))
            try:
                read(path)
            except DataFileError as error:
                refused += 1
                line = str(error)
                assert line.startswith(f"{OPTION}: {path}"), (at, line)
                assert line.isprintable(), (at, line)
            except Exception as error:
                raise AssertionError(f"{key}, seed {seed}, case {at}: {error!r}") from error
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert list(folder.iterdir()) == [path]
    return refused, count - refused


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(*fuzz(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(place)))
