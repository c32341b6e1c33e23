"""The folder that an archive is unpacked into, and what may go into it."""

from pathlib import Path, PurePosixPath

from surrolab.data.formats.opening import Readable, undamaged
from surrolab.data.formats.problem import DataFileError, Source, shown

COPY = 64 << 10
LONGEST_NAME = 1024
LONGEST_PART = 255
# What a member is that is no file, in an error.
LINK, DEVICE = "a link", "a device, pipe or sparse file"


class NewFolder:
    """The folder that is filled, and what may still go into it."""

    def __init__(self, place: Path, source: Source, most_files: int, most_bytes: int) -> None:
        self.place = place
        self.source = source
        self.most_files = most_files
        self.most_bytes = most_bytes
        self.files = 0
        self.bytes = 0
        self.members = 0

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        wrong = (
            not parts
            or name.startswith("/")
            or len(name) > LONGEST_NAME
            or any(
                part == ".." or len(part.encode("utf-8", "replace")) > LONGEST_PART
                for part in parts
            )
            or name[1:2] == ":"
            or any(char == "\\" or not char.isprintable() for char in name)
        )
        if wrong:
            raise self.source.error(
                f"the name {shown(name)} is no plain path within its folder", "do not trust it"
            )
        return self.place.joinpath(*parts)

    def make(self, name: str) -> None:
        """Make a folder."""
        self._count()
        if PurePosixPath(name).parts:  # not "./"
            self._parents(self._path(name), name)

    def write(self, name: str, file: Readable) -> None:
        """Write a file."""
        self._count()
        path = self._path(name)
        self._parents(path.parent, name)
        try:
            out = path.open("xb")
        except (FileExistsError, IsADirectoryError):
            raise self.source.error(f"{shown(name)} comes twice", "do not trust it") from None
        with out, undamaged(self.source):
            while piece := file.read(COPY):
                self.bytes += len(piece)
                if self.bytes > self.most_bytes:
                    raise self.too_large()
                out.write(piece)
        self.files += 1

    def too_large(self) -> DataFileError:
        """Return the error of an archive that holds too much."""
        return self.source.error(f"holds over {self.most_bytes} bytes", "unpack it by hand")

    def _count(self) -> None:
        self.members += 1
        if self.members > self.most_files:
            raise self.source.error(f"holds over {self.most_files} files", "unpack it by hand")

    def _parents(self, folder: Path, name: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise self.source.error(f"{shown(name)} lies in a file", "do not trust it") from None

    def refuse(self, name: str, kind: str) -> None:
        """Raise the error of a member that is no file."""
        raise self.source.error(f"{shown(name)} is {kind}", "do not trust it")
