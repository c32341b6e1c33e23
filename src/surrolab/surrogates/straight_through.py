"""The identity's derivative."""

import math

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate, keep_nan


class StraightThrough(Surrogate):
    """``h(x) = 1`` everywhere: the gradient passes as if there were no step. It has no slope.

    Bengio, Léonard & Courville 2013, arXiv:1308.3432. The one that cuts off is
    :class:`~surrolab.surrogates.Boxcar`.
    """

    source = "Bengio et al. 2013, arXiv:1308.3432"
    shape_peak = 1.0
    shape_area = math.inf
    shape_window = math.inf

    def __init__(self, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(1.0, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        return keep_nan(u, torch.ones_like(u))

    def shape_integral(self, u: Tensor) -> Tensor:
        return u
