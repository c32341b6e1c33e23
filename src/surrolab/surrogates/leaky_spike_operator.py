"""Derivative of the leaky rectifier."""

import math

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate, keep_nan


class LeakySpikeOperator(Surrogate):
    """``h(x) = 1`` for ``x > 0``, else ``leak``: not symmetric, no finite area, no slope.

    snnTorch (``LSO``, which in release 1.0.0 raises a TypeError), Eshraghian et al. 2023,
    doi:10.1109/JPROC.2023.3308088, with ``k = 0.1`` for ``leak``.

    Args:
        scale, normalize: as for every surrogate; never ``area``.
        leak: the native height at and below the threshold; at least 0.

    Raises:
        ValueError: a parameter is out of range, or the normalization is ``area``.
    """

    source = "snnTorch (LSO), Eshraghian et al. 2023, doi:10.1109/JPROC.2023.3308088"
    shape_area = math.inf
    shape_window = math.inf
    shape_kinks = (0.0,)

    def __init__(self, scale: float = 1.0, normalize: str = "native", leak: float = 0.1) -> None:
        if not 0 <= leak < math.inf:
            raise ValueError(f"leak: {leak} is not allowed; allowed: a number of at least 0")
        self.leak = leak
        super().__init__(1.0, scale, normalize)

    @property
    def shape_peak(self) -> float:
        return max(1.0, self.leak)

    def shape(self, u: Tensor) -> Tensor:
        above = (u > 0).to(u.dtype)
        return keep_nan(u, above + (1 - above) * self.leak)

    def shape_integral(self, u: Tensor) -> Tensor:
        return torch.where(u > 0, u, self.leak * u)
