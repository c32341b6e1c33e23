"""Opening files, and reading from them no more than is there."""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from surrolab.data.formats.problem import DataFileError, Source

# Deflate makes at most this many bytes of one (https://zlib.net/zlib_tech.html).
DEFLATE_RATIO = 1032
LONGEST_LINE = 64 << 20
PIECE = 1 << 20


class Readable(Protocol):
    """What bytes are read from: an open file, or one that is decompressed on the way."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""


@contextmanager
def opened(source: Source, *, empty: bool = False) -> Iterator[tuple[BinaryIO, int]]:
    """Open a plain file for reading and give it with its size in bytes.

    A pipe, a device or a folder is refused without waiting for it.

    Args:
        source: the file, and the option that gave it.
        empty: whether a file without a byte is allowed.

    Raises:
        DataFileError: there is no such file, it is no plain file, may not be read, or is empty.
            An OSError or MemoryError within the block becomes one too.
    """
    with source.reading(), os.fdopen(_plain_handle(source), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0 and not empty:
            raise source.error("is empty", "give the whole file; was a download broken off?")
        yield file, size


def _plain_handle(source: Source) -> int:
    try:
        handle = os.open(
            source.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except ValueError as error:  # a NUL in the path
        raise source.error(f"cannot be a path ({error})", "give a path") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
        raise source.error(f"is {kind}, not a file", "give a file")
    return handle


def check_plain(source: Source) -> int:
    """Return the size in bytes of a plain file that another library is about to open.

    Raises:
        DataFileError: as `opened`.
    """
    with opened(source) as (_, size):
        return size


def check_folder(source: Source) -> Path:
    """Return the path of a folder.

    Raises:
        DataFileError: there is no such folder.
    """
    with source.reading():
        if not stat.S_ISDIR(os.stat(source.path).st_mode):
            raise source.error("is no folder", "give a folder")
    return Path(source.path)


def lines(source: Source, *, blank: bool = False, comments: str = "") -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 text file without their ends, numbered from 1.

    A byte order mark is dropped.

    Args:
        source: the file, and the option that gave it.
        blank: whether lines of nothing but white space are given too.
        comments: characters; lines that begin with one are skipped, whatever bytes they hold.

    Raises:
        DataFileError: as `opened`; a line is no UTF-8, holds a NUL or is longer than 64 MiB.
    """
    with opened(source) as (file, _):
        number = 0
        while raw := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                raise source.error("is no text (a line of over 64 MiB)", "give text", row=number)
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if comments and raw.lstrip()[:1].decode("latin-1") in tuple(comments):
                continue
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise source.error("is not UTF-8", "save it as UTF-8", row=number) from None
            if "\0" in line:
                raise source.error(
                    "holds a NUL, so is no UTF-8 text", "save it as UTF-8", row=number
                )
            if blank or not line.isspace():
                yield number, line.rstrip("\r\n")


def fill(
    file: Readable, shape: tuple[int, ...], dtype: DTypeLike, source: Source
) -> NDArray[np.generic]:
    """Return an array read from an open file, piece by piece, that is C-contiguous.

    The caller has compared its size with that of the file.

    Raises:
        DataFileError: the file ends before the array does, or its compressed data are damaged.
    """
    array = np.empty(shape, np.dtype(dtype))
    view = array.reshape(-1).view(np.uint8)
    done = 0
    with undamaged(source):
        while done < len(view):
            piece = file.read(min(PIECE, len(view) - done))
            if not piece:
                raise truncated(source, done, len(view))
            view[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
            done += len(piece)
    return array


def truncated(source: Source, found: int, wanted: int) -> DataFileError:
    """Return the error of data that end too early (counts in bytes)."""
    return source.error(
        f"ends after {found} of {wanted} bytes of data",
        "give the whole file; was a download broken off?",
    )


@contextmanager
def undamaged(source: Source) -> Iterator[None]:
    """Turn what damaged compressed data end with into a `DataFileError`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise source.error(
            f"its compressed data are damaged ({error})", "get the file again"
        ) from None
