"""Derivative of the logistic function."""

import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Sigmoid(Surrogate):
    """``h(x) = k s (1 - s)`` with ``s = sigmoid(k x)``: peak ``k/4``, area 1.

    Zenke & Ganguli 2018, doi:10.1162/neco_a_01086. The default slope is snnTorch's; SpikingJelly
    has 4, Zenke & Vogels 2021 (doi:10.1162/neco_a_01367) 10 without the factor ``k``, which is
    ``scale=0.25, normalize="peak"`` here.
    """

    source = "Zenke & Ganguli 2018, doi:10.1162/neco_a_01086"
    shape_peak = 0.25
    shape_area = 1.0
    shape_window = 2 * math.acosh(10)  # s (1 - s) = 1 / (4 cosh(u/2)^2)

    def __init__(self, slope: float = 25.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def native_height(self) -> Any:
        return self.slope

    def shape(self, u: Tensor) -> Tensor:
        # Both factors keep their precision in the tails, and neither overflows.
        return torch.sigmoid(u) * torch.sigmoid(-u)

    def shape_integral(self, u: Tensor) -> Tensor:
        return 0.5 * torch.tanh(u / 2)
