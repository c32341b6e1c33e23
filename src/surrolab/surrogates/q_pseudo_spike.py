"""Tails of a chosen fatness."""

import math

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class QPseudoSpike(Surrogate):
    """``h(x) = (1 + 2 k |x| / (tail - 1))^(-tail)``: peak 1, area ``1/k``.

    Herranz-Celotti & Rouat 2022, arXiv:2202.00282, with ``k = 1``; their ``alpha`` is ``tail``. At
    ``tail = 2`` it is :class:`~surrolab.surrogates.FastSigmoid` with twice the slope, as ``tail``
    grows it becomes ``exp(-2 k |x|)``.

    Args:
        slope, scale, normalize: as for every surrogate.
        tail: the power with which the tails fall, above 1: the smaller the fatter.

    Raises:
        ValueError: a parameter is out of range.
    """

    source = "Herranz-Celotti & Rouat 2022, arXiv:2202.00282"
    shape_peak = 1.0
    shape_area = 1.0
    shape_kinks = (0.0,)

    def __init__(
        self,
        slope: float = 1.0,
        scale: float = 1.0,
        normalize: str = "native",
        tail: float = 2.0,
    ) -> None:
        if not 1 < tail < math.inf:
            raise ValueError(f"tail: {tail} is not allowed; allowed: a number above 1")
        self.tail = tail
        super().__init__(slope, scale, normalize)

    @property
    def shape_window(self) -> float:
        return (self.tail - 1) / 2 * math.expm1(math.log(100) / self.tail)

    def shape(self, u: Tensor) -> Tensor:
        # Through log1p, as 1 + ... raised to a high power would keep few digits.
        return torch.exp(-self.tail * torch.log1p(2 / (self.tail - 1) * u.abs()))

    def shape_integral(self, u: Tensor) -> Tensor:
        # Not sign(u) times a function of |u|: autograd would give that a derivative of 0 at 0.
        return torch.where(u > 0, self._half(u.clamp(min=0)), -self._half(-u.clamp(max=0)))

    def _half(self, u: Tensor) -> Tensor:
        return -0.5 * torch.expm1((1 - self.tail) * torch.log1p(2 / (self.tail - 1) * u))
