"""Recordings in files: HDF5 in SHD's layout, and folders with a file a recording."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from surrolab.data.events.binning import Sensor
from surrolab.data.events.recordings import Listing, Recordings
from surrolab.data.formats import events as events_module
from surrolab.data.formats import folders as folders_module
from surrolab.data.formats import nmnist as nmnist_module
from surrolab.data.formats import npy_events as npy_module
from surrolab.data.formats import shd as shd_module
from surrolab.data.formats.events import Backwards, Recording
from surrolab.data.formats.folders import Entry
from surrolab.data.formats.labels import check_classes, class_names
from surrolab.data.formats.nmnist import read_nmnist_recording
from surrolab.data.formats.npy_events import read_npy_recording
from surrolab.data.formats.problem import Source
from surrolab.data.formats.shd import ShdFile, open_shd

HALF_PRECISION_MS = 1.0
"""What float16 seconds tell apart near 1 s, where they are 0.5 to 1 ms from each other."""


class ShdRecordings(Recordings):
    """Files in SHD's layout, one a stage.

    Args:
        paths: by stage, "train", "val" and "test"; "" where the one file says nothing of stages.
        option: the option that gave the files, for errors.
        units: how many there are; None for as many as occur.
        backwards: of spikes that are not in order, "error" or "sort".
    """

    modules = (shd_module, events_module)

    def __init__(
        self,
        paths: Mapping[str, Path],
        option: str,
        *,
        units: int | None = None,
        backwards: Backwards = "error",
    ) -> None:
        self._paths = dict(paths)
        self._option = option
        self._units = units
        self._backwards = backwards

    def files(self) -> list[tuple[str, Path]]:
        return list(self._paths.items())

    def settings(self) -> dict[str, Any]:
        return {"units": self._units, "backwards": self._backwards}

    @contextmanager
    def opened(self) -> Iterator[Listing]:
        with ExitStack() as stack:
            parts = {
                stage: stack.enter_context(open_shd(path, self._option, units=self._units))
                for stage, path in self._paths.items()
            }
            labels = [label for part in parts.values() for label in part.labels]
            first = next(iter(self._paths.values()))
            check_classes(labels, 2, Source(self._option, first))
            yield Listing(
                labels=labels,
                classes=_classes(list(parts.values()), labels),
                split=None if "" in parts else _stages(parts),
                groups=_speakers(list(parts.values())),
                sensor=None if self._units is None else (self._units, 1, 1),
                recordings=lambda: (
                    recording
                    for part in parts.values()
                    for recording in part.recordings(self._backwards)
                ),
                polarities=1,
                resolution_ms=max(_resolution(part) for part in parts.values()),
            )


class FolderRecordings(Recordings):
    """Files with a recording each.

    Args:
        folder: the folder above all of them.
        entries: the files, their labels, and what else their folders say.
        read: reads one.
        option: the option that gave the folder, for errors.
        sensor: width and height; None for the smallest that holds all events.
        settings: what else decides what ``read`` returns.
    """

    modules = (nmnist_module, npy_module, events_module, folders_module)

    def __init__(
        self,
        folder: Path,
        entries: Sequence[Entry],
        read: Callable[[Path], Recording],
        option: str,
        *,
        sensor: tuple[int, int] | None,
        settings: Mapping[str, Any],
    ) -> None:
        self._folder = folder
        self._entries = entries
        self._read = read
        self._sensor: Sensor | None = None if sensor is None else (*sensor, 2)
        self._settings = dict(settings)
        check_classes([entry.label for entry in entries], 2, Source(option, folder))

    def files(self) -> list[tuple[str, Path]]:
        return [(os.path.relpath(entry.path, self._folder), entry.path) for entry in self._entries]

    def settings(self) -> dict[str, Any]:
        return {"sensor": self._sensor, **self._settings}

    @contextmanager
    def opened(self) -> Iterator[Listing]:
        labels = [entry.label for entry in self._entries]
        split = [entry.split for entry in self._entries if entry.split is not None]
        groups = [entry.group for entry in self._entries if entry.group is not None]
        yield Listing(
            labels=labels,
            classes=class_names(labels),
            split=split or None,
            groups=groups or None,
            sensor=self._sensor,
            recordings=lambda: (self._read(entry.path) for entry in self._entries),
        )


def nmnist_recordings(
    folder: Path,
    entries: Sequence[Entry],
    option: str,
    *,
    sensor: tuple[int, int],
    backwards: Backwards = "error",
) -> FolderRecordings:
    """Recordings in N-MNIST's format."""
    return FolderRecordings(
        folder,
        entries,
        lambda path: read_nmnist_recording(path, option, sensor=sensor, backwards=backwards),
        option,
        sensor=sensor,
        settings={"format": "bin", "backwards": backwards},
    )


def npy_recordings(
    folder: Path,
    entries: Sequence[Entry],
    option: str,
    *,
    columns: str,
    unit: str,
    sensor: tuple[int, int] | None,
    backwards: Backwards = "error",
) -> FolderRecordings:
    """Recordings in ``.npy`` files.

    Raises:
        ValueError: columns or unit are none of those.
    """
    return FolderRecordings(
        folder,
        entries,
        lambda path: read_npy_recording(
            path, option, columns=columns, unit=unit, sensor=sensor, backwards=backwards
        ),
        option,
        sensor=sensor,
        settings={"format": "npy", "columns": columns, "unit": unit, "backwards": backwards},
    )


def _classes(parts: Sequence[ShdFile], labels: Sequence[str]) -> list[str]:
    """In the order of the files' keys, where they are the same everywhere."""
    first = parts[0].classes
    same = all(part.classes == first for part in parts)
    return list(first) if same else class_names([*labels, *(k for p in parts for k in p.classes)])


def _stages(parts: Mapping[str, ShdFile]) -> list[str]:
    return [stage for stage, part in parts.items() for _ in range(len(part))]


def _speakers(parts: Sequence[ShdFile]) -> list[str] | None:
    found: list[str] = []
    for part in parts:
        if part.speakers is None:
            return None
        found += part.speakers
    return found


def _resolution(part: ShdFile) -> float:
    return HALF_PRECISION_MS if part.time_type == np.float16 else 0.0
