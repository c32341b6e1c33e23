"""A rectangle around the threshold, and a little everywhere else."""

import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate, keep_nan


class PiecewiseLeaky(Surrogate):
    """``h(x) = 1/w`` for ``|x| < w/2``, else ``c``, with ``w = 1/k``: no finite area.

    SpikingJelly (``PiecewiseLeakyReLU``), Fang et al. 2023, doi:10.1126/sciadv.adi1480. Here ``w``
    is the whole width, as for :class:`~surrolab.surrogates.Boxcar`; SpikingJelly's ``w`` is half
    of it (``1/(2w)`` within ``|x| < w``; its older releases had ``1/w`` there), so that its
    ``w = 1`` is slope 0.5.

    The window is infinite as soon as ``c`` is 1 % of the peak, as it is at the defaults.

    Args:
        slope, scale, normalize: as for every surrogate; ``area`` only without a leak.
        leak: ``c``, the native height outside at every slope; at least 0.

    Raises:
        ValueError: a parameter is out of range, or ``area`` is to be that of a leak.
    """

    source = "SpikingJelly (PiecewiseLeakyReLU), Fang et al. 2023, doi:10.1126/sciadv.adi1480"
    shape_kinks = (-0.5, 0.5)

    def __init__(
        self,
        slope: float = 1.0,
        scale: float = 1.0,
        normalize: str = "native",
        leak: float = 0.01,
    ) -> None:
        if not 0 <= leak < math.inf:
            raise ValueError(f"leak: {leak} is not allowed; allowed: a number of at least 0")
        self.leak = leak
        super().__init__(slope, scale, normalize)

    @property
    def shape_peak(self) -> Any:
        outside = self._outside
        return outside.clamp(min=1) if isinstance(outside, Tensor) else max(outside, 1.0)

    @property
    def shape_area(self) -> float:
        return math.inf if self.leak else 1.0

    @property
    def shape_window(self) -> Any:
        outside = self._outside
        if isinstance(outside, Tensor):
            return torch.where(outside >= 0.01, math.inf, 0.5)
        return math.inf if outside >= 0.01 else 0.5

    @property
    def _outside(self) -> Any:
        """Height outside, where that inside is 1."""
        return self.leak / self.slope

    def native_height(self) -> Any:
        return self.slope

    def shape(self, u: Tensor) -> Tensor:
        inside = (u.abs() < 0.5).to(u.dtype)
        return keep_nan(u, inside + (1 - inside) * self._outside)

    def shape_integral(self, u: Tensor) -> Tensor:
        v = u.clamp(-0.5, 0.5)
        values: Tensor = v + (u - v) * self._outside
        return values
