"""Data of variable length in HDF5, read without the HDF5 library.

Given a damaged reference the library (2.0) reads and frees memory that is not its own, and the
process dies. The format is simple: a dataset holds references into collections of objects ("global
heap", HDF5 file format specification 3.0, III.E), which are read here and checked at each step.
"""

import zlib
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.problem import DataFileError, Source, shown

DEFLATE, SHUFFLE = 1, 2
LARGEST_CHUNK = 16 << 20
# Number of items, address of the collection, number of the object in it.
REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("object", "<u4")])
_HEAD = 16


class VariableRows:
    """The rows of a vector whose values are of variable length.

    Args:
        file: the same file, opened for reading bytes.
        size: its size in bytes.
        dataset: the `h5py.Dataset`, a vector that fits the file.
        itemsize: bytes of an item.
        name: what the dataset is called, for errors.
        source: the file.

    Raises:
        DataFileError: it is stored in a way that is not supported, or damaged.
    """

    def __init__(
        self, file: BinaryIO, size: int, dataset: Any, itemsize: int, name: str, source: Source
    ) -> None:
        self._file = file
        self._size = size
        self._itemsize = itemsize
        self._name = name
        self._source = source
        # Of each collection that was met, where its objects are: start and size in bytes.
        self._collections: dict[int, dict[int, tuple[int, int]]] = {}
        self._references = self._read_references(dataset)

    def __len__(self) -> int:
        return len(self._references)

    @property
    def nbytes(self) -> int:
        """How many bytes all rows have, as their references say."""
        return int(self._references["length"].sum(dtype=np.uint64)) * self._itemsize

    def read(self, at: int) -> bytes:
        """Return the bytes of one row.

        Raises:
            DataFileError: its reference is damaged.
        """
        length, address, number = self._references[at].tolist()
        wanted = length * self._itemsize
        if not wanted:
            return b""
        if address not in self._collections:
            self._collections[address] = self._objects(address, at)
        start, size = self._collections[address].get(number, (0, -1))
        if size != wanted:
            raise self._damaged(at)
        return self._bytes(start, size)

    def _damaged(self, at: int | None = None) -> DataFileError:
        wrong = f"{shown(self._name)} is damaged"
        return self._source.error(wrong, "get or save the file again", recording=at)

    def _bytes(self, start: int, size: int) -> bytes:
        if not 0 <= size <= self._size - start:
            raise self._damaged()
        self._file.seek(start)
        return self._file.read(size)

    def _objects(self, address: int, at: int) -> dict[int, tuple[int, int]]:
        if address + _HEAD > self._size:
            raise self._damaged(at)
        head = self._bytes(address, _HEAD)
        end = address + int.from_bytes(head[8:], "little")
        if head[:5] != b"GCOL\1" or end > self._size:
            raise self._damaged(at)
        found: dict[int, tuple[int, int]] = {}
        place = address + _HEAD
        while place + _HEAD <= end:
            entry = self._bytes(place, _HEAD)
            number, size = int.from_bytes(entry[:2], "little"), int.from_bytes(entry[8:], "little")
            if number == 0:  # free space, which comes last
                break
            start = place + _HEAD
            if size > end - start or number in found:
                raise self._damaged(at)
            found[number] = (start, size)
            place = start + -(-size // 8) * 8
        return found

    def _read_references(self, dataset: Any) -> NDArray[np.void]:
        import h5py

        created = dataset.file.id.get_create_plist()
        if created.get_sizes() != (8, 8) or created.get_userblock():
            raise self._source.error(
                "has short addresses or a user block", "save it with h5py's defaults"
            )
        plist = dataset.id.get_create_plist()
        layout = plist.get_layout()
        count = dataset.shape[0]
        if layout == h5py.h5d.CHUNKED:
            return self._chunks(dataset, plist)
        if layout != h5py.h5d.CONTIGUOUS:
            raise self._source.error(
                f"{shown(self._name)} is stored in its header", "save it with h5py's defaults"
            )
        start = dataset.id.get_offset()
        if start is None:  # nothing was ever written
            return np.zeros(count, REFERENCE)
        return np.frombuffer(self._bytes(start, count * REFERENCE.itemsize), REFERENCE)

    def _chunks(self, dataset: Any, plist: Any) -> NDArray[np.void]:
        filters = [plist.get_filter(at)[0] for at in range(plist.get_nfilters())]
        if any(code not in (DEFLATE, SHUFFLE) for code in filters):
            raise self._source.error(
                f"{shown(self._name)} is compressed by another filter", "use gzip or none"
            )
        rows = prod(dataset.chunks)
        found = np.zeros(dataset.shape[0], REFERENCE)
        for at in range(dataset.id.get_num_chunks()):
            info = dataset.id.get_chunk_info(at)
            raw = self._bytes(info.byte_offset, info.size)
            for place, code in reversed(list(enumerate(filters))):
                # A bit says that the filter was left out, as where deflate gains nothing.
                if not info.filter_mask >> place & 1:
                    raw = self._unfiltered(raw, code, rows * REFERENCE.itemsize)
            if len(raw) != rows * REFERENCE.itemsize:
                raise self._damaged()
            first = info.chunk_offset[0]
            part = found[first : first + rows]
            part[:] = np.frombuffer(raw, REFERENCE)[: len(part)]
        return found

    def _unfiltered(self, raw: bytes, code: int, most: int) -> bytes:
        if code == DEFLATE:
            return inflated(raw, most) or b""
        if len(raw) % REFERENCE.itemsize:
            raise self._damaged()
        return np.frombuffer(raw, np.uint8).reshape(REFERENCE.itemsize, -1).T.tobytes()


def inflated(raw: bytes, most: int) -> bytes | None:
    """Return what a chunk inflates to, None where that is damaged or over ``most`` bytes."""
    try:
        found = zlib.decompressobj().decompress(raw, most + 1)
    except zlib.error:
        return None
    return found if len(found) <= most else None
