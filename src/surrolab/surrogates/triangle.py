"""Piecewise linear, highest at the threshold."""

from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Triangle(Surrogate):
    """``h(x) = max(0, 1 - k |x|)``: peak 1, area ``1/k``.

    Esser et al. 2016, doi:10.1073/pnas.1604850113, with ``k = 1``. Bellec et al. 2018 (LSNN),
    arXiv:1803.09574, damp it with ``scale=0.3`` and divide ``x`` by the threshold.
    """

    source = "Esser et al. 2016, doi:10.1073/pnas.1604850113"
    shape_peak = 1.0
    shape_area = 1.0
    shape_window = 0.99
    shape_support = 1.0
    shape_kinks = (-1.0, 0.0, 1.0)

    def __init__(self, slope: float = 1.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        return (1 - u.abs()).clamp(min=0)

    def shape_integral(self, u: Tensor) -> Tensor:
        v = u.clamp(-1, 1)
        return v - 0.5 * v * v.abs()
