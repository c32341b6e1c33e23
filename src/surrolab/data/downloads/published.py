"""What is published where."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PIECE = 1 << 20


@dataclass(frozen=True)
class Remote:
    """A file that can be fetched.

    Attributes:
        name: what it is called, and where it lies in the folder of its set unless it is unpacked.
        urls: where it is to be had, tried one after another; http or https.
        size: in bytes, as published.
        md5, sha256: checksums as published, in hexadecimal digits. None where none is published:
            then the SHA-256 of what came is written beside the file, and one that comes later
            has to be the same.
        unpacked: of an archive, the file or folder in the folder of the set that it becomes: what
            is so called in the archive, or else all that it holds.
        holds: what has to be in the folder of the set; unless given, ``unpacked`` or ``name``.
        instead: names of which each would do as well as the file, such as that without ``.gz``.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    unpacked: str | None = None
    holds: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()

    @property
    def has_checksum(self) -> bool:
        """Whether its content is known."""
        return bool(self.md5 or self.sha256)

    def absent(self, folder: Path) -> Path | None:
        """What is not there of it; None where all is."""
        if any(os.path.lexists(folder / name) for name in self.instead):
            return None
        names = self.holds or (self.unpacked or self.name,)
        return next((folder / name for name in names if not os.path.lexists(folder / name)), None)

    def mismatch(self, path: Path) -> str | None:
        """What is wrong with the content of a file, in words; None where nothing is known to be."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"{size} bytes where {self.size} are published"
        for name, wanted in (("md5", self.md5), ("sha256", self.sha256)):
            if wanted and (found := digest(path, name)) != wanted.lower():
                return f"its {name} is {found} where {wanted.lower()} is published"
        return None


@dataclass(frozen=True)
class Published:
    """A set that is published.

    Attributes:
        address: the page that says so.
        licence: in words.
        files: of the set.
    """

    address: str
    licence: str
    files: tuple[Remote, ...] = ()


def digest(path: Path, name: str) -> str:
    """The checksum of a file in hexadecimal digits."""
    found = hashlib.new(name, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()
