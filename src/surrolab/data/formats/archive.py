"""Archives are unpacked into a new folder that appears whole, and nowhere else."""

import gzip
import os
import shutil
import stat
import uuid
import zipfile
from pathlib import Path
from typing import BinaryIO

from surrolab.data.formats.npz import check_member, zip_errors
from surrolab.data.formats.opening import opened
from surrolab.data.formats.problem import Source
from surrolab.data.formats.tar import untar
from surrolab.data.formats.unpacking import DEVICE, LINK, NewFolder

MOST_FILES = 250_000
MOST_BYTES = 32 << 30


def unpack(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    option: str,
    *,
    most_files: int = MOST_FILES,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Unpack a .zip, .tar, .tar.gz, .tgz or .gz file into a new folder.

    All is written into a hidden folder beside ``target`` that takes its name at the end: after a
    kill the target is not there, and what is left over begins with a dot. Files get the usual
    permissions of new files. A .gz file becomes one file, named as it is without ``.gz``.

    Args:
        path: the archive.
        target: the folder; it may be there if it is empty. Folders above it are made.
        option: the option that gave the archive, for errors.
        most_files: how many files and folders it may hold.
        most_bytes: how many bytes its files may have together.

    Returns:
        The folder.

    Raises:
        DataFileError: the archive is damaged or of another kind; it holds a link, a device, a
            name outside the folder or one twice, or too much; the target is there and not empty.
    """
    source = Source(option, path)
    folder = Path(target)
    name = Path(path).name
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    with opened(source) as (file, size):
        _check_target(folder, source)
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        place.mkdir()
        try:
            into = NewFolder(place, source, most_files, most_bytes)
            if suffixes[-1:] == [".zip"]:
                _unzip(file, size, into)
            elif suffixes[-1:] == [".tar"]:
                untar(file, into)
            elif suffixes[-1:] == [".tgz"] or suffixes == [".tar", ".gz"]:
                with gzip.GzipFile(fileobj=file) as unzipped:
                    untar(unzipped, into)
            elif suffixes[-1:] == [".gz"]:
                with gzip.GzipFile(fileobj=file) as unzipped:
                    into.write(name[:-3], unzipped)
            else:
                raise source.error("is no archive", "allowed: .zip, .tar, .tar.gz, .tgz, .gz")
            if not into.files:
                raise source.error("holds no file", "get the archive again")
            try:
                place.rename(folder)
            except OSError:
                _check_target(folder, source)
                raise
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return folder


def _check_target(folder: Path, source: Source) -> None:
    if os.path.lexists(folder) and not (
        folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
    ):
        raise source.error(f"{folder} is there already", "remove it, or choose another folder")


def _unzip(file: BinaryIO, size: int, into: NewFolder) -> None:
    with zip_errors(into.source):
        archive = zipfile.ZipFile(file)
    with archive:
        infos = archive.infolist()
        for info in infos:
            check_member(info, size, into.source)
        if sum(info.compress_size for info in infos) > size:
            raise into.source.error("its members lie over each other", "do not trust it")
        if sum(info.file_size for info in infos) > into.most_bytes:
            raise into.too_large()
        for info in infos:
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                into.refuse(info.filename, LINK)
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                into.refuse(info.filename, DEVICE)
            if info.filename.endswith("/"):
                into.make(info.filename)
                continue
            with zip_errors(into.source), archive.open(info) as member:
                into.write(info.filename, member)
