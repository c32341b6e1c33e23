"""The Laplace density."""

import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Exponential(Surrogate):
    """``h(x) = (alpha/2) exp(-alpha |x|)``: peak ``alpha/2``, area 1.

    SLAYER, Shrestha & Orchard 2018, arXiv:1810.08646. The slope is ``alpha``, 1 unless given;
    the gain ``c`` of SLAYER-style code is ``scale``: typical there are ``slope=5, scale=0.4``.
    SpikingJelly calls it ``PiecewiseExp``.
    """

    source = "SLAYER, Shrestha & Orchard 2018, arXiv:1810.08646"
    shape_peak = 1.0
    shape_area = 2.0
    shape_window = math.log(100)
    shape_kinks = (0.0,)

    def __init__(self, slope: float = 1.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def native_height(self) -> Any:
        return self.slope / 2

    def shape(self, u: Tensor) -> Tensor:
        return torch.exp(-u.abs())

    def shape_integral(self, u: Tensor) -> Tensor:
        # Not sign(u) times a function of |u|: autograd would give that a derivative of 0 at 0.
        right, left = u.clamp(min=0), u.clamp(max=0)
        return torch.where(u > 0, -torch.expm1(-right), torch.expm1(left))
