"""A normal density between two wide negative ones."""

import functools
import math
from typing import Any

import torch
from torch import Tensor

from surrolab.surrogates.base import Surrogate

# One sigma, in units of u = x / (sqrt(2) sigma).
SIGMA = math.sqrt(0.5)


class MultiGaussian(Surrogate):
    """``h(x) = (1 + h) N(0, sigma) - h N(sigma, s sigma) - h N(-sigma, s sigma)``: area ``1 - h``.

    ``N(mean, deviation)`` is the normal density at ``x`` and ``sigma = 1/(sqrt(2) slope)``. Far
    from the threshold the gradient is negative.

    Yin, Corradi & Bohte 2021, doi:10.1038/s42256-021-00397-w; the defaults are theirs, with
    ``sigma = 0.5`` and their ``gamma`` as ``scale``.

    Args:
        slope, scale, normalize: as for every surrogate.
        height: ``h``, the weight of each negative lobe, at least 0 and below 1.
        spread: ``s``, how many times wider than the middle a lobe is, at least 1.

    Raises:
        ValueError: a parameter is out of range.
    """

    source = "Yin et al. 2021, doi:10.1038/s42256-021-00397-w"
    shape_not_negative = False

    def __init__(
        self,
        slope: float = math.sqrt(2),
        scale: float = 0.5,
        normalize: str = "native",
        height: float = 0.15,
        spread: float = 6.0,
    ) -> None:
        if not 0 <= height < 1:
            raise ValueError(
                f"height: {height} is not allowed; allowed: a number of at least 0 and below 1"
            )
        if not 1 <= spread < math.inf:
            raise ValueError(f"spread: {spread} is not allowed; allowed: a number of at least 1")
        self.height = height
        self.spread = spread
        super().__init__(slope, scale, normalize)

    @property
    def shape_peak(self) -> float:
        # At 0: within the bounds on height and spread nothing is higher.
        lobe = math.exp(-((SIGMA / self.spread) ** 2)) / self.spread
        return 1 + self.height - 2 * self.height * lobe

    @property
    def shape_area(self) -> float:
        return math.sqrt(math.pi) * (1 - self.height)

    @property
    def shape_window(self) -> float:
        return _window(self.height, self.spread)

    def native_height(self) -> Any:
        return self.slope / math.sqrt(math.pi)

    def shape(self, u: Tensor) -> Tensor:
        lobes = torch.exp(-((u - SIGMA) / self.spread).square()) + torch.exp(
            -((u + SIGMA) / self.spread).square()
        )
        return (1 + self.height) * torch.exp(-u.square()) - self.height / self.spread * lobes

    def shape_integral(self, u: Tensor) -> Tensor:
        lobes = torch.erf((u - SIGMA) / self.spread) + torch.erf((u + SIGMA) / self.spread)
        return math.sqrt(math.pi) / 2 * ((1 + self.height) * torch.erf(u) - self.height * lobes)


@functools.cache
def _window(height: float, spread: float) -> float:
    """The outermost ``u`` where the shape's absolute value is 1 % of its peak."""
    surrogate = MultiGaussian(height=height, spread=spread)
    level = 0.01 * surrogate.shape_peak
    # Beyond `end` the middle and both lobes together are below the level.
    lobes = 2 * height / spread / (level / 2)
    end = max(3.0, SIGMA + spread * math.sqrt(math.log(max(lobes, 1.0))))
    low, high, points = 0.0, end, 64 * math.ceil(end) + 1
    while high - low > 1e-14 * end:
        u = torch.linspace(low, high, points, dtype=torch.float64)
        last = int((surrogate.shape(u).abs() >= level).nonzero().max())
        if last == points - 1:  # rounding: the crossing is at the end itself
            break
        low, high, points = float(u[last]), float(u[last + 1]), 65
    return low
