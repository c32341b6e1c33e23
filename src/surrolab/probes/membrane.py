"""Where the membrane potential lies, measured against the threshold."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

LIMIT, BINS = 5.0, 200
"""Bins are of equal width from ``-LIMIT`` to ``LIMIT``, in thresholds."""


class MembraneDistribution(Metric):
    """Histogram of ``(U - theta) / theta`` over the neuron-steps of one layer.

    A neuron at rest is at -1, the threshold at 0. Steps beyond a sample's length do not count.
    ``compute`` gives ``mean`` and ``std`` (of the neuron-steps themselves, not of the bins) and
    ``counts``, int64 ``[BINS]``, in bins without their upper edge. What lies beyond the first or
    the last edge is counted in the first or the last bin, and what is not a number in the last.
    Counts and moments add up over batches and ranks; the moments are kept as means and squared
    deviations (Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115), for float32 would
    lose a small spread around -1 in sums of squares.

    Args:
        kwargs: of ``torchmetrics.Metric``, such as ``sync_on_compute=False`` where one process
            measures by itself.
    """

    full_state_update = False
    counts: Tensor
    moments: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("counts", torch.zeros(BINS, dtype=torch.int64), dist_reduce_fx="sum")
        # Number, mean, sum of squared deviations; not summed but gathered, [ranks, 3].
        self.add_state("moments", torch.zeros(3), dist_reduce_fx=None)

    @property
    def edges(self) -> Tensor:
        """The ``BINS + 1`` edges of the bins, float64."""
        steps = torch.arange(BINS + 1, dtype=torch.float64) - BINS // 2
        return steps / (BINS / (2 * LIMIT))

    def update(self, mem_TBN: Tensor, threshold: Tensor, lengths_B: Tensor) -> None:
        """Count a batch; ``threshold`` broadcasts over ``[T, B, N]``."""
        x_TBN = (mem_TBN.detach().float() / threshold.detach().float()).sub_(1)
        if int(lengths_B.min()) < len(x_TBN):
            x_TBN = x_TBN[torch.arange(len(x_TBN), device=x_TBN.device)[:, None] < lengths_B]
        # From the threshold outwards: it is an edge to the bit.
        bins = (x_TBN * (BINS / (2 * LIMIT))).floor_().clamp_(-BINS // 2, BINS // 2 - 1)
        bins = bins.nan_to_num_(nan=BINS // 2 - 1).add_(BINS // 2)
        self.counts += torch.bincount(bins.flatten().long(), minlength=BINS)
        var, mean = torch.var_mean(x_TBN, correction=0)
        number = torch.full_like(mean, x_TBN.numel())
        here = torch.stack([number, mean, var * number])
        self.moments = _joined(torch.stack([self.moments, here])).to(self.moments)

    def compute(self) -> dict[str, Tensor]:
        number, mean, squares = _joined(self.moments.view(-1, 3))
        return {"mean": mean, "std": (squares / number).sqrt(), "counts": self.counts.cpu()}


def _joined(moments: Tensor) -> Tensor:
    """Moments ``[n, 3]`` of n parts as those of the whole, in float64 on the CPU."""
    number, mean, squares = moments.cpu().double().unbind(1)
    total = number.sum()
    middle = (number * mean).sum() / total
    return torch.stack([total, middle, (squares + number * (mean - middle).square()).sum()])
