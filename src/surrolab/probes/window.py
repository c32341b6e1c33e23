"""How many neurons a surrogate can reach."""

import torch
from torch import Tensor
from torchmetrics import Metric


class WindowFraction(Metric):
    """Share of neuron-steps whose membrane lies in the surrogate's window.

    The window is where the surrogate's derivative is at least 1 % of its peak.
    """

    full_state_update = False
    inside: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("inside", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, mem_TBN: Tensor, threshold: Tensor, window: float) -> None:
        """Count over a batch; ``window`` is the half width around the threshold."""
        self.inside += ((mem_TBN - threshold).abs() <= window).sum()
        self.total += mem_TBN.numel()

    def compute(self) -> Tensor:
        # On the CPU: not every device has float64.
        return self.inside.cpu().double() / self.total.cpu()
