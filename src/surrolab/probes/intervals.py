"""The time between a neuron's spikes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class SpikeIntervals(Metric):
    """Intervals between successive spikes of a neuron within a sample, of one layer.

    All intervals of all neurons and samples are one population: ``compute`` gives their mean
    ``isi_mean`` in steps and their coefficient of variation ``isi_cv`` (standard deviation over
    mean: 0 where all neurons keep one beat, near 1 for Poisson spikes of one low rate, more where
    neurons or samples differ in rate), or nothing where no neuron spikes twice. Spikes beyond a
    sample's length do not count. An interval longer than its sample cannot be seen, so that long
    intervals are counted too seldom.

    ``counts`` is the histogram, int64 ``[steps - 1]``: entry ``i`` counts intervals of ``i + 1``
    steps. It adds up over batches and ranks, and mean and variation come from it alone.

    Args:
        steps: time steps of the longest sample.
        kwargs: of ``torchmetrics.Metric``, such as ``sync_on_compute=False`` where one process
            measures by itself.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        counts = torch.zeros(max(1, steps - 1), dtype=torch.int64)
        self.add_state("counts", counts, dist_reduce_fx="sum")

    def update(self, spk_TBN: Tensor, lengths_B: Tensor) -> None:
        """Count a batch."""
        steps, samples = spk_TBN.shape[:2]
        trains = spk_TBN.detach().reshape(steps, samples, -1).permute(1, 2, 0) != 0
        sample, neuron, time = trains.nonzero().unbind(1)  # in order of sample, neuron, time
        valid = time < lengths_B[sample]
        train, time = (sample * trains.shape[1] + neuron)[valid], time[valid]
        found = time.diff()[train.diff() == 0]
        self.counts += torch.bincount(found - 1, minlength=len(self.counts))

    def compute(self) -> dict[str, Tensor]:
        # On the CPU: not every device has float64.
        counts = self.counts.cpu().double()
        number = counts.sum()
        if number == 0:
            return {}
        interval = torch.arange(1, len(counts) + 1, dtype=torch.float64)
        mean = (counts * interval).sum() / number
        variance = (counts * (interval - mean).square()).sum() / number
        return {"isi_mean": mean, "isi_cv": variance.sqrt() / mean}
