"""What a data set is, in numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from surrolab.data.module import DataModule
from surrolab.data.normalization import valid_steps
from surrolab.data.samples import Samples


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
    """

    samples: int
    per_class: list[int]
    lengths: tuple[int, int, int] | None
    low: float
    high: float
    mean: float
    nonzero: float
    groups: int | None


def describe(data: DataModule) -> dict[str, Part]:
    """The stages of a data set; loads it if need be."""
    return {
        stage: _part(samples, data.classes, data.is_sequence)
        for stage, samples in data.samples.items()
    }


def _part(samples: Samples, classes: int, is_sequence: bool) -> Part:
    lengths = None
    if is_sequence:
        ordered = samples.lengths.sort().values
        lengths = (int(ordered[0]), int(ordered[len(ordered) // 2]), int(ordered[-1]))
    low, high, mean, nonzero = _values(samples, is_sequence)
    return Part(
        len(samples),
        torch.bincount(samples.y, minlength=classes).tolist(),
        lengths,
        low,
        high,
        mean,
        nonzero,
        None if samples.groups is None else int(torch.unique(samples.groups).numel()),
    )


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
