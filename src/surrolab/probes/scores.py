"""Means over a pass that cost a training step next to nothing."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Mean(Metric):
    """Weighted mean of values over batches and ranks; a value that is no number shows.

    That of torchmetrics without what it does to find out what it was given.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, values: Tensor, weight: int = 1) -> None:
        """Take values into account, of any shape, each with the same weight."""
        # In place: to set a state is slow.
        self.total.add_(values.detach().to(self.total.dtype).sum() * weight)
        self.count.add_(weight * values.numel())

    def compute(self) -> Tensor:
        return self.total / self.count


class Accuracy(Metric):
    """Share of predictions that are right, over batches and ranks."""

    full_state_update = False
    right: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Take classes into account, of any shape."""
        self.right.add_((prediction == target).sum())
        self.count.add_(prediction.numel())

    def compute(self) -> Tensor:
        return self.right.float() / self.count


class Confusion(Metric):
    """How often each class (row) was taken for each class (column), over batches and ranks.

    ``compute`` gives int64 ``[classes, classes]``, on the CPU.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        counts = torch.zeros(classes, classes, dtype=torch.int64)
        self.add_state("counts", counts, dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Take classes into account, of any shape."""
        pairs = target.flatten() * len(self.counts) + prediction.flatten()
        # In place: to set a state is slow.
        self.counts.add_(torch.bincount(pairs, minlength=self.counts.numel()).view_as(self.counts))

    def compute(self) -> Tensor:
        return self.counts.cpu()
