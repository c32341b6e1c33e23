"""Which time steps of a batch count, and reductions over them."""

import torch
from torch import Tensor


class ValidSteps:
    """The valid steps of each sample; the rest of a padded batch has no influence on anything.

    Whatever stands in the padding, values that are not finite included, is replaced and not
    multiplied away, so that it reaches neither results nor gradients. Where all samples have full
    length there is no mask and no work.

    Args:
        total: time steps of the batch.
        lengths_B: valid steps of each sample, from 1 to ``total``.
    """

    def __init__(self, total: int, lengths_B: Tensor) -> None:
        self.total = total
        self.lengths_B = lengths_B
        self.mask_TB: Tensor | None = None
        if bool((lengths_B != total).any()):
            steps_T = torch.arange(total, device=lengths_B.device)
            self.mask_TB = steps_T[:, None] < lengths_B

    def fill(self, values_TB: Tensor, value: float) -> Tensor:
        """``[T, B, ...]`` with the padding replaced by ``value``."""
        if self.mask_TB is None:
            return values_TB
        mask = self.mask_TB.view(*self.mask_TB.shape, *[1] * (values_TB.ndim - 2))
        return values_TB.masked_fill(~mask, value)

    def sum(self, values_TB: Tensor) -> Tensor:
        """Sum over each sample's own steps, ``[B, ...]``."""
        return self.fill(values_TB, 0).sum(0)

    def mean(self, values_TB: Tensor) -> Tensor:
        """Mean over each sample's own steps, ``[B, ...]``."""
        if self.mask_TB is None:
            return values_TB.mean(0)
        total_B = self.sum(values_TB)
        return total_B / self.lengths_B.view(-1, *[1] * (total_B.ndim - 1))

    def max(self, values_TB: Tensor) -> Tensor:
        """Maximum over each sample's own steps; of equals, the first gets the gradient."""
        return self.fill(values_TB, -torch.inf).max(0).values

    def last(self, values_TB: Tensor) -> Tensor:
        """Each sample's last valid step, ``[B, ...]``."""
        if self.mask_TB is None:
            return values_TB[-1]
        samples_B = torch.arange(len(self.lengths_B), device=values_TB.device)
        return values_TB[self.lengths_B - 1, samples_B]

    def mean_rate(self, spk_TBN: Tensor) -> Tensor:
        """Spikes per step of each neuron, ``[N...]``, over batch and valid steps."""
        if self.mask_TB is None:
            return spk_TBN.mean((0, 1))
        return self.sum(spk_TBN).sum(0) / self.lengths_B.sum()
