"""Binned recordings written as they come: to files that grow, or to memory."""

import contextlib
import json
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from surrolab.data.events.arrays import DTYPES, LONG, EventArrays
from surrolab.data.events.binning import Binned
from surrolab.data.events.recordings import Built

META = "meta.json"
PIECE = 1 << 20


class InMemory:
    """Keeps what comes.

    Args:
        most: bytes; more is refused.

    Raises:
        MemoryError: there is more.
    """

    def __init__(self, most: int | None = None) -> None:
        self._where: list[NDArray[np.int32]] = []
        self._counts: list[NDArray[np.uint8]] = []
        self._left = most

    def add(self, binned: Binned) -> None:
        if self._left is not None:
            # Twice, as all are put together at the end.
            self._left -= 2 * (binned.where.nbytes + binned.counts.nbytes)
            if self._left < 0:
                raise MemoryError
        self._where.append(binned.where)
        self._counts.append(binned.counts)

    def arrays(self, built: Built) -> EventArrays:
        """Return all of it."""
        sizes = [len(part) for part in self._where]
        where, counts = np.concatenate(self._where), np.concatenate(self._counts)
        return _gathered(built, sizes, where, counts)


class OnDisk:
    """Writes into a folder: ``where.npy`` and ``counts.npy`` as they come, the rest at the end.

    Args:
        folder: is there and empty.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: list[int] = []
        self._files = {name: Growing(folder / f"{name}.npy", DTYPES[name]) for name in LONG}

    def add(self, binned: Binned) -> None:
        self._sizes.append(len(binned.where))
        for name, file in self._files.items():
            file.add(getattr(binned, name))

    def close(self) -> None:
        """Close the files, finished or not."""
        for file in self._files.values():
            file.close()

    def finish(self, built: Built, recipe: dict[str, Any]) -> None:
        """Write the rest; the folder is complete when this returns, and on the disk."""
        for file in self._files.values():
            file.finish()
        empty = {name: np.zeros(0, dtype=DTYPES[name]) for name in LONG}
        arrays = _gathered(built, self._sizes, **empty)
        for name in DTYPES:
            if name not in LONG:
                with open(self._folder / f"{name}.npy", "wb") as out:
                    np.save(out, getattr(arrays, name), allow_pickle=False)
                    _to_disk(out)
        meta = {
            "recipe": recipe,
            "classes": built.classes,
            "sensor": built.sensor,
            "shape": built.shape,
            "steps": built.steps,
            "lengths": {name: len(getattr(arrays, name)) for name in DTYPES}
            | {name: sum(self._sizes) for name in LONG},
        }
        with open(self._folder / META, "wb") as out:
            out.write(json.dumps(meta, indent=1).encode())
            _to_disk(out)


class Growing:
    """A vector in an ``.npy`` file whose length is not known before its end.

    The header is written for no values, and over again at the end: numpy leaves room in it for any
    length.
    """

    def __init__(self, path: Path, dtype: str) -> None:
        self._dtype = dtype
        self._length = 0
        self._file = open(path, "wb", buffering=PIECE)  # noqa: SIM115
        self._begin = self._header()

    def _header(self) -> int:
        head = {"descr": self._dtype, "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(self._file, head)
        return self._file.tell()

    def add(self, values: NDArray[np.generic]) -> None:
        """Append values."""
        self._file.write(values.astype(self._dtype, copy=False).tobytes())
        self._length += len(values)

    def finish(self) -> None:
        """Write the length, and all to the disk."""
        self._file.seek(0)
        if self._header() != self._begin:
            raise RuntimeError("numpy left no room for the length in its header")
        _to_disk(self._file)
        self._file.close()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # a full disk, again
            self._file.close()


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _gathered(
    built: Built, sizes: list[int], where: NDArray[np.int32], counts: NDArray[np.uint8]
) -> EventArrays:
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    of = {
        name: np.array(getattr(built, name), dtype=np.int64)
        for name in ("labels", "lengths", "split", "groups", "events", "cut")
    }
    return EventArrays(
        offsets,
        where,
        counts,
        labels=of["labels"],
        lengths=of["lengths"],
        split=of["split"],
        groups=of["groups"],
        events=of["events"],
        cut=of["cut"],
        classes=built.classes,
        sensor=built.sensor,
        shape=built.shape,
        steps=built.steps,
    )
