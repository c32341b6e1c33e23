"""What a data set is, in numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from surrolab.data.events.samples import EventSamples
from surrolab.data.module import DataModule
from surrolab.data.normalization import valid_steps
from surrolab.data.samples import Samples, SampleTable


@dataclass(frozen=True)
class EventNumbers:
    """How many events there are in a stage.

    Attributes:
        per_sample: least, median and most.
        per_bin: mean over the steps that a sample has.
        cut: how many came after the last step and are left out.
        share_cut: of all events.
    """

    per_sample: tuple[int, int, int]
    per_bin: float
    cut: int
    share_cut: float


@dataclass(frozen=True)
class Part:
    """One stage of a data set.

    Attributes:
        samples: how many.
        per_class: how many of each class.
        lengths: least, median and most valid steps; None for static data.
        low, high, mean: of the values, valid steps alone.
        nonzero: share of the values that are not zero; of spikes, their rate per step.
        groups: how many there are; None where there are none.
        events: of recordings; None for other data.
    """

    samples: int
    per_class: list[int]
    lengths: tuple[int, int, int] | None
    low: float
    high: float
    mean: float
    nonzero: float
    groups: int | None
    events: EventNumbers | None


def describe(data: DataModule) -> dict[str, Part]:
    """The stages of a data set; loads it if need be."""
    return {
        stage: _part(samples, data.classes, data.is_sequence)
        for stage, samples in data.samples.items()
    }


def _part(samples: SampleTable, classes: int, is_sequence: bool) -> Part:
    lengths = _spread(samples.lengths) if is_sequence else None
    events = None
    if isinstance(samples, EventSamples):
        low, high, mean, nonzero = _bins(samples)
        events = _events(samples)
    elif isinstance(samples, Samples):
        low, high, mean, nonzero = _values(samples, is_sequence)
    else:
        raise TypeError(type(samples).__name__)
    return Part(
        len(samples),
        torch.bincount(samples.y, minlength=classes).tolist(),
        lengths,
        low,
        high,
        mean,
        nonzero,
        None if samples.groups is None else int(torch.unique(samples.groups).numel()),
        events,
    )


def _spread(values: Tensor) -> tuple[int, int, int]:
    ordered = values.sort().values
    return int(ordered[0]), int(ordered[len(ordered) // 2]), int(ordered[-1])


def _events(samples: EventSamples) -> EventNumbers:
    events = samples.arrays.events[samples.rows]
    cut = int(samples.arrays.cut[samples.rows].sum())
    total = int(events.sum())
    return EventNumbers(
        _spread(torch.from_numpy(events)),
        total / int(samples.lengths.sum()),
        cut,
        cut / max(1, total + cut),
    )


def _bins(samples: EventSamples) -> tuple[float, float, float, float]:
    """Least, most, mean and share of the bins that are not empty, without making any batch."""
    arrays, filled, total, most = samples.arrays, 0, 0, 0
    bins = int(samples.lengths.sum()) * arrays.size
    for row in samples.rows.tolist():
        counts = arrays.counts[arrays.offsets[row] : arrays.offsets[row + 1]]
        if len(counts):
            filled += len(counts)
            total += int(counts.sum(dtype=int))
            most = max(most, int(counts.max()))
    if samples.binary:
        total, most = filled, min(most, 1)
    return float(filled == bins), float(most), total / bins, filled / bins


def _values(samples: Samples, is_sequence: bool) -> tuple[float, float, float, float]:
    x: Tensor = samples.x
    valid = x[valid_steps(samples)] if is_sequence else x
    if samples.width is not None:  # one-hot vectors
        known = float((valid >= 0).double().mean()) / samples.width
        return 0.0, 1.0, known, known
    mean = float(valid.double().mean()) if valid.numel() else 0.0
    share = float(torch.count_nonzero(valid)) / max(1, valid.numel())
    by = samples.divisor
    return float(valid.min()) / by, float(valid.max()) / by, mean / by, share
