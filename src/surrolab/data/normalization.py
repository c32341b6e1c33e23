"""Channels brought to a common scale, by the training samples alone."""

import torch
from torch import Tensor

from surrolab.data.samples import Samples, SampleTable, Stage

NORMALIZATIONS = ("none", "standard", "unit")


def normalized(
    splits: dict[Stage, SampleTable], how: str, axis: int, is_sequence: bool
) -> dict[Stage, SampleTable]:
    """Samples whose channels have a common scale; padding stays 0.

    Args:
        splits: by stage; what is computed is so of "train".
        how: "standard": mean 0 and standard deviation 1; "unit": from 0 to 1. A channel that is
            constant in training becomes 0 there.
        axis: of the channels in ``Samples.x``.
        is_sequence: whether axis 1 is time, of which steps beyond a sample's length do not count.

    Raises:
        ValueError: the samples are events, which have no scale.
    """
    dense = {stage: part for stage, part in splits.items() if isinstance(part, Samples)}
    if len(dense) < len(splits):
        raise ValueError(f"normalize: {how} is not allowed for events; allowed: none")
    train = dense["train"]
    values = train.x.to(torch.float64) / train.divisor
    rows = values.movedim(axis, -1)
    rows = (rows[valid_steps(train)] if is_sequence else rows).reshape(-1, train.x.shape[axis])
    if how == "standard":
        offset, spread = rows.mean(0), rows.std(0, correction=0)
    else:
        offset, spread = rows.amin(0), rows.amax(0) - rows.amin(0)
    spread = torch.where(spread > 0, spread, 1.0)
    return {
        stage: _scaled(samples, offset, spread, axis, is_sequence)
        for stage, samples in dense.items()
    }


def valid_steps(samples: Samples) -> Tensor:
    """Which steps of a sequence are no padding: bool, ``[n, T]``."""
    return torch.arange(samples.x.shape[1]) < samples.lengths[:, None]


def _scaled(
    samples: Samples, offset: Tensor, spread: Tensor, axis: int, is_sequence: bool
) -> Samples:
    shape = [-1 if at == axis else 1 for at in range(samples.x.ndim)]
    x = (
        (samples.x.to(torch.float64) / samples.divisor - offset.view(shape)) / spread.view(shape)
    ).to(torch.float32)
    if is_sequence:
        x[~valid_steps(samples)] = 0
    return Samples(x, samples.y, samples.lengths, samples.groups, targets=samples.targets)
