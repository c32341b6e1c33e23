"""A hyperbolic tangent cut off where it is scaled to run from 0 to 1."""

import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate
from surrolab.surrogates.tanh import sech_squared


class Dspike(Surrogate):
    """``h(x) = b sech(b x)^2 / (2 tanh(b/2))`` for ``|x| <= 1/2``, else 0: area 1.

    The slope ``b`` changes the shape and not the support: from a rectangle of width 1 (small
    ``b``) to a peak of height ``b/2``. So the shape as a function of ``u = b x`` ends at
    ``b/2``.

    Li et al. 2021 (NeurIPS 34, "Differentiable Spike"), who choose ``b`` again in every epoch.
    They name no default; ``b = 3`` is chosen here: a peak of 1.66, falling to 0.30 at the ends.
    """

    source = "Dspike, Li et al. 2021, NeurIPS 34"
    shape_peak = 1.0

    def __init__(self, slope: float = 3.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    @property
    def shape_area(self) -> Any:
        return 2 * _tanh(self.slope / 2)

    @property
    def shape_window(self) -> Any:
        return _at_most(self.slope / 2, math.acosh(10))

    @property
    def shape_support(self) -> Any:
        return self.slope / 2

    @property
    def shape_kinks(self) -> Any:
        return (-self.slope / 2, self.slope / 2)

    def native_height(self) -> Any:
        return self.slope / (2 * _tanh(self.slope / 2))

    def shape(self, u: Tensor) -> Tensor:
        h: Tensor = sech_squared(u) * (u.abs() <= self.slope / 2)
        return h

    def shape_integral(self, u: Tensor) -> Tensor:
        return torch.tanh(u.clamp(-self.slope / 2, self.slope / 2))


def _tanh(value: Any) -> Any:
    return value.tanh() if isinstance(value, Tensor) else math.tanh(value)


def _at_most(value: Any, bound: float) -> Any:
    return value.clamp(max=bound) if isinstance(value, Tensor) else min(value, bound)
