"""Recordings of events: where and when a sensor's pixels or channels fired."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.folders import Entry
from surrolab.data.formats.labels import check_classes, class_names
from surrolab.data.formats.problem import DataFileError, Source

Backwards = Literal["error", "sort"]
Numbers = np.ndarray[Any, Any]
MOST_PIXELS = 1 << 16
LONGEST_US = 1 << 53


class Recording(NamedTuple):
    """The events of one recording, in the order of their times.

    Attributes:
        t: int64, microseconds from 0 on, ``[E]``.
        x: uint16 column (or channel), ``[E]``.
        y: uint16 row, ``[E]``; 0 where the sensor is a line.
        p: uint8 polarity, 0 or 1, ``[E]``; 0 where there is but one.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Events:
    """Recordings one after the other.

    Attributes:
        t: int64, microseconds within the recording, ``[E]``.
        x: uint16, ``[E]``.
        y: uint16, ``[E]``.
        p: uint8, ``[E]``.
        offsets: int64 ``[n + 1]``; recording i is ``offsets[i]:offsets[i + 1]``.
        labels: one a recording.
        classes: the classes, in the file's order or else the natural one.
        split: "train", "val" or "test" of each recording, None where the source does not say.
        groups: who or what was recorded (a speaker, a user), None where the source does not say.
        sensor: width, height and number of polarities.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    labels: list[str]
    classes: list[str]
    split: list[str] | None
    groups: list[str] | None
    sensor: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.labels)

    def recording(self, at: int) -> Recording:
        """Return views of one recording."""
        part = slice(self.offsets[at], self.offsets[at + 1])
        return Recording(self.t[part], self.x[part], self.y[part], self.p[part])


def recording(
    t: Numbers,
    x: Numbers,
    y: Numbers,
    p: Numbers,
    *,
    unit_us: float,
    sensor: tuple[int, int] | None,
    backwards: Backwards,
    source: Source,
    number: int | None = None,
) -> Recording:
    """Return checked events.

    Args:
        t: times, integers or floats, ``[E]``.
        x: columns, whole numbers of any type, ``[E]``.
        y: rows, likewise.
        p: polarities, likewise.
        unit_us: what times count, in microseconds; float times are rounded to microseconds.
        sensor: width and height; None allows up to 65,536 each.
        backwards: "error", or "sort" for recordings whose events are not in order.
        source: the file.
        number: which of the file's recordings it is.

    Raises:
        DataFileError: an event lies outside the sensor, its polarity is not 0 or 1, its time is
            negative, not finite or before that of the event before it.
        ValueError: ``backwards`` is none of the two.
    """
    if backwards not in ("error", "sort"):
        raise ValueError(f"backwards: {backwards!r} is not allowed; allowed: error, sort")
    t, x, y, p = (_wide(values) for values in (t, x, y, p))

    def stop(bad: NDArray[np.bool_], wrong: str, remedy: str) -> DataFileError:
        at = int(np.argmax(bad))
        event = f"event {at} (counted from 0)"
        values = f"t={t[at]}, x={x[at]}, y={y[at]}, p={p[at]}"
        return source.error(f"{event} {wrong} ({values})", remedy, recording=number)

    width, height = sensor or (MOST_PIXELS, MOST_PIXELS)
    for values, limit, name in ((x, width, "x"), (y, height, "y")):
        bad = ~_whole_below(values, limit)
        if bad.any():
            remedy = f"allowed: {name} from 0 to {limit - 1}; check the sensor's size"
            raise stop(bad, "lies outside the sensor", remedy)
    bad = ~_whole_below(p, 2)
    if bad.any():
        raise stop(bad, "has a polarity that is not 0 or 1", "write 0 for off and 1 for on")
    bad = ~((t >= 0) & (t <= LONGEST_US / max(unit_us, 1)))
    if bad.any():
        raise stop(bad, "has no possible time", "give times from 0 on, and check their unit")
    us = np.rint(t * unit_us).astype(np.int64) if t.dtype.kind == "f" else t.astype(np.int64)
    if t.dtype.kind != "f":
        us *= int(unit_us)
    bad = np.concatenate(([False], us[1:] < us[:-1]))
    if bad.any():
        if backwards == "error":
            raise stop(bad, "runs back in time", "sort events by time, or set backwards=sort")
        sorting = np.argsort(us, kind="stable")
        us, x, y, p = us[sorting], x[sorting], y[sorting], p[sorting]
    return Recording(us, x.astype(np.uint16), y.astype(np.uint16), p.astype(np.uint8))


def _wide(values: Numbers) -> Numbers:
    kind = values.dtype.kind
    return values.astype(np.float64 if kind == "f" else np.uint8) if kind in "fb" else values


def _whole_below(values: Numbers, limit: int) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = (values >= 0) & (values < limit)
    if values.dtype.kind == "f":
        good &= values == np.floor(values)
    return good


def gathered(
    recordings: Iterable[Recording],
    labels: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    split: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    sensor: tuple[int, int] | None,
    polarities: int,
    least_classes: int,
    source: Source,
) -> Events:
    """Return recordings one after the other; a sensor that is not given is as large as they need.

    Raises:
        DataFileError: there is no recording, no event, or fewer than ``least_classes`` classes.
    """
    check_classes(labels, least_classes, source)
    parts = list(recordings)
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part.t) for part in parts], out=offsets[1:])
    if offsets[-1] == 0:
        raise source.error("holds no event", "give recordings with events")
    t = np.concatenate([part.t for part in parts])
    x = np.concatenate([part.x for part in parts])
    y = np.concatenate([part.y for part in parts])
    p = np.concatenate([part.p for part in parts])
    width, height = sensor or (int(x.max()) + 1, int(y.max()) + 1)
    return Events(
        *(t, x, y, p, offsets, list(labels), list(classes or class_names(labels))),
        split=list(split) if split is not None else None,
        groups=list(groups) if groups is not None else None,
        sensor=(width, height, polarities),
    )


def from_entries(
    entries: Sequence[Entry],
    read: Callable[[Entry], Recording],
    *,
    sensor: tuple[int, int] | None,
    least_classes: int,
    source: Source,
) -> Events:
    """Return the recordings of files, each read by ``read``.

    Raises:
        DataFileError: as ``read`` and `gathered`.
    """
    labels = [entry.label for entry in entries]
    split = [entry.split for entry in entries if entry.split is not None]
    groups = [entry.group for entry in entries if entry.group is not None]
    check_classes(labels, least_classes, source)
    return gathered(
        map(read, entries),
        labels,
        split=split or None,
        groups=groups or None,
        sensor=sensor,
        polarities=2,
        least_classes=least_classes,
        source=source,
    )
