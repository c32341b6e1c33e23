"""Recordings of tonic's data sets, by way of the same bins and the same cache as all others."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from surrolab.data.checks import folder as data_folder
from surrolab.data.checks import one_of
from surrolab.data.events import tonic_sets
from surrolab.data.events.augmentation import Augmentation
from surrolab.data.events.binning import Binning, Sensor
from surrolab.data.events.module import EventData
from surrolab.data.events.own import BACKWARDS
from surrolab.data.events.recordings import Listing, Recordings
from surrolab.data.events.sources import HALF_PRECISION_MS
from surrolab.data.events.tonic_sets import OPTION, listed_files, open_parts, tonic
from surrolab.data.formats import events as events_module
from surrolab.data.formats.events import Backwards, Recording, recording
from surrolab.data.formats.labels import check_classes, class_names, natural
from surrolab.data.formats.problem import DataFileError, Source, shown

# Who was recorded, where a class of tonic says so.
GROUPS = ("users", "speaker")
HALF_PRECISION = ("SHD", "SSC")


class TonicEvents(EventData):
    """A data set of tonic's (``pip install 'surrolab[tonic]'``; GPL-3.0).

    Any class of ``tonic.datasets`` that is made of a folder alone and whose items are events with
    x, t and p, and y where it is a camera, and a class. Parts that it has are the official ones.
    Its files lie in ``root``, which it is given as ``save_to``. tonic's transforms are not asked
    for: events are binned and kept as all others are.

    Args:
        set: name of the class, such as "NMNIST".
        backwards: "error", or "sort" for events that are not in the order of their times.
        time_step, steps, pool, polarity, start: as in `Binning`; times of SHD and SSC are too
            coarse for steps below 1 ms.
        counts: as in `EventData`.
        augment_time_jitter, augment_channel_jitter, augment_drop, augment_shift,
            augment_time_shift: as in `Augmentation`.
        download: whether files that are not there are fetched.
        others: as in `DataModule`. Users of DVSGesture and speakers of SHD are groups.

    Raises:
        DataFileError: tonic cannot read the files, or its items are no events with a class.
        ValueError: tonic is not installed or has no such set; its files are not there; or a
            parameter is out of range.
    """

    def __init__(
        self,
        set: str,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
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
        download: bool = False,
    ) -> None:
        self.set = set
        self.licence = f"see tonic.datasets.{set}"
        self.about = f"{set} as tonic reads it"
        order = cast(Backwards, one_of("backwards", backwards, BACKWARDS))
        binning = Binning(time_step, steps, pool, polarity, start)
        augmentation = Augmentation(
            drop=augment_drop,
            time_jitter=augment_time_jitter,
            channel_jitter=augment_channel_jitter,
            shift=augment_shift,
            time_shift=augment_time_shift,
        )
        super().__init__(
            TonicRecordings(set, data_folder("root", root), download=download, backwards=order),
            OPTION,
            batch_size,
            root,
            split_seed,
            binning=binning,
            counts=counts,
            augmentation=augmentation,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            folds=folds,
            fold=fold,
        )


class TonicRecordings(Recordings):
    """The items of a class of ``tonic.datasets``, known by their files and tonic's version.

    Args:
        name: of the class.
        root: the folder with its files.
        download: whether files that are not there are fetched.
        backwards: of events that are not in order, "error" or "sort".

    Raises:
        DataFileError, ValueError: as `open_parts`.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        download: bool,
        backwards: Backwards,
    ) -> None:
        from surrolab.data.events import tonic_events as own

        self.modules = (own, tonic_sets, events_module)
        self._name = name
        self._root = root
        self._backwards = backwards
        self._parts = {
            stage: _Part(dataset, name)
            for stage, dataset in open_parts(name, self._root, download).items()
        }

    def files(self) -> list[tuple[str, Path]]:
        found = [
            one for part in self._parts.values() for one in listed_files(part.dataset, self._root)
        ]
        return sorted(set(found))

    def settings(self) -> dict[str, Any]:
        return {
            "set": self._name,
            "tonic": tonic().__version__,
            "backwards": self._backwards,
        }

    @contextmanager
    def opened(self) -> Iterator[Listing]:
        parts = list(self._parts.values())
        given = [label for part in parts for label in part.labels()]
        labels, classes = _named(given, parts[0].dataset)
        check_classes(labels, 2, parts[0].source)
        sensor = parts[0].sensor()
        yield Listing(
            labels=labels,
            classes=classes,
            split=None
            if "" in self._parts
            else [stage for stage, part in self._parts.items() for _ in part.order],
            groups=_groups(parts),
            sensor=sensor,
            recordings=lambda: (
                part.recording(at, sensor, self._backwards) for part in parts for at in part.order
            ),
            resolution_ms=HALF_PRECISION_MS if self._name in HALF_PRECISION else 0.0,
        )


