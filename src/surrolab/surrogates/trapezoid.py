"""Piecewise linear with a flat top."""

from torch import Tensor

from surrolab.surrogates.base import Surrogate


class Trapezoid(Surrogate):
    """``h(x) = 1`` for ``|x| <= 1/(2k)``, then linear to 0 at ``|x| = 1/k``: area ``3/(2k)``.

    The piecewise-linear family of Esser et al. 2016 (doi:10.1073/pnas.1604850113) between boxcar
    and triangle. The literature names no default; ``k = 1`` gives it the triangle's support.
    """

    source = "the piecewise-linear family, Esser et al. 2016, doi:10.1073/pnas.1604850113"
    shape_peak = 1.0
    shape_area = 1.5
    shape_window = 0.995
    shape_support = 1.0
    shape_kinks = (-1.0, -0.5, 0.5, 1.0)

    def __init__(self, slope: float = 1.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        return (2 - 2 * u.abs()).clamp(0, 1)

    def shape_integral(self, u: Tensor) -> Tensor:
        v = u.clamp(-1, 1)
        beyond = v - v.clamp(-0.5, 0.5)  # on the flanks: how far off the flat top, with its sign
        return v - beyond * beyond.abs()
