"""Folders with a recording a file and a class a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from surrolab.data.formats.labels import natural
from surrolab.data.formats.opening import check_folder
from surrolab.data.formats.problem import Source, shown

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


@dataclass(frozen=True)
class Entry:
    """A file with one recording.

    Attributes:
        path: the file.
        label: its class.
        split: "train", "val" or "test", None where the folders do not say.
        group: who was recorded, None where the folders do not say.
    """

    path: Path
    label: str
    split: str | None = None
    group: str | None = None


def class_folders(folder: str | os.PathLike[str], option: str, suffix: str) -> list[Entry]:
    """List the files ``<class>/<id><suffix>`` or ``<split>/<class>/<id><suffix>`` of a folder.

    Folders of splits are Train, Val (or Valid) and Test in capitals or not. Files of another suffix
    and hidden ones are not looked at.

    Args:
        folder: the folder.
        option: the option that gave it, for errors.
        suffix: such as ".bin".

    Returns:
        The files by split, class and name, each in natural order.

    Raises:
        DataFileError: there is no such folder, a class has no such file, or folders of splits
            and of classes stand side by side.
    """
    source = Source(option, folder)
    root = check_folder(source)
    tops = subfolders(root, source)
    splits = [top for top in tops if top.name.lower() in SPLIT_FOLDERS]
    if not splits:
        return _classes(tops, suffix, None, source)
    if len(splits) < len(tops):
        other = next(top for top in tops if top not in splits)
        raise source.error(
            f"holds {shown(other.name)} beside {shown(splits[0].name)}",
            "put folders of classes into those of the splits",
        )
    found: list[Entry] = []
    for top in splits:
        split = SPLIT_FOLDERS[top.name.lower()]
        found += _classes(subfolders(top, source), suffix, split, source.at(top))
    return found


def subfolders(folder: Path, source: Source) -> list[Path]:
    """Return the folders in a folder in natural order, without hidden ones.

    Raises:
        DataFileError: the folder cannot be read.
    """
    with source.at(folder).reading():
        found = [path for path in folder.iterdir() if path.name[0] != "." and path.is_dir()]
    return sorted(found, key=lambda path: natural(path.name))


def files(folder: Path, suffix: str, source: Source) -> list[Path]:
    """Return what a folder holds with a suffix in natural order, without hidden files.

    Raises:
        DataFileError: the folder cannot be read or holds no such file.
    """
    source = source.at(folder)
    with source.reading():
        found = [
            path
            for path in folder.iterdir()
            if path.name[0] != "." and path.suffix.lower() == suffix
        ]
    if not found:
        raise source.error(f"holds no {suffix} file", f"give a folder with {suffix} files")
    return sorted(found, key=lambda path: natural(path.name))


def _classes(tops: list[Path], suffix: str, split: str | None, source: Source) -> list[Entry]:
    if not tops:
        raise source.error("holds no folder", "give a folder with one folder a class")
    return [
        Entry(path, top.name, split=split) for top in tops for path in files(top, suffix, source)
    ]
