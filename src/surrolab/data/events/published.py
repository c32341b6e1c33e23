"""Published sets of recordings, from files under ``data.root``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from surrolab.data.checks import folder as data_folder
from surrolab.data.checks import one_of
from surrolab.data.events.augmentation import Augmentation
from surrolab.data.events.binning import Binning
from surrolab.data.events.module import EventData
from surrolab.data.events.recordings import Recordings
from surrolab.data.events.sources import ShdRecordings, nmnist_recordings, npy_recordings
from surrolab.data.formats.folders import class_folders
from surrolab.data.formats.nmnist import SENSOR
from surrolab.data.formats.nmnist import SUFFIX as NMNIST_SUFFIX
from surrolab.data.formats.npy_events import GESTURE_SENSOR, gesture_entries
from surrolab.data.formats.shd import SHD_UNITS

OPTION = "data.root"


class EventSet(NamedTuple):
    """Where a set comes from, under which terms, and what it is.

    Attributes:
        address: where the files are to be had.
        licence: of the data.
        files: what has to lie in ``root/<set>``: by stage for files in SHD's layout, else folders.
        samples: how many there are, in each part.
        about: what the set is, how it is split, and its source.
    """

    address: str
    licence: str
    files: Mapping[str, str]
    samples: Mapping[str, int]
    about: str


_HEIDELBERG = "Cramer et al. 2020, doi:10.1109/TNNLS.2020.3044364"
SETS: Mapping[str, EventSet] = {
    "shd": EventSet(
        "https://zenkelab.org/datasets/",
        "CC BY 4.0 (Zenke lab)",
        {"train": "shd_train.h5", "test": "shd_test.h5"},
        {"train": 8156, "test": 2264},
        "Spiking Heidelberg Digits: spoken digits in German and English as spikes of a cochlea "
        f"model, 700 channels ({_HEIDELBERG}). It has no validation part: speakers of the training "
        "part are held out for it.",
    ),
    "ssc": EventSet(
        "https://zenkelab.org/datasets/",
        "CC BY 4.0 (Zenke lab)",
        {"train": "ssc_train.h5", "val": "ssc_valid.h5", "test": "ssc_test.h5"},
        {"train": 75466, "val": 9981, "test": 20382},
        "Spiking Speech Commands: 35 spoken words as spikes of a cochlea model, 700 channels "
        f"({_HEIDELBERG}), with the official three parts.",
    ),
    "nmnist": EventSet(
        "https://www.garrickorchard.com/datasets/n-mnist",
        "CC BY-SA 4.0 (see the address)",
        {"train": "Train", "test": "Test"},
        {"train": 60000, "test": 10000},
        "N-MNIST: handwritten digits seen by an event camera in three saccades, 34 x 34 pixels "
        "(Orchard et al. 2015, doi:10.3389/fnins.2015.00437). Validation is a stratified share of "
        "the training part.",
    ),
    "dvs_gesture": EventSet(
        "https://zenodo.org/records/8060604",
        "CC BY 4.0 (IBM)",
        {"train": "ibmGestureTrain", "test": "ibmGestureTest"},
        {"train": 1077, "test": 264},
        "DVS Gesture: 11 gestures of 29 people seen by an event camera, 128 x 128 pixels (Amir et "
        "al. 2017, doi:10.1109/CVPR.2017.781). Users 24 to 29 are for test; users of the training "
        "part are held out for validation.",
    ),
}


class PublishedEvents(EventData):
    """Recordings that somebody has published; the files are to lie in ``root/<set>``.

    ``shd``: ``shd_train.h5``, ``shd_test.h5``; ``ssc``: ``ssc_train.h5``, ``ssc_valid.h5``,
    ``ssc_test.h5``; ``nmnist``: ``Train/<digit>/<id>.bin``, ``Test/<digit>/<id>.bin``;
    ``dvs_gesture``: ``user<NN>_<light>/<class>.npy``, or the same in ``ibmGestureTrain`` and
    ``ibmGestureTest``. Sources and terms: `SETS`.

    Args:
        set: one of them.
        time_step, steps, pool, polarity: as in `Binning`; times of shd and ssc are too coarse for
            steps below 1 ms.
        counts: as in `EventData`.
        augment_time_jitter, augment_channel_jitter, augment_drop, augment_shift,
            augment_time_shift: as in `Augmentation`.
        val_fraction: share of the training part for validation, where there is no official one:
            whole speakers of shd, whole users of dvs_gesture.
        others: as in `DataModule`.

    Raises:
        DataFileError: a file is damaged.
        ValueError: a file is missing, which says where it is to be had; or a parameter is out of
            range.
    """

    def __init__(
        self,
        set: str,
        batch_size: int = 128,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        time_step: float = 10.0,
        steps: int | None = 100,
        pool: int = 1,
        polarity: str = "split",
        counts: str = "sum",
        augment_time_jitter: float = 0.0,
        augment_channel_jitter: float = 0.0,
        augment_drop: float = 0.0,
        augment_shift: int = 0,
        augment_time_shift: float = 0.0,
        val_fraction: float = 0.1,
    ) -> None:
        self.set = one_of("set", set, tuple(SETS))
        self.licence, self.about = SETS[set].licence, SETS[set].about
        binning = Binning(time_step, steps, pool, polarity)
        augmentation = Augmentation(
            drop=augment_drop,
            time_jitter=augment_time_jitter,
            channel_jitter=augment_channel_jitter,
            shift=augment_shift,
            time_shift=augment_time_shift,
        )
        super().__init__(
            _recordings(set, data_folder("root", root) / set),
            OPTION,
            batch_size,
            root,
            split_seed,
            binning=binning,
            counts=counts,
            augmentation=augmentation,
            val_fraction=val_fraction,
        )


def _recordings(name: str, folder: Path) -> Recordings:
    wanted = SETS[name].files
    if name in ("shd", "ssc"):
        paths = {stage: _there(folder / file, name) for stage, file in wanted.items()}
        return ShdRecordings(paths, OPTION, units=SHD_UNITS)
    if name == "nmnist":
        for part in wanted.values():
            _there(folder / part, name)
        entries = class_folders(folder, OPTION, NMNIST_SUFFIX)
        return nmnist_recordings(folder, entries, OPTION, sensor=SENSOR)
    _there(folder, name)
    parts = [folder / part for part in wanted.values() if (folder / part).is_dir()]
    if parts:
        for part in wanted.values():
            _there(folder / part, name)
    entries = [entry for part in parts or [folder] for entry in gesture_entries(part, OPTION)]
    return npy_recordings(folder, entries, OPTION, columns="xypt", unit="ms", sensor=GESTURE_SENSOR)


def _there(path: Path, name: str) -> Path:
    if not path.exists():
        raise ValueError(
            f"root: there is no {path}; allowed: a folder with {name}/{path.name} in it, which "
            f"{SETS[name].address} has"
        )
    return path
