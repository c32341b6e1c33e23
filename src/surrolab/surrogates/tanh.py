"""Derivative of the hyperbolic tangent."""

import math

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Tanh(Surrogate):
    """``h(x) = 1 - tanh(k x)^2``: peak 1, area ``2/k``.

    Woźniak et al. 2020, doi:10.1038/s42256-020-0187-0. Up to its height it is
    :class:`~surrolab.surrogates.Sigmoid` with twice the slope.
    """

    source = "Woźniak et al. 2020, doi:10.1038/s42256-020-0187-0"
    shape_peak = 1.0
    shape_area = 2.0
    shape_window = math.acosh(10)  # 1 - tanh(u)^2 = 1 / cosh(u)^2

    def __init__(self, slope: float = 1.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        return sech_squared(u)

    def shape_integral(self, u: Tensor) -> Tensor:
        return torch.tanh(u)


def sech_squared(u: Tensor) -> Tensor:
    """``1 - tanh(u)^2`` with its precision kept in the tails, and no overflow."""
    return 4 * torch.sigmoid(2 * u) * torch.sigmoid(-2 * u)
