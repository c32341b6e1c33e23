"""How much the neurons of a layer spike."""

import torch
from torch import Tensor
from torchmetrics import Metric

from surrolab.models import count_spikes

SATURATED = 0.95


class SpikeStatistics(Metric):
    """Firing rate and silent and saturated neurons of one layer over a whole pass.

    ``compute`` gives ``rate`` (spikes per neuron and step), ``silent_fraction`` (neurons without a
    spike in any sample of the pass) and ``saturated_fraction`` (neurons with a spike in at least
    95 % of the steps). Counts are summed over batches and ranks. ``batch_count`` is that of the
    last batch alone, int64 of the layer's shape, for others that need it too.

    Args:
        shape: shape of the layer, without time and batch.
    """

    full_state_update = False
    count: Tensor
    steps: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.add_state("count", torch.zeros(shape, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("steps", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.batch_count = torch.zeros(shape, dtype=torch.int64)

    def update(self, spikes: Tensor, lengths_B: Tensor, counted: bool = False) -> None:
        """Count the spikes of a batch; steps beyond a sample's length do not count.

        ``spikes`` are ``spk_TBN``, or where they are ``counted`` already, those of each neuron in
        the valid steps, ``[N...]``.
        """
        total = int(lengths_B.sum())
        count_N = spikes.detach() if counted else count_spikes(spikes.detach(), lengths_B)
        self.batch_count = count_N.long()
        # In place: to set a state is slow.
        self.count.add_(self.batch_count)
        self.steps.add_(total)

    def compute(self) -> dict[str, Tensor]:
        # On the CPU: not every device has float64.
        count = self.count.cpu().double()
        rate_N = count / self.steps.cpu()
        return {
            "rate": rate_N.mean(),
            "silent_fraction": (count == 0).double().mean(),
            "saturated_fraction": (rate_N >= SATURATED).double().mean(),
        }
