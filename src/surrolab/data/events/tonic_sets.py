"""Data sets of tonic, opened as they lie on disk: nothing is fetched unless that is asked for.

tonic (https://tonic.readthedocs.io) is GPL-3.0 and no requirement: it is imported only in here, and
only once one of its sets is asked for. Its classes fetch what they do not find while they are made.
"""

import contextlib
import importlib
import inspect
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surrolab.data.checks import one_of
from surrolab.data.downloads import Published, Remote, provide
from surrolab.data.formats.archive import unpack
from surrolab.data.formats.problem import Source
from surrolab.errors import UserError
from surrolab.locks import take

OPTION = "data.root"
# What a `split` may be called; a set's own description says which of them it has.
SPLITS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
# With the name of a part, beside files that are being fetched: left over, they may not be whole.
UNFINISHED = ".unfinished-"
LOCK = ".tonic-lock"


class _MissingError(Exception):
    """tonic does not find the files of a set."""


def tonic() -> Any:
    """The package.

    Raises:
        ValueError: it is not installed, or cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("tonic")
    except ImportError as error:
        raise ValueError(
            f"set: tonic cannot be imported ({error}); allowed: any of its sets once "
            "`pip install 'surrolab[tonic]'` has been done"
        ) from None


def open_parts(name: str, root: Path, download: bool) -> dict[str, Any]:
    """Open the parts of a set.

    Args:
        name: of the class in ``tonic.datasets``.
        root: the folder given to it as ``save_to``.
        download: whether what it does not find may be fetched: where the class says which archive
            that is, as other sets' (`provide`), and else in the way of the class.

    Returns:
        An object of the class by stage, "train", "val" and "test"; by "" where it has no parts.

    Raises:
        DataFileError: tonic cannot open or fetch the files.
        ValueError: tonic has no such set, or its files are not there.
    """
    package = tonic()
    kinds = _kinds(package)
    kind = kinds[one_of("set", name, tuple(kinds))]

    def parts(fetch: bool) -> dict[str, Any]:
        return {
            stage: _opened(kind, package.Dataset, root, fetch, words, f"{UNFINISHED}{stage}")
            for stage, words in _parts(kind).items()
        }

    try:
        return parts(False)
    except _MissingError as missing:
        if not download:
            raise ValueError(str(missing)) from None
    with _alone(root):
        return parts(True)


def listed_files(dataset: Any, root: Path) -> list[tuple[str, Path]]:
    """All files of an open set, with their paths below ``root``; but for hidden ones.

    Raises:
        DataFileError: there are none in the folder that tonic names.
    """
    source = Source(OPTION, dataset.location_on_system)
    found = []
    with source.reading():
        for folder, folders, names in os.walk(source.path):
            folders[:] = sorted(one for one in folders if one[0] != ".")
            found += [Path(folder, one) for one in sorted(names) if one[0] != "."]
    if not found:
        raise source.error("holds no file", "give a set whose files lie there")
    return [(os.path.relpath(path, root), path) for path in found]


def _kinds(package: Any) -> dict[str, type]:
    """The classes that need nothing but a folder."""
    found = {}
    for name in sorted(package.datasets.__all__):
        kind = getattr(package.datasets, name)
        if issubclass(kind, package.Dataset):
            parameters = list(inspect.signature(kind).parameters.values())
            needed = [one.name for one in parameters if one.default is one.empty]
            if needed == ["save_to"]:
                found[name] = kind
    return found


def _parts(kind: type) -> dict[str, dict[str, Any]]:
    """The words with which each part of a set is opened."""
    parameters = inspect.signature(kind).parameters
    if "train" in parameters:
        return {"train": {"train": True}, "test": {"train": False}}
    if "split" in parameters:
        quoted = re.findall("['\"`]([a-z]+)['\"`]", kind.__doc__ or "")
        found = {
            stage: {"split": name}
            for stage, names in SPLITS.items()
            for name in names
            if name in quoted
        }
        if "train" in found:
            return found
    return {"": {}}


def _opened(
    kind: Any, base: Any, root: Path, download: bool, words: dict[str, Any], unfinished: str
) -> Any:
    def exists(self: Any) -> bool:
        mark = Path(self.location_on_system, unfinished)
        if kind._check_exists(self) and not mark.exists():
            return True
        if not download:
            raise _MissingError(_missing(self, mark))
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return False

    def fetch(self: Any) -> None:
        if kind.download is base.download:
            _fetch(self, kind.__name__)
        else:
            kind.download(self)

    # Of the same name, as that is what tonic calls the folder.
    quiet = type(kind.__name__, (kind,), {"_check_exists": exists, "download": fetch})
    source = Source(OPTION, root / kind.__name__)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            dataset = quiet(save_to=str(root), **words)
    except (_MissingError, UserError):
        raise
    except (Exception, SystemExit) as error:
        raise source.error(
            f"tonic cannot open {kind.__name__} ({type(error).__name__}: {error})",
            "put its files there as tonic's documentation says",
        ) from error
    if download:
        Path(dataset.location_on_system, unfinished).unlink(missing_ok=True)
    return dataset


def _missing(dataset: Any, mark: Path) -> str:
    place = dataset.location_on_system
    if mark.exists():
        return (
            f"root: what is in {place} may not be whole; allowed: without {mark.name} there, once "
            "it is, or data.download=true"
        )
    archive = getattr(dataset, "filename", None)
    beside = f", and {archive} beside it, which may be empty" if archive else ""
    return (
        f"root: tonic does not find the files of {dataset!r} in {place}; allowed: a folder with "
        f"what it holds{beside}; or data.download=true"
    )


def _fetch(dataset: Any, name: str) -> None:
    """Fetch and unpack a set's archive, which tonic would without going on after a break."""
    folder = Path(dataset.location_on_system)
    remote = Remote(dataset.filename, (dataset.url,), md5=dataset.file_md5)
    path = folder / remote.name
    if path.is_file() and remote.mismatch(path):
        path.unlink()  # such as the empty one that stands in for it
    published = Published(dataset.url, "", (remote,))
    provide(folder.parent, name, published, True, below=folder.name)
    place = folder / ".unpacked"
    shutil.rmtree(place, ignore_errors=True)
    try:
        unpack(path, place, OPTION)
        for one in place.rglob("*"):
            if one.is_file():
                target = folder / one.relative_to(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                one.replace(target)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait until no other process fetches a set of tonic into the folder."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = take(root / LOCK)
    except OSError as error:
        raise Source(OPTION, root).error(
            f"cannot be written to ({error.strerror})", "choose another folder"
        ) from None
    assert lock is not None
    with lock:
        yield
