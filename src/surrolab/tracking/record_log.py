"""The format of W&B's files: records in LevelDB's log format behind a header of seven bytes.

https://github.com/google/leveldb/blob/main/doc/log_format.md; W&B's checksum is the plain CRC-32.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

HEADER = b":W&B"
HEADER_SIZE = 7
BLOCK = 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
_CHUNK = struct.Struct("<IHB")


def read_records(path: Path) -> Iterator[bytes | None]:
    """The records of a file in order; None for each stretch of it that cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if not data.startswith(HEADER):
        yield None
        return
    at, parts = HEADER_SIZE, list[bytes]()
    while at < len(data):
        rest = BLOCK - at % BLOCK
        if rest < _CHUNK.size:  # a chunk's header does not cross the end of a block
            at += rest
            continue
        piece, kind = _chunk(data, at)
        if piece is None:
            yield None
            at, parts = at + rest, []  # the next block begins with a header again
            continue
        at += _CHUNK.size + len(piece)
        if (kind in (MIDDLE, LAST)) != bool(parts):  # a part of a record without the others
            yield None
            parts = []
            if kind in (MIDDLE, LAST):
                continue
        parts.append(piece)
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []
    if parts:
        yield None


def log_of(records: Iterable[bytes], header: bytes) -> bytes:
    """A file of these records; ``header`` is another file's."""
    data = bytearray(header[:HEADER_SIZE])
    for record in records:
        at, first = 0, True
        while first or at < len(record):
            rest = BLOCK - len(data) % BLOCK
            if rest < _CHUNK.size:
                data += bytes(rest)
                rest = BLOCK
            piece = record[at : at + rest - _CHUNK.size]
            at += len(piece)
            last = at == len(record)
            kind = (FULL if last else FIRST) if first else (LAST if last else MIDDLE)
            checksum = zlib.crc32(bytes([kind]) + piece)
            data += _CHUNK.pack(checksum, len(piece), kind) + piece
            first = False
    return bytes(data)


def _chunk(data: bytes, at: int) -> tuple[bytes | None, int]:
    if at + _CHUNK.size > len(data):
        return None, 0
    checksum, size, kind = _CHUNK.unpack_from(data, at)
    piece = data[at + _CHUNK.size : at + _CHUNK.size + size]
    good = len(piece) == size and zlib.crc32(bytes([kind]) + piece) == checksum
    return (piece if good else None), kind
