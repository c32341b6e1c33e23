"""The normal density: derivative of the error function."""

import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Gaussian(Surrogate):
    """``h(x) = k/sqrt(pi) exp(-(k x)^2)``: peak ``k/sqrt(pi)``, area 1.

    The normal density with standard deviation ``sigma = 1/(sqrt(2) k)``. SpikingJelly (``Erf``,
    with the default slope taken here; Fang et al. 2023, doi:10.1126/sciadv.adi1480) and sinabs
    (``Gaussian``, with ``sigma = 0.5``, that is slope ``sqrt(2)``).
    """

    source = "SpikingJelly (Erf), Fang et al. 2023, doi:10.1126/sciadv.adi1480; sinabs"
    shape_peak = 1.0
    shape_area = math.sqrt(math.pi)
    shape_window = math.sqrt(math.log(100))

    def __init__(self, slope: float = 2.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def native_height(self) -> Any:
        return self.slope / math.sqrt(math.pi)

    def shape(self, u: Tensor) -> Tensor:
        return torch.exp(-u.square())

    def shape_integral(self, u: Tensor) -> Tensor:
        return math.sqrt(math.pi) / 2 * torch.erf(u)
