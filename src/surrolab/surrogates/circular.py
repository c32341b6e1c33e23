"""The circular distribution's density."""

import math

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Circular(Surrogate):
    """``h(x) = alpha^3 / (x^2 + alpha^2)^1.5`` with ``alpha = 1/k``: peak 1, area ``2/k``.

    norse (``circ``), Pehle & Pedersen 2021, doi:10.5281/zenodo.4422025, with ``alpha = 0.3``.
    """

    source = "norse (circ), Pehle & Pedersen 2021, doi:10.5281/zenodo.4422025"
    shape_peak = 1.0
    shape_area = 2.0
    shape_window = math.sqrt(100 ** (2 / 3) - 1)

    def __init__(
        self, slope: float = 1 / 0.3, scale: float = 1.0, normalize: str = "native"
    ) -> None:
        super().__init__(slope, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        square = 1 + u.square()
        return 1 / (square * torch.sqrt(square))

    def shape_integral(self, u: Tensor) -> Tensor:
        return u / torch.sqrt(1 + u.square())
