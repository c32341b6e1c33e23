"""Published sets of recordings, from files under ``data.root``."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from surrolab.data.checks import folder as data_folder
from surrolab.data.checks import one_of
from surrolab.data.downloads import provide
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
from surrolab.data.sources import EVENT_SETS

OPTION = "data.root"


_HEIDELBERG = "Cramer et al. 2020, doi:10.1109/TNNLS.2020.3044364"
ABOUT: Mapping[str, str] = {
    "shd": "Spiking Heidelberg Digits: 10,420 spoken digits in German and English as spikes of a "
    f"cochlea model, 700 channels ({_HEIDELBERG}). It has no validation part: speakers of the "
    "training part are held out for it.",
    "ssc": "Spiking Speech Commands: 105,829 recordings of 35 spoken words as spikes of a cochlea "
    f"model, 700 channels ({_HEIDELBERG}), with the official three parts.",
    "nmnist": "N-MNIST: 70,000 handwritten digits seen by an event camera in three saccades, 34 x "
    "34 pixels (Orchard et al. 2015, doi:10.3389/fnins.2015.00437). Validation is a stratified "
    "share of the training part.",
    "dvs_gesture": "DVS Gesture: 1341 recordings of 11 gestures of 29 people seen by an event "
    "camera, 128 x 128 pixels (Amir et al. 2017, doi:10.1109/CVPR.2017.781). Users 24 to 29 are "
    "for test; users of the training part are held out for validation.",
}
"""What each set is, how it is split, and its source."""
STAGES: Mapping[str, tuple[str, ...]] = {"shd": ("train", "test"), "ssc": ("train", "val", "test")}
"""What the files of a set in SHD's layout are for, in the order of `EVENT_SETS`."""


class PublishedEvents(EventData):
    """Recordings that somebody has published, from files in ``root/<set>``, or fetched there.

    ``shd``: ``shd_train.h5``, ``shd_test.h5``; ``ssc``: ``ssc_train.h5``, ``ssc_valid.h5``,
    ``ssc_test.h5``; ``nmnist``: ``Train/<digit>/<id>.bin``, ``Test/<digit>/<id>.bin``;
    ``dvs_gesture``: ``user<NN>_<light>/<class>.npy``, or the same in ``ibmGestureTrain`` and
    ``ibmGestureTest``. Sources and terms: `EVENT_SETS`.

    Args:
        set: one of them.
        time_step, steps, pool, polarity: as in `Binning`; times of shd and ssc are too coarse for
            steps below 1 ms.
        counts: as in `EventData`.
        augment_time_jitter, augment_channel_jitter, augment_drop, augment_shift,
            augment_time_shift: as in `Augmentation`.
        val_fraction: share of the training part for validation, where there is no official one:
            whole speakers of shd, whole users of dvs_gesture.
        download: whether files that are not there are fetched.
        others: as in `DataModule`.

    Raises:
        DataFileError: a file is damaged, or cannot be fetched.
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
        download: bool = False,
    ) -> None:
        self.set = one_of("set", set, tuple(EVENT_SETS))
        self.licence, self.about = EVENT_SETS[set].licence, ABOUT[set]
        binning = Binning(time_step, steps, pool, polarity)
        augmentation = Augmentation(
            drop=augment_drop,
            time_jitter=augment_time_jitter,
            channel_jitter=augment_channel_jitter,
            shift=augment_shift,
            time_shift=augment_time_shift,
        )
        super().__init__(
            _recordings(set, data_folder("root", root), download),
            OPTION,
            batch_size,
            root,
            split_seed,
            binning=binning,
            counts=counts,
            augmentation=augmentation,
            val_fraction=val_fraction,
        )


def _recordings(name: str, root: Path, download: bool) -> Recordings:
    folder, published = root / name, EVENT_SETS[name]
    parts = [folder / (remote.unpacked or remote.name) for remote in published.files]
    # The gestures may lie side by side as well, as the users' numbers say which part they are of.
    some = any(part.exists() for part in parts)
    if name == "dvs_gesture" and not some and any(folder.glob("user*/")):
        return _gestures(folder, [folder])
    provide(root, name, published, download)
    if name == "dvs_gesture":
        return _gestures(folder, parts)
    if name == "nmnist":
        entries = class_folders(folder, OPTION, NMNIST_SUFFIX)
        return nmnist_recordings(folder, entries, OPTION, sensor=SENSOR)
    paths = dict(zip(STAGES[name], parts, strict=True))
    return ShdRecordings(paths, OPTION, units=SHD_UNITS)


def _gestures(folder: Path, parts: Sequence[Path]) -> Recordings:
    entries = [entry for part in parts for entry in gesture_entries(part, OPTION)]
    return npy_recordings(folder, entries, OPTION, columns="xypt", unit="ms", sensor=GESTURE_SENSOR)
