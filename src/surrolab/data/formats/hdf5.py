"""HDF5 through h5py: what a file claims is held against its size before it is read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.heap import (
    DEFLATE,
    LARGEST_CHUNK,
    REFERENCE,
    SHUFFLE,
    VariableRows,
    inflated,
)
from surrolab.data.formats.opening import DEFLATE_RATIO, check_plain, opened
from surrolab.data.formats.problem import Source, shown

LONGEST_TEXT = 4096
# These, Fletcher32 and h5py's LZF; others may come from plug-ins.
_FILTERS = (DEFLATE, SHUFFLE, 3, 32000)
_CHECKSUM = 4  # of Fletcher32, which may be within what was deflated


@contextmanager
def opened_hdf5(source: Source) -> Iterator[tuple[Any, int]]:
    """Open an HDF5 file for reading and give it (`h5py.File`) with its size in bytes.

    Raises:
        DataFileError: as `opened`; or it is no HDF5 file, or truncated.
    """
    import h5py  # half a second

    size = check_plain(source)
    with hdf5_errors(source):
        file = h5py.File(os.fspath(source.path), "r", locking="best-effort")
    try:
        yield file, size
    finally:
        with hdf5_errors(source):
            file.close()


@contextmanager
def hdf5_errors(source: Source) -> Iterator[None]:
    """Turn what h5py ends with into a `DataFileError`."""
    try:
        yield
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        OverflowError,
        NotImplementedError,
        MemoryError,
    ) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:120] or type(error).__name__
        raise source.error(
            f"is no HDF5 file or damaged ({reason})", "get or save the file again"
        ) from None


def vector(file: Any, size: int, name: str, source: Source, *, needed: bool = True) -> Any:
    """Return a vector's `h5py.Dataset` without reading it, None where it need not be there.

    Args:
        file: an open `h5py.File`.
        size: its size in bytes.
        name: such as "spikes/times".
        source: the file.
        needed: whether it has to be there.

    Raises:
        DataFileError: it is missing, no vector, elsewhere (a link, another file, a view), longer
            than the file can hold, or compressed by a filter other than HDF5's and h5py's own.
    """
    import h5py

    with hdf5_errors(source):
        at = file
        for part in name.split("/"):
            link = at.get(part, getlink=True) if isinstance(at, h5py.Group) else None
            if link is None:
                if not needed:
                    return None
                keys = list(at) if isinstance(at, h5py.Group) else []
                held = ", ".join(shown(key) for key in keys[:20]) or "nothing"
                raise source.error(
                    f"there is no {shown(name)}", f"allowed: SHD's layout; its place holds {held}"
                )
            if not isinstance(link, h5py.HardLink):
                raise source.error(f"{shown(name)} is a link", "copy the data into the file")
            at = at[part]
        if not isinstance(at, h5py.Dataset) or at.shape is None or len(at.shape) != 1:
            raise source.error(f"{shown(name)} is no vector", "give one value a recording")
        _check_storage(at, size, name, source)
    return at


def _check_storage(found: Any, size: int, name: str, source: Source) -> None:
    plist = found.id.get_create_plist()
    if found.is_virtual or plist.get_external_count():
        raise source.error(f"{shown(name)} lies in other files", "copy the data into the file")
    # In the file, data of variable length are references.
    itemsize = REFERENCE.itemsize if found.dtype.hasobject else found.dtype.itemsize
    filters = [plist.get_filter(at)[0] for at in range(plist.get_nfilters())]
    if found.shape[0] * itemsize > size * (DEFLATE_RATIO if filters else 1):
        raise source.error(
            f"{shown(name)} has {found.shape[0]} values of {itemsize} bytes, the file {size} bytes",
            "get or save the file again",
        )
    if any(code not in _FILTERS for code in filters):
        raise source.error(f"{shown(name)} is compressed by a plug-in", "use gzip or none")
    if found.dtype.kind == "S" and found.dtype.itemsize > LONGEST_TEXT:
        raise source.error(
            f"{shown(name)} has texts of {found.dtype.itemsize} bytes",
            f"allowed: {LONGEST_TEXT} at most",
        )
    if found.chunks is None:
        return
    largest = prod(found.chunks) * itemsize
    if largest > LARGEST_CHUNK:
        raise source.error(
            f"{shown(name)} has chunks of {largest} bytes", f"allowed: {LARGEST_CHUNK} at most"
        )
    if filters:
        deflate = filters.index(DEFLATE) if DEFLATE in filters else None
        _check_chunks(found, largest, size, deflate, name, source)


def _check_chunks(
    found: Any, largest: int, size: int, deflate: int | None, name: str, source: Source
) -> None:
    for at in range(found.id.get_num_chunks()):
        info = found.id.get_chunk_info(at)
        bad = info.size > min(size, 2 * largest + 64)
        # A bit says that the filter was left out, as where deflate gains nothing.
        if not bad and deflate is not None and not info.filter_mask >> deflate & 1:
            # HDF5 inflates as much as there is. Read from the file itself, as h5py would make room
            # for whatever size a damaged index has for the place of this chunk.
            with opened(source) as (file, _):
                file.seek(info.byte_offset if info.byte_offset < size else size)
                bad = inflated(file.read(info.size), largest + _CHECKSUM) is None
        if bad:
            raise source.error(f"chunk {at} of {shown(name)} is damaged", "get the file again")


def texts(found: Any, name: str, source: Source) -> NDArray[np.generic]:
    """Return the values of a vector of whole numbers or texts; texts of any length as bytes.

    Raises:
        DataFileError: it holds something else, is damaged, or has texts of over 4096 bytes.
    """
    import h5py

    with hdf5_errors(source):
        if found.dtype.kind in "iuS" and found.dtype.itemsize <= LONGEST_TEXT:
            array: NDArray[np.generic] = np.asarray(found[:])
            return array
        if h5py.check_string_dtype(found.dtype) is None:
            raise source.error(
                f"{shown(name)} has the type {found.dtype}", "give whole numbers or texts"
            )
        with opened(source) as (file, size):
            rows = VariableRows(file, size, found, 1, name, source)
            if rows.nbytes > size:
                raise source.error(f"the texts of {shown(name)} are one", "save the file again")
            values = [rows.read(at) for at in range(len(rows))]
    if max(map(len, values), default=0) > LONGEST_TEXT:
        raise source.error(f"{shown(name)} has texts of over {LONGEST_TEXT} bytes", "shorten it")
    return np.array(values, dtype=np.bytes_)
