"""Arrays in .npy and .npz: what a header claims is held against the file before it is believed."""

import io
import os
import tokenize
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from surrolab.data.formats.opening import (
    DEFLATE_RATIO,
    Readable,
    fill,
    opened,
    truncated,
    undamaged,
)
from surrolab.data.formats.problem import Source, shown

LONGEST_HEADER = 10_000
# What zipfile says of a file that is none: it tells few of its errors apart.
_NO_ZIP = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
)
# What numpy says of a header that is none, by way of Python's own parser.
_NO_HEADER = (
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    RecursionError,
    OverflowError,
    MemoryError,
    AttributeError,
    tokenize.TokenError,
)


def read_npy(source: Source) -> NDArray[np.generic]:
    """Return the array in an .npy file; objects are refused.

    Raises:
        DataFileError: no such file, no .npy, objects, or it is shorter or longer than it says.
    """
    with opened(source) as (file, size):
        return _read(file, size, source)


@contextmanager
def members(
    file: BinaryIO, size: int, source: Source
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Give the arrays in an open .npz file of ``size`` bytes, by their key.

    Raises:
        DataFileError: it is no zip or damaged, a key comes twice, or a member is encrypted,
            compressed by another method than deflate, or larger than its compressed bytes can be.
    """
    with zip_errors(source):
        archive = zipfile.ZipFile(file)
    with archive:
        found: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            key = info.filename.removesuffix(".npy")
            if key in found:
                raise source.error(f"the array {shown(key)} comes twice", "save it anew")
            check_member(info, size, source)
            found[key] = info
        yield archive, found


def read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Source
) -> NDArray[np.generic]:
    """Return one array of an .npz file; objects are refused.

    Raises:
        DataFileError: as `read_npy`.
    """
    source = source.at(f"{os.fsdecode(source.path)}[{info.filename}]")
    with zip_errors(source), archive.open(info) as file:
        return _read(file, info.file_size, source)


def check_member(info: zipfile.ZipInfo, size: int, source: Source) -> None:
    """Raise `DataFileError` for a zip's member that a file of ``size`` bytes cannot hold."""
    name = shown(info.filename)
    if info.flag_bits & 1:
        raise source.error(f"{name} is encrypted", "save it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise source.error(f"{name} is compressed by another method", "use deflate")
    ratio = DEFLATE_RATIO if info.compress_type == zipfile.ZIP_DEFLATED else 1
    if info.compress_size > size or info.file_size > ratio * info.compress_size:
        raise source.error(f"{name} is larger than the file can hold", "get the file again")


@contextmanager
def zip_errors(source: Source) -> Iterator[None]:
    """Turn what zipfile ends with into a `DataFileError`."""
    with undamaged(source):
        try:
            yield
        except _NO_ZIP as error:
            raise source.error(
                f"is no zip file or damaged ({error})", "get or save the file again"
            ) from None


def _read(file: Readable, size: int, source: Source) -> NDArray[np.generic]:
    shape, fortran, dtype, start = _header(file, source)
    if dtype.hasobject:
        raise source.error("holds pickled objects", "save numbers or text; objects are never read")
    if any(length < 0 for length in shape):
        raise source.error(f"has the shape {list(shape)}", "save it anew")
    wanted = prod(shape) * dtype.itemsize
    if wanted > size - start:
        raise truncated(source, max(size - start, 0), wanted)
    if dtype.itemsize == 0 or len(shape) > 32 or max(shape, default=0) >= 1 << 62:
        raise source.error(f"has the shape {list(shape)} of {dtype}", "save it anew")
    array = fill(file, shape[::-1] if fortran else shape, dtype, source)
    with undamaged(source):
        # Reading to the end also checks a zip's checksum.
        if file.read(1):
            raise source.error("goes on after its array", "save it anew")
    return array.T if fortran else array


def _header(
    file: Readable, source: Source
) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    try:
        # Read here, as numpy would ask for as many bytes as a damaged length says.
        with undamaged(source):
            head = file.read(8)
            if head[:6] != npy.MAGIC_PREFIX or head[6:] not in (b"\1\0", b"\2\0"):
                raise ValueError("wrong magic")
            head += (field := file.read(2 if head[6] == 1 else 4))
            length = int.from_bytes(field, "little")
            if length > LONGEST_HEADER:
                raise ValueError(f"{length} bytes long")
            head += file.read(length)
        rest = io.BytesIO(head)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = npy.read_magic(rest)
            read = npy.read_array_header_1_0 if version[0] == 1 else npy.read_array_header_2_0
            shape, fortran, dtype = read(rest, LONGEST_HEADER)
    except _NO_HEADER as error:
        reason = str(error).split("\n", maxsplit=1)[0][:80] or type(error).__name__
        raise source.error(
            f"has no header of an .npy array ({reason})", "save it with numpy.save or savez"
        ) from None
    return shape, fortran, dtype, len(head)
