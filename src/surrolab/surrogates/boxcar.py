"""A rectangle around the threshold."""

from typing import Any

from torch import Tensor

from surrolab.surrogates.base import Surrogate, keep_nan


class Boxcar(Surrogate):
    """``h(x) = 1/a`` for ``|x| < a/2``, else 0, with ``a = 1/k``: peak ``k``, area 1.

    The straight-through estimator that cuts off. Wu et al. 2018 (STBP),
    doi:10.3389/fnins.2018.00331, with ``a = 1``.
    """

    source = "STBP, Wu et al. 2018, doi:10.3389/fnins.2018.00331"
    shape_peak = 1.0
    shape_area = 1.0
    shape_window = 0.5
    shape_support = 0.5
    shape_kinks = (-0.5, 0.5)

    def __init__(self, slope: float = 1.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def native_height(self) -> Any:
        return self.slope

    def shape(self, u: Tensor) -> Tensor:
        return keep_nan(u, (u.abs() < 0.5).to(u.dtype))

    def shape_integral(self, u: Tensor) -> Tensor:
        return u.clamp(-0.5, 0.5)
