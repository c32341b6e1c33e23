"""A file that came is looked at, unpacked if it is an archive, and takes its place at once."""

import os
import shutil
from pathlib import Path

from surrolab.data.downloads.published import Remote, digest
from surrolab.data.formats.archive import unpack
from surrolab.data.formats.problem import DataFileError, Source
from surrolab.files import write_text


def check_free(target: Source, remote: Remote) -> None:
    """Make sure, before anything is fetched, that an archive's place is free.

    Raises:
        DataFileError: there is something, and the set is not whole with it.
    """
    path = Path(target.path)
    empty = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
    if remote.unpacked and os.path.lexists(path) and not empty:
        raise target.error("is there already and not whole", "complete it, or move it away")


def place(part: Path, folder: Path, remote: Remote) -> str | None:
    """Give a file that came its place, if its content is right.

    Args:
        part: the file.
        folder: of the set.
        remote: what it is to be.

    Returns:
        What is wrong with its content; None where it is in its place.

    Raises:
        NoRoomError: the disk is full.
        DataFileError: an archive whose checksum is right cannot be unpacked.
        OSError: the folder cannot be written to.
    """
    wrong = remote.mismatch(part)
    if wrong:
        return wrong
    record, seen = folder / f"{remote.name}.sha256", ""
    if not remote.has_checksum:
        seen = digest(part, "sha256")
        before = record.read_text().split()[:1] if record.exists() else []
        if before and before != [seen]:
            return (
                f"its sha256 is {seen} and was {before[0]} when it first came; if that is right, "
                f"remove {record}"
            )
    if remote.unpacked is None:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(folder / remote.name)
    elif wrong := _unpack(part, folder, remote):
        return wrong
    if seen:
        write_text(record, f"{seen}  {remote.name}\n")
    return None


def _unpack(part: Path, folder: Path, remote: Remote) -> str | None:
    """Unpack an archive into its place; what is wrong with it, if anything is."""
    from surrolab.data.downloads.transfer import NO_ROOM, NoRoomError

    assert remote.unpacked is not None
    place = folder / f".unpacked-{remote.name}"
    shutil.rmtree(place, ignore_errors=True)  # of a process that was killed
    try:
        unpack(part, place, "data.root")
        # A .gz file says itself what it becomes: what it is called without that.
        names = (remote.unpacked, part.name.removesuffix(".gz"))
        content = next((place / name for name in names if os.path.lexists(place / name)), place)
        for name in remote.holds:
            wanted = Path(name).relative_to(remote.unpacked)
            if not os.path.lexists(content / wanted):
                return f"there is no {wanted} in it"
        content.rename(folder / remote.unpacked)
    except DataFileError as error:
        # The system's own error, where there is one, is what it was made of.
        cause = error.__context__
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            raise NoRoomError(cause.strerror) from None
        if remote.has_checksum:
            raise
        return f"what it sends is no such archive: {error}"
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return None
