"""Noise below the threshold."""

import math

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate, keep_nan


class StochasticSpikeOperator(Surrogate):
    """``h(x) = 1`` for ``x > 0``, else ``mean`` plus uniform noise: random, no slope.

    The noise is drawn anew for every element in every call, from ``[-variance/2, variance/2)``, of
    torch's global generator (which a run seeds in every epoch). Its expectation is ``mean``, its
    variance ``variance^2/12``: the name is snnTorch's.

    No antiderivative, no finite area. The peak 1 is that of what is not random, the window is
    infinite because half of the line has that height.

    snnTorch (``SSO``), Eshraghian et al. 2023, doi:10.1109/JPROC.2023.3308088. There ``mean`` is
    multiplied by ``variance`` too; at the default of 0 that is the same.

    Args:
        scale, normalize: as for every surrogate; never ``area``.
        mean: expected native height at and below the threshold, any finite number.
        variance: width of the interval the noise is from; at least 0.

    Raises:
        ValueError: a parameter is out of range, or the normalization is ``area``.
    """

    source = "snnTorch (SSO), Eshraghian et al. 2023, doi:10.1109/JPROC.2023.3308088"
    shape_peak = 1.0
    shape_area = math.inf
    shape_window = math.inf
    shape_kinks = (0.0,)
    shape_not_negative = False
    has_primitive = False

    def __init__(
        self,
        scale: float = 1.0,
        normalize: str = "native",
        mean: float = 0.0,
        variance: float = 0.2,
    ) -> None:
        if not math.isfinite(mean):
            raise ValueError(f"mean: {mean} is not allowed; allowed: a finite number")
        if not 0 <= variance < math.inf:
            raise ValueError(
                f"variance: {variance} is not allowed; allowed: a number of at least 0"
            )
        self.mean = mean
        self.variance = variance
        super().__init__(1.0, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        below = (torch.rand_like(u) - 0.5) * self.variance + self.mean
        return keep_nan(u, torch.where(u > 0, torch.ones_like(u), below))
