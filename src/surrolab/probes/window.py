"""How many neurons a surrogate can reach."""

import torch
from torch import Tensor
from torchmetrics import Metric


class WindowFraction(Metric):
    """Share of neuron-steps whose membrane lies in the surrogate's window.

    The window is where the surrogate's derivative is at least 1 % of its peak. Steps beyond a
    sample's length do not count.
    """

    full_state_update = False
    inside: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("inside", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, mem_TBN: Tensor, threshold: Tensor, window: float, lengths_B: Tensor | None = None
    ) -> None:
        """Count over a batch; ``window`` is the half width around the threshold.

        All steps are valid unless ``lengths_B`` says how many of each sample are.
        """
        inside_TBN = (mem_TBN - threshold).abs() <= window
        if lengths_B is not None and int(lengths_B.min()) < len(mem_TBN):
            steps_T = torch.arange(len(mem_TBN), device=mem_TBN.device)
            inside_TBN = inside_TBN[steps_T[:, None] < lengths_B]
        self.inside += inside_TBN.sum()
        self.total += inside_TBN.numel()

    def compute(self) -> Tensor:
        # On the CPU: not every device has float64.
        return self.inside.cpu().double() / self.total.cpu()
