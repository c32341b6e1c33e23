"""Derivative of the fast sigmoid: SuperSpike."""

from torch import Tensor

from surrolab.surrogates.base import Surrogate


class FastSigmoid(Surrogate):
    """``h(x) = 1 / (k |x| + 1)^2``: peak 1, area ``2/k``. Heavy tails.

    SuperSpike, Zenke & Ganguli 2018, doi:10.1162/neco_a_01086. The default slope is snnTorch's;
    Zenke & Vogels 2021 (doi:10.1162/neco_a_01367) use 10, norse and spytorch 100. Their asymptotic
    version, with peak ``k``, is ``normalize="area", scale=2`` here.
    """

    source = "SuperSpike, Zenke & Ganguli 2018, doi:10.1162/neco_a_01086"
    shape_peak = 1.0
    shape_area = 2.0
    shape_window = 9.0
    shape_kinks = (0.0,)

    def __init__(self, slope: float = 25.0, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__(slope, scale, normalize)

    def shape(self, u: Tensor) -> Tensor:
        return 1 / (u.abs() + 1).square()

    def shape_integral(self, u: Tensor) -> Tensor:
        return u / (u.abs() + 1)
