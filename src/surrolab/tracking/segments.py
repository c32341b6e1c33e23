"""The files that W&B's program writes of a run, one for each time the run was started.

A file is a log of W&B's records in the format of LevelDB's logs
(https://github.com/google/leveldb/blob/main/doc/log_format.md) behind a header of seven bytes.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

HEADER = b":W&B"
BLOCK = 32768
STEP = "trainer/global_step"


class Segment:
    """One such file, as far as it can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def folder(self) -> Path:
        """What W&B calls a run directory: ``offline-run-<time>-<id>``."""
        return self.path.parent

    @property
    def id(self) -> str:
        """Of the run; the same in all its segments."""
        return self.path.stem.removeprefix("run-")

    @property
    def sent(self) -> bool:
        """Whether all of it is on the server."""
        return self._marker.exists()

    def mark_sent(self) -> None:
        """Note that all of it is on the server, as ``wandb sync`` notes it."""
        self._marker.touch()

    @property
    def _marker(self) -> Path:
        return self.path.with_suffix(".wandb.synced")

    @cached_property
    def _read(self) -> tuple[list[Any], bool]:
        """Its records, and whether every byte of it could be read."""
        from wandb.proto import wandb_internal_pb2

        record_of: Any = wandb_internal_pb2  # its classes are made when it is imported

        found, whole = [], True
        for data in records(self.path):
            if data is None:
                whole = False
            else:
                found.append(record_of.Record.FromString(data))
        return found, whole

    @property
    def run(self) -> Any:
        """The record that says whose it is; None where that was not written."""
        return next((record.run for record in self._read[0] if record.HasField("run")), None)

    @property
    def whole(self) -> bool:
        """Whether it can be read to its end."""
        return self._read[1] and self.run is not None

    @property
    def exit_code(self) -> int | None:
        """Of the process; None where it was killed before it wrote one."""
        exits = [record.exit.exit_code for record in self._read[0] if record.HasField("exit")]
        return exits[-1] if exits else None

    @property
    def started(self) -> tuple[datetime, str]:
        """When it began: what segments are sorted by."""
        stamp = self.folder.name.removeprefix("offline-").split("-")[1]
        by_name = datetime.strptime(stamp, "%Y%m%d_%H%M%S")
        return by_name, self.folder.name

    @property
    def history(self) -> Iterator[dict[str, Any]]:
        """What was logged, call by call."""
        for record in self._read[0]:
            if record.HasField("history"):
                yield {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }


def records(path: Path) -> Iterator[bytes | None]:
    """The records of such a file in order; None for each stretch of it that cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if not data.startswith(HEADER):
        yield None
        return
    at, parts = 7, list[bytes]()
    while at < len(data):
        rest = BLOCK - at % BLOCK
        if rest < 7:  # a header does not cross the end of a block
            at += rest
            continue
        piece, kind = _piece(data, at)
        if piece is None:
            yield None
            at, parts = at + rest, []  # the next block begins with a header again
            continue
        at += 7 + len(piece)
        parts.append(piece)
        if kind in (1, 4):  # full, last
            yield b"".join(parts)
            parts = []
    if parts:
        yield None


def _piece(data: bytes, at: int) -> tuple[bytes | None, int]:
    if at + 7 > len(data):
        return None, 0
    checksum, size, kind = struct.unpack_from("<IHB", data, at)
    piece = data[at + 7 : at + 7 + size]
    good = len(piece) == size and zlib.crc32(bytes([kind]) + piece) == checksum
    return (piece if good else None), kind


def find_segments(paths: list[Path]) -> list[Segment]:
    """All segments at or below the paths."""
    found: dict[Path, Segment] = {}
    for top in paths:
        # Links are not followed: W&B keeps one to the latest segment, and so does outputs/runs.
        for folder, _, names in os.walk(top.resolve()):
            for name in names:
                if name.startswith("run-") and name.endswith(".wandb") and "run-" in folder:
                    path = Path(folder) / name
                    found.setdefault(path, Segment(path))
    return list(found.values())