class _Part:
    """One part of a set, open."""

    def __init__(self, dataset: Any, name: str) -> None:
        self.dataset = dataset
        self.source = Source(OPTION, dataset.location_on_system)
        self._name = name
        data: Any = getattr(dataset, "data", None)
        paths = isinstance(data, list) and all(isinstance(one, str) for one in data)
        # tonic has files in the order in which the file system lists them, for some sets.
        self.order: Sequence[int] = range(len(dataset))
        if paths and len(data) == len(dataset):
            self.order = sorted(self.order, key=lambda at: natural(data[at]))

    def sensor(self) -> Sensor | None:
        """Width, height and polarities; None where they differ from recording to recording."""
        size = getattr(self.dataset, "sensor_size", None)
        if size is None:
            return None
        width, height, polarities = (int(one) for one in size)
        return width, height, polarities

    def labels(self) -> list[int | str]:
        """The class of each item, in order: from the list of them, if the set has one."""
        if not self.order:
            raise self.source.error(f"{self._name} has no recording", "give the whole set")
        given = self._item(self.order[0])[1]
        first = _label(given)
        targets: Any = getattr(self.dataset, "targets", None)
        if isinstance(targets, list) and len(targets) == len(self.dataset):
            listed = [_label(targets[at]) for at in self.order]
            # That of an item decides: in the list there may be something else.
            if listed[0] == first and {type(one) for one in listed} == {type(first)}:
                return [one for one in listed if one is not None]
        if not isinstance(first, int):
            raise self._no_class(given)
        return [self._number(at) for at in self.order]

    def recording(self, at: int, sensor: Sensor | None, backwards: Backwards) -> Recording:
        """Return one item's events, checked; times of tonic are in microseconds.

        Raises:
            DataFileError: it cannot be read, or has no events or some that cannot be.
        """
        events, _ = self._item(at)
        t, none = events["t"], np.zeros(len(events), np.uint8)
        if t.dtype.kind in "iu":
            t = t.astype(np.int64)
        return recording(
            t,
            events["x"],
            events["y"] if "y" in events.dtype.names else none,
            none if sensor is not None and sensor[2] == 1 else events["p"],
            unit_us=1,
            sensor=None if sensor is None else sensor[:2],
            backwards=backwards,
            source=self.source,
            number=at,
        )

    def _item(self, at: int) -> tuple[Any, Any]:
        try:
            item = self.dataset[at]
        except Exception as error:
            raise self.source.error(
                f"tonic cannot read it ({type(error).__name__}: {error})",
                "check its files",
                recording=at,
            ) from error
        events = item[0] if isinstance(item, tuple) and len(item) == 2 else None
        if not isinstance(events, np.ndarray) or not {"x", "t", "p"} <= set(
            events.dtype.names or ()
        ):
            raise self.source.error(
                f"items of {self._name} are no events with x, t and p, and a class",
                "give another data.set",
            )
        return events.reshape(-1), item[1]

    def _number(self, at: int) -> int:
        given = self._item(at)[1]
        label = _label(given)
        if not isinstance(label, int):
            raise self._no_class(given)
        return label

    def _no_class(self, given: Any) -> DataFileError:
        return self.source.error(
            f"items of {self._name} have no class ({type(given).__name__} {shown(given)})",
            "give another data.set, whose labels are whole numbers",
        )


def _label(given: Any) -> int | str | None:
    """A class as a number or a word; None where it is neither."""
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given[()]
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        return int(given)
    return given if isinstance(given, str) else None


def _named(labels: Sequence[int | str], dataset: Any) -> tuple[list[str], list[str]]:
    """The name of each label's class, and all classes: those that tonic lists, if they fit."""
    given = getattr(dataset, "classes", None)
    if isinstance(given, dict):
        given = sorted(given, key=given.__getitem__)
    names = [one.decode() if isinstance(one, bytes) else str(one) for one in _as_list(given)]
    numbers = [one for one in labels if isinstance(one, int) and 0 <= one < len(names)]
    if len(numbers) == len(labels) and len(set(names)) == len(names):
        return [names[at] for at in numbers], names
    words = [str(one) for one in labels]
    return words, class_names(words)


def _as_list(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple | np.ndarray) else []


def _groups(parts: Sequence[_Part]) -> list[str] | None:
    for name in GROUPS:
        each = [_as_list(getattr(part.dataset, name, None)) for part in parts]
        if all(len(found) == len(part.order) for found, part in zip(each, parts, strict=True)):
            return [
                str(found[at]) for found, part in zip(each, parts, strict=True) for at in part.order
            ]
    return None
