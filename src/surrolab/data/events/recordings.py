"""Where recordings come from, and how they become arrays."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from surrolab.data.events import binning as binning_module
from surrolab.data.events.arrays import NONE, STAGES
from surrolab.data.events.binning import Binned, Binning, Sensor
from surrolab.data.formats.events import Recording
from surrolab.data.formats.labels import class_names

log = logging.getLogger(__name__)

LATE_MS = 1000
"""From here on an earliest event is that of a clock which ran before the recording began."""


@dataclass(frozen=True)
class Listing:
    """What is known of recordings before they are read.

    Attributes:
        labels: one a recording.
        classes: the classes; all labels are among them.
        split: the stage of each, None where the source does not say.
        groups: who or what was recorded, None where the source does not say.
        sensor: width, height and polarities; None for the smallest that holds all events.
        polarities: of the sensor that is not given.
        recordings: reads them one by one, in this order, each time it is called.
        resolution_ms: how fine the times are; a time step may not be shorter.
    """

    labels: Sequence[str]
    classes: Sequence[str]
    split: Sequence[str] | None
    groups: Sequence[str] | None
    sensor: Sensor | None
    recordings: Callable[[], Iterator[Recording]]
    polarities: int = 2
    resolution_ms: float = 0.0


class Recordings(ABC):
    """A source of recordings.

    Attributes:
        modules: those whose code decides what is read.
    """

    modules: tuple[ModuleType, ...] = ()

    @abstractmethod
    def files(self) -> list[tuple[str, Path]]:
        """Return all files, each with the name that it has within the source."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what else decides what is read."""

    @abstractmethod
    def opened(self) -> AbstractContextManager[Listing]:
        """Open the source."""


class Sink(Protocol):
    """Takes binned recordings."""

    def add(self, binned: Binned) -> None:
        """Take the next one."""


class SinkError(Exception):
    """A sink cannot take more.

    Neither an OSError nor a MemoryError, which readers take for troubles with their own file.

    Attributes:
        reason: which of them it was.
    """

    def __init__(self, reason: OSError | MemoryError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class Built:
    """What is to be known beside the bins."""

    labels: list[int]
    lengths: list[int]
    split: list[int]
    groups: list[int]
    events: list[int]
    cut: list[int]
    classes: list[str]
    sensor: Sensor
    shape: tuple[int, ...]
    steps: int


CODE: tuple[ModuleType, ...] = (binning_module,)


def build(source: Recordings, binning: Binning, sink: Sink) -> Built:
    """Bin all recordings, one by one, into ``sink``.

    Raises:
        DataFileError: a recording cannot be read.
        SinkError: the sink cannot take more.
        ValueError: the time step is shorter than the times are fine, there is no event, or none
            within the steps.
    """
    with source.opened() as listing:
        if binning.time_step < listing.resolution_ms:
            raise ValueError(
                f"time_step: {binning.time_step:g} is not allowed, as the times are float16; "
                f"allowed: {listing.resolution_ms:g} or more (milliseconds)"
            )
        sensor = listing.sensor or _extent(listing)
        shape = binning.shape(sensor)
        lengths, events, cut = [], [], []
        earliest = LATE_MS * 1000
        for recording in listing.recordings():
            if len(recording.t):
                earliest = min(earliest, int(recording.t[0]))
            binned = binning(recording, sensor)
            try:
                sink.add(binned)
            except (OSError, MemoryError) as error:
                raise SinkError(error) from error
            lengths.append(binned.length)
            events.append(binned.events)
            cut.append(binned.cut)
        number = {name: at for at, name in enumerate(listing.classes)}
        names = {name: at for at, name in enumerate(class_names(listing.groups or ()))}
        count = len(listing.labels)
    if not any(events):
        what = "events" if not any(cut) else f"events within {binning.steps} steps"
        remedy = ", or start=first" if any(cut) and binning.start == "clock" else ""
        raise ValueError(f"steps: there are no {what}; allowed: recordings that have some{remedy}")
    if binning.start == "clock" and earliest >= LATE_MS * 1000:
        log.warning(
            "no recording has an event in its first %d ms: data.start=first counts time from the "
            "first event of each",
            LATE_MS,
        )
    return Built(
        [number[label] for label in listing.labels],
        lengths,
        [STAGES.index(stage) for stage in listing.split] if listing.split else [NONE] * count,
        [names[name] for name in listing.groups] if listing.groups else [NONE] * count,
        events,
        cut,
        list(listing.classes),
        sensor,
        shape,
        binning.steps or max(lengths),
    )


def _extent(listing: Listing) -> Sensor:
    width = height = 1
    for recording in listing.recordings():
        if len(recording.t):
            width = max(width, int(np.max(recording.x)) + 1)
            height = max(height, int(np.max(recording.y)) + 1)
    return width, height, listing.polarities
