"""Time series: the user's own, and sets that come with sktime."""

import importlib.util
import os
import re
from pathlib import Path

import numpy as np

from surrolab.data.checks import folder
from surrolab.data.downloads import provide
from surrolab.data.formats.labels import class_names
from surrolab.data.formats.ucr import SUFFIXES, Missing, SeriesFile, read_series
from surrolab.data.from_file import (
    OPTION,
    Content,
    FromFile,
    class_numbers,
    file_path,
    padded,
)
from surrolab.data.samples import Samples, Splits
from surrolab.data.sources import ucr

TRAIN, TEST = "_TRAIN", "_TEST"


class TimeSeries(FromFile):
    """Time series of the UCR/UEA kind: .ts, .arff or .tsv, of any length and number of channels.

    Where the file is ``X_TRAIN`` and ``X_TEST`` lies beside it, that is the official test part.

    Args:
        path: the file.
        missing: of values that are missing, "error" or "linear" (interpolated in time).
        others: as in `DataModule`; ``normalize`` is "standard" unless told otherwise.

    Raises:
        DataFileError: a file cannot be used.
        ValueError: a parameter is out of range.
    """

    sequences = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        batch_size: int = 32,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        missing: Missing = "error",
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        normalize: str = "standard",
    ) -> None:
        self.path = file_path(path)
        self.missing = missing
        super().__init__(
            batch_size,
            root,
            split_seed,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            folds=folds,
            fold=fold,
            normalize=normalize,
        )

    def read(self) -> Content:
        files = {"train": self.path}
        if self.path.stem.endswith(TRAIN) and self.path.suffix.lower() in SUFFIXES:
            test = self.path.with_stem(self.path.stem.removesuffix(TRAIN) + TEST)
            if test.exists():
                files["test"] = test
        found = {
            stage: read_series(
                path, OPTION, missing=self.missing, least_classes=2 if stage == "train" else 1
            )
            for stage, path in files.items()
        }
        names = class_names(label for part in found.values() for label in part.labels)
        steps = max(len(one) for part in found.values() for one in part.series)
        parts = {stage: _samples(part, names, steps) for stage, part in found.items()}
        _same_channels(parts, files)
        return Content(Splits(parts["train"], test=parts.get("test")), names)


class SktimeSeries(TimeSeries):
    """A set whose files come with sktime; nothing is downloaded.

    JapaneseVowels (270/370 of 9 speakers, 12 channels, 7 to 29 steps; Kudo, Toyama and Shimbo
    1999, doi:10.1016/S0167-8655(99)00077-X), BasicMotions (40/40, 6 channels, 100 steps),
    ItalyPowerDemand (67/1029, 1 channel, 24 steps; Keogh et al. 2006), and what else lies there.
    The archive is that of Bagnall et al. 2018, arXiv:1811.00075; its sets have no formal licence.

    Args:
        set: name of the set, as sktime has it.
        others: as in `TimeSeries`.

    Raises:
        ValueError: there is no such set.
    """

    licence = "none is stated (UCR and UEA archives)"

    def __init__(
        self,
        set: str,
        batch_size: int = 32,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        missing: Missing = "error",
        val_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        normalize: str = "standard",
    ) -> None:
        super().__init__(
            _of_sktime(set),
            batch_size,
            root,
            split_seed,
            missing=missing,
            val_fraction=val_fraction,
            folds=folds,
            fold=fold,
            normalize=normalize,
        )


class Ucr(TimeSeries):
    """Any set of the UCR and UEA archives: one that comes with sktime, or else from its files.

    The archives: Dau et al. 2019, arXiv:1810.07758, and Bagnall et al. 2018, arXiv:1811.00075;
    their sets have no formal licence. ``NAME_TRAIN.ts`` and ``NAME_TEST.ts`` are to lie in
    ``root/ucr/NAME``. No checksums are published.

    Args:
        set: name of the set, as the archives have it.
        download: whether files that are not there are fetched.
        others: as in `TimeSeries`.

    Raises:
        DataFileError: a file cannot be used or fetched.
        ValueError: the set is not there.
    """

    licence = SktimeSeries.licence

    def __init__(
        self,
        set: str,
        batch_size: int = 32,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        missing: Missing = "error",
        val_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        normalize: str = "standard",
        download: bool = False,
    ) -> None:
        super().__init__(
            _named(set, folder("root", root), download),
            batch_size,
            root,
            split_seed,
            missing=missing,
            val_fraction=val_fraction,
            folds=folds,
            fold=fold,
            normalize=normalize,
        )


def _packaged() -> dict[str, Path]:
    """The training files of sktime's sets, without importing it, which takes seconds."""
    spec = importlib.util.find_spec("sktime")
    if spec is None or spec.origin is None:
        raise ValueError("set: sktime is not installed; allowed: after `pip install sktime`")
    place = Path(spec.origin).parent / "datasets" / "data"
    return {path.parent.name: path for path in sorted(place.glob(f"*/*{TRAIN}.ts"))}


def _of_sktime(name: str) -> Path:
    files = _packaged()
    if name not in files:
        raise ValueError(f"set: {name!r} is not there; allowed: {', '.join(files)}")
    return files[name]


def _named(name: str, root: Path, download: bool) -> Path:
    """The training file of a set, fetched where it is neither sktime's nor there."""
    files = _packaged()
    if name in files:
        return files[name]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(
            f"set: {name!r} is not allowed; allowed: a name of letters, digits, _ and -"
        )
    path = root / "ucr" / name / f"{name}{TRAIN}.ts"
    published = ucr(name)
    if not download and published.files[0].absent(root / "ucr"):
        raise ValueError(
            f"set: {name!r} is not there; allowed: {', '.join(files)}, which sktime has; any other "
            f"with its files {path} and {name}{TEST}.ts, which {published.address} has; or "
            "data.download=true"
        )
    provide(root, "ucr", published, download)
    return path


def _samples(part: SeriesFile, names: list[str], steps: int) -> Samples:
    x, lengths = padded([one.astype(np.float32) for one in part.series], steps)
    return Samples(x, class_numbers(part.labels, names), lengths)


def _same_channels(parts: dict[str, Samples], files: dict[str, Path]) -> None:
    channels = {stage: samples.x.shape[2] for stage, samples in parts.items()}
    if len(set(channels.values())) > 1:
        raise ValueError(
            f"path: {files['test']} has {channels['test']} channels and {files['train']} "
            f"{channels['train']}; allowed: files of one set"
        )
