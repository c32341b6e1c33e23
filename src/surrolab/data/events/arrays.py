"""Binned recordings one after the other, in memory or mapped from files."""

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from surrolab.data.events.binning import Sensor

STAGES = ("train", "val", "test")
NONE = -1
DTYPES: dict[str, str] = {
    "offsets": "<i8",
    "where": "<i4",
    "counts": "|u1",
    "labels": "<i8",
    "lengths": "<i8",
    "split": "<i8",
    "groups": "<i8",
    "events": "<i8",
    "cut": "<i8",
}
"""What there is; the longest two are mapped, not read."""
LONG = ("where", "counts")


@dataclass(frozen=True, eq=False)
class EventArrays:
    """Binned recordings; those of recording i are ``offsets[i]:offsets[i + 1]``.

    Attributes:
        offsets: int64, ``[n + 1]``.
        where: int32, as `Binned` has it, ``[K]``.
        counts: uint8, ``[K]``.
        labels: int64 class numbers, ``[n]``.
        lengths: int64, steps of each, ``[n]``.
        split: int64, which of `STAGES` each belongs to, -1 where the source does not say, ``[n]``.
        groups: int64, who or what was recorded, -1 where the source does not say, ``[n]``.
        events: int64, events counted of each, ``[n]``.
        cut: int64, events of each that came after the last step, ``[n]``.
        classes: what the classes are called.
        sensor: width, height, polarities.
        shape: of a step.
        steps: T.
        place: where it lies, for errors; None in memory.
        content: a digest of the files that the recordings are of; empty where there are none.
    """

    offsets: NDArray[np.int64]
    where: NDArray[np.int32]
    counts: NDArray[np.uint8]
    labels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    split: NDArray[np.int64]
    groups: NDArray[np.int64]
    events: NDArray[np.int64]
    cut: NDArray[np.int64]
    classes: list[str]
    sensor: Sensor
    shape: tuple[int, ...]
    steps: int
    place: str | None = None
    content: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Inputs of a step."""
        return prod(self.shape)

    def flaw(self) -> str | None:
        """What is wrong with the arrays as a whole, in words; None where nothing is."""
        n = len(self.labels)
        for name, dtype in DTYPES.items():
            array = getattr(self, name)
            if array.dtype.str != dtype or array.ndim != 1:
                return f"{name} is {array.dtype.str} {list(array.shape)}"
            if name not in ("offsets", *LONG) and len(array) != n:
                return f"{name} has {len(array)} values, of {n} recordings"
        if len(self.offsets) != n + 1 or self.offsets[0] != 0 or (np.diff(self.offsets) < 0).any():
            return "offsets do not ascend from 0"
        if not len(self.where) == len(self.counts) == self.offsets[-1]:
            return "where and counts are not as long as the offsets say"
        if n == 0 or self.lengths.min() < 1 or self.lengths.max() > self.steps:
            return "lengths are out of range"
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            return "labels are out of range"
        return None
