"""Derivative of the arctangent."""

import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class ATan(Surrogate):
    """``h(x) = (alpha/2) / (1 + (pi/2 alpha x)^2)``: peak ``alpha/2``, area 1.

    Fang et al. 2021 (ICCV), arXiv:2007.05785. The default slope ``alpha`` is that of snnTorch and
    SpikingJelly; networks that learn delays use 5.
    """

    source = "Fang et al. 2021, arXiv:2007.05785"
    shape_peak = 1.0
    shape_area = 2.0
    shape_window = 2 / math.pi * math.sqrt(99)

    def __init__(self, slope: float = 2.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def native_height(self) -> Any:
        return self.slope / 2

    def shape(self, u: Tensor) -> Tensor:
        return 1 / (1 + (math.pi / 2 * u).square())

    def shape_integral(self, u: Tensor) -> Tensor:
        return 2 / math.pi * torch.atan(math.pi / 2 * u)
