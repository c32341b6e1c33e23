"""Derivative of the fast sigmoid, cut off so that few neurons get a gradient."""

import math
from typing import Any

from torch import Tensor

from surrolab.surrogates.base import Surrogate


class SparseFastSigmoid(Surrogate):
    """``h(x) = 1 / (k |x| + 1)^2`` for ``|x| < B``, else 0: peak 1.

    Perez-Nieves & Goodman 2021, arXiv:2105.08810, with ``k = 100`` and ``B = 0.2``. The area is
    ``2/k`` times ``k B / (1 + k B)``.

    Args:
        slope, scale, normalize: as for every surrogate.
        cutoff: ``B``, in units of ``x`` at every slope; above 0.

    Raises:
        ValueError: a parameter is out of range.
    """

    source = "Perez-Nieves & Goodman 2021, arXiv:2105.08810"
    shape_peak = 1.0

    def __init__(
        self,
        slope: float = 100.0,
        scale: float = 1.0,
        normalize: str = "native",
        cutoff: float = 0.2,
    ) -> None:
        if not 0 < cutoff < math.inf:
            raise ValueError(f"cutoff: {cutoff} is not allowed; allowed: a number above 0")
        self.cutoff = cutoff
        super().__init__(slope, scale, normalize)

    @property
    def shape_area(self) -> Any:
        return 2 / (1 + 1 / (self.slope * self.cutoff))

    @property
    def shape_window(self) -> Any:
        edge = self.slope * self.cutoff
        return edge.clamp(max=9.0) if isinstance(edge, Tensor) else min(edge, 9.0)

    @property
    def shape_support(self) -> Any:
        return self.slope * self.cutoff

    @property
    def shape_kinks(self) -> Any:
        edge = self.slope * self.cutoff
        return (-edge, 0.0, edge)

    def shape(self, u: Tensor) -> Tensor:
        h: Tensor = 1 / (u.abs() + 1).square() * (u.abs() < self.slope * self.cutoff)
        return h

    def shape_integral(self, u: Tensor) -> Tensor:
        edge = self.slope * self.cutoff
        v: Tensor = u.clamp(-edge, edge)
        return v / (v.abs() + 1)
