"""Events counted by time step and place.

The source text of this module is part of what a cache of binned events is known by: a change here
makes all of them anew.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from surrolab.data.checks import one_of, positive_number, whole_number
from surrolab.data.formats.events import Recording

POLARITIES = ("split", "merge", "on", "off")
STARTS = ("clock", "first")
MOST_COUNTED = 255
LARGEST = 2**31
Sensor = tuple[int, int, int]


class Binned(NamedTuple):
    """One recording, binned.

    Attributes:
        where: int32, ascending: flat indices into ``[T, *shape]``, time first, ``[K]``.
        counts: uint8: how many events fell there; 255 stands for more too, ``[K]``.
        length: steps up to and including the last event; 1 where there is none.
        events: how many events were counted.
        cut: how many were not, as they came after the last step.
    """

    where: NDArray[np.int32]
    counts: NDArray[np.uint8]
    length: int
    events: int
    cut: int


@dataclass(frozen=True)
class Binning:
    """How events are counted: step ``k`` has those from ``k`` to below ``k + 1`` time steps.

    A last step that a recording fills only in part is a step like the others, and the last event is
    in it.

    Args:
        time_step: length of a step in milliseconds, a multiple of 0.001.
        steps: number of steps T, later events are cut; None for as many as the longest recording
            needs.
        pool: so many neighbouring channels are summed, or squares of so many pixels a side; what is
            left over at the edge is a smaller one.
        polarity: "split" keeps the two polarities apart, "merge" sums them, "on" and "off" take the
            events of one.
        start: which time is 0: that of the recording's "clock", or that of its "first" event.

    Raises:
        ValueError: a parameter is out of range.
    """

    time_step: float
    steps: int | None
    pool: int
    polarity: str
    start: str = "clock"

    def __post_init__(self) -> None:
        positive_number("time_step", self.time_step, 1e6)
        if self.step_us < 1 or abs(self.step_us - 1000 * self.time_step) > 1e-6:
            raise ValueError(
                f"time_step: {self.time_step} is not allowed; allowed: a multiple of 0.001 "
                "(milliseconds)"
            )
        if self.steps is not None:
            whole_number("steps", self.steps, 1)
        whole_number("pool", self.pool, 1)
        one_of("polarity", self.polarity, POLARITIES)
        one_of("start", self.start, STARTS)

    @property
    def step_us(self) -> int:
        """Length of a step in microseconds."""
        return round(1000 * self.time_step)

    def shape(self, sensor: Sensor) -> tuple[int, ...]:
        """Shape of a step, for a sensor's width, height and number of polarities.

        ``(channels,)`` for a line, with polarities in front where there are two; ``(polarities,
        height, width)`` for a camera.

        Raises:
            ValueError: one polarity is asked for, and there is but one.
        """
        width, height, polarities = sensor
        if self.polarity in ("on", "off") and polarities == 1:
            raise ValueError(
                f"polarity: {self.polarity} is not allowed, as the sensor has one polarity; "
                "allowed: split, merge"
            )
        kept = polarities if self.polarity == "split" else 1
        across, down = -(-width // self.pool), -(-height // self.pool)
        if height > 1:
            return kept, down, across
        return (across,) if kept == 1 else (kept, across)

    def __call__(self, recording: Recording, sensor: Sensor) -> Binned:
        """Return a recording in bins.

        Raises:
            ValueError: there are more bins than 31 bits can tell apart.
        """
        t, x, y, p = recording
        if self.start == "first" and len(t):
            t = t - t[0]
        if self.polarity in ("on", "off"):
            kept = p == (self.polarity == "on")
            t, x, y, p = t[kept], x[kept], y[kept], p[kept]
        step, total = t // self.step_us, len(t)
        if self.steps is not None:
            # Events are in the order of their times.
            inside = int(np.searchsorted(step, self.steps))
            step = step[:inside]
            x, y, p = x[:inside], y[:inside], p[:inside]
        if not len(step):
            return Binned(np.zeros(0, np.int32), np.zeros(0, np.uint8), 1, 0, total)
        *others, across = self.shape(sensor)
        place = x.astype(np.int64) // self.pool
        if sensor[1] > 1:
            place += y.astype(np.int64) // self.pool * across
        size = across * int(np.prod(others, dtype=np.int64))
        if self.polarity == "split" and sensor[2] > 1:
            place += p.astype(np.int64) * (size // 2)
        length = int(step[-1]) + 1
        if length * size >= LARGEST:
            raise ValueError(
                f"time_step: {length} steps of {size} inputs are not allowed; allowed: fewer than "
                "2**31 in all, by longer steps, a larger pool, or steps=N"
            )
        flat = np.sort(step * size + place)
        first = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
        count = np.diff(first, append=len(flat))
        return Binned(
            flat[first].astype(np.int32),
            np.minimum(count, MOST_COUNTED).astype(np.uint8),
            length,
            len(flat),
            total - len(flat),
        )
