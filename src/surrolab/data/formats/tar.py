"""Tar files, as safely as tarfile can be made to read them."""

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from surrolab.data.formats.opening import undamaged
from surrolab.data.formats.problem import Source
from surrolab.data.formats.unpacking import COPY, DEVICE, LINK, NewFolder

MOST_PADDING = 16 << 20


class _Forward:
    """A file that is read forward in small pieces.

    tarfile would read as many bytes as a header says, and follow a negative size back forever.
    """

    def __init__(self, file: "BinaryIO | gzip.GzipFile", source: Source) -> None:
        self._file = file
        self._source = source
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= COPY:
            raise self._source.error(f"a header is {size} bytes long", "get the archive again")
        with undamaged(self._source):
            self.last = self._file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence or offset < self._file.tell() - tarfile.BLOCKSIZE:
            raise self._source.error("a header points backwards", "get the archive again")
        with undamaged(self._source):
            return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _tar_errors(source: Source) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, ValueError, LookupError, RuntimeError, OverflowError) as error:
        raise source.error(
            f"is no tar file or damaged ({error})", "get the archive again"
        ) from None


def untar(file: "BinaryIO | gzip.GzipFile", into: NewFolder) -> None:
    """Unpack an open tar file, which is read once from its beginning to its end.

    Raises:
        DataFileError: it is damaged or cut off, or holds what may not go into the folder.
    """
    forward = _Forward(file, into.source)
    with _tar_errors(into.source):
        # Closing it would do nothing to the file.
        archive = tarfile.TarFile(fileobj=cast(BinaryIO, forward), mode="r")
    with archive, _tar_errors(into.source):
        while (member := archive.next()) is not None:
            if member.issym() or member.islnk():
                into.refuse(member.name, LINK)
            elif member.isdir():
                into.make(member.name)
            elif not member.isreg() or member.issparse():
                into.refuse(member.name, DEVICE)
            else:
                if member.size > into.most_bytes - into.bytes:
                    raise into.too_large()
                content = archive.extractfile(member)
                assert content is not None
                with content:
                    into.write(member.name, content)
        # tarfile takes whatever is no header for the end.
        if forward.last != bytes(tarfile.BLOCKSIZE):
            raise into.source.error("ends without an end mark", "get the whole archive")
        for _ in range(MOST_PADDING // COPY):  # to its end, for the checksum of gzip
            if not forward.read(COPY):
                return
        raise into.source.error("goes on after its end mark", "get the archive again")
