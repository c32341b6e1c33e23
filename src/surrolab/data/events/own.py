"""The user's own recordings."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from surrolab.data.checks import one_of, whole_number
from surrolab.data.events.augmentation import Augmentation
from surrolab.data.events.binning import Binning
from surrolab.data.events.module import EventData
from surrolab.data.events.recordings import Recordings
from surrolab.data.events.sources import ShdRecordings, nmnist_recordings, npy_recordings
from surrolab.data.formats.events import Backwards
from surrolab.data.formats.folders import class_folders
from surrolab.data.formats.nmnist import SENSOR
from surrolab.data.formats.npy_events import COLUMNS, UNITS_US
from surrolab.data.formats.problem import Source
from surrolab.data.from_file import OPTION, file_path

BACKWARDS = ("error", "sort")
HDF5 = (".h5", ".hdf5")
FILES = (".bin", ".npy")
TRAIN = "train"
BESIDE = {"val": ("valid", "val"), "test": ("test",)}
"""What other parts are called whose training part is ``X_train.h5``."""


class OwnEvents(EventData):
    """Recordings in a file of SHD's layout (.h5), or in a folder per class (.bin, .npy).

    Of ``X_train.h5``, ``X_valid.h5`` and ``X_test.h5`` beside it are the official parts; of a
    folder, the folders ``train``, ``valid`` and ``test`` in it. Files ``.bin`` are those of N-MNIST
    (5 bytes an event), ``.npy`` are arrays of x, y, p, t.

    Args:
        path: the file or folder.
        sensor: ``[width, height]`` of a camera, or ``[channels]`` of a line; None for 34 x 34 where
            files are ``.bin``, and else for the smallest that holds all events.
        columns: order of the columns in ``.npy`` files without fields: the letters x, y, p and t.
        unit: of the times in ``.npy`` files: "us", "ms" or "s".
        backwards: "error", or "sort" for events that are not in the order of their times.
        time_step, steps, pool, polarity, start: as in `Binning`.
        counts: as in `EventData`.
        augment_time_jitter, augment_channel_jitter, augment_drop, augment_shift,
            augment_time_shift: as in `Augmentation`.
        others: as in `DataModule`. In SHD's layout speakers are groups.

    Raises:
        DataFileError: the file or folder cannot be used.
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        sensor: Sequence[int] | None = None,
        columns: str = "xypt",
        unit: str = "us",
        backwards: str = "error",
        start: str = "clock",
        time_step: float = 10.0,
        steps: int | None = None,
        pool: int = 1,
        polarity: str = "split",
        counts: str = "sum",
        augment_time_jitter: float = 0.0,
        augment_channel_jitter: float = 0.0,
        augment_drop: float = 0.0,
        augment_shift: int = 0,
        augment_time_shift: float = 0.0,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
    ) -> None:
        self.path = file_path(path)
        if sorted(columns) != sorted(COLUMNS):
            raise ValueError(
                f"columns: {columns!r} is not allowed; allowed: x, y, p and t in some order, such "
                "as xypt"
            )
        one_of("unit", unit, tuple(UNITS_US))
        order = cast(Backwards, one_of("backwards", backwards, BACKWARDS))
        super().__init__(
            _recordings(self.path, _size(sensor), columns, unit, order),
            OPTION,
            batch_size,
            root,
            split_seed,
            binning=Binning(time_step, steps, pool, polarity, start),
            counts=counts,
            augmentation=Augmentation(
                drop=augment_drop,
                time_jitter=augment_time_jitter,
                channel_jitter=augment_channel_jitter,
                shift=augment_shift,
                time_shift=augment_time_shift,
            ),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            folds=folds,
            fold=fold,
        )


def _size(sensor: Sequence[int] | None) -> tuple[int, int] | None:
    if sensor is None:
        return None
    if len(sensor) not in (1, 2):
        raise ValueError(
            f"sensor: {list(sensor)} is not allowed; allowed: [width, height], [channels], or null"
        )
    width, height = (*sensor, 1)[:2]
    return whole_number("sensor", width, 1, 1 << 16), whole_number("sensor", height, 1, 1 << 16)


def _recordings(
    path: Path,
    sensor: tuple[int, int] | None,
    columns: str,
    unit: str,
    backwards: Backwards,
) -> Recordings:
    if path.is_dir():
        suffix = _suffix(path)
        entries = class_folders(path, OPTION, suffix)
        if suffix == ".bin":
            size = sensor or SENSOR
            return nmnist_recordings(path, entries, OPTION, sensor=size, backwards=backwards)
        return npy_recordings(
            *(path, entries, OPTION),
            columns=columns,
            unit=unit,
            sensor=sensor,
            backwards=backwards,
        )
    if path.exists() and path.suffix.lower() not in HDF5:
        remedy = "give a .h5 file in SHD's layout, or a folder with a folder of recordings a class"
        raise Source(OPTION, path).error("is no file of recordings", remedy)
    if sensor is not None and sensor[1] != 1:
        raise ValueError("sensor: a file in SHD's layout is of a line; allowed: [channels], null")
    units = None if sensor is None else sensor[0]
    return ShdRecordings(official_parts(path), OPTION, units=units, backwards=backwards)


def official_parts(path: Path) -> dict[str, Path]:
    """The file by stage, with those of other stages beside it; "" where there are none."""
    if not path.stem.lower().endswith(TRAIN):
        return {"": path}
    found = {"train": path}
    for stage, names in BESIDE.items():
        for name in names:
            other = path.with_stem(path.stem[: -len(TRAIN)] + name)
            if other.exists():
                found[stage] = other
                break
    return found if len(found) > 1 else {"": path}


def _suffix(folder: Path) -> str:
    """Of the first file of recordings, wherever it lies in the folder."""
    with Source(OPTION, folder).reading():
        for _, folders, names in os.walk(folder):
            folders.sort()
            for name in names:
                suffix = Path(name).suffix.lower()
                if suffix in FILES and name[0] != ".":
                    return suffix
    raise Source(OPTION, folder).error(
        "holds no .bin or .npy file", "give a folder with a folder of recordings a class"
    )
