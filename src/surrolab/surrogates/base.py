"""What every surrogate derivative has in common."""

import inspect
import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

NORMALIZATIONS = ("native", "peak", "area")


class Surrogate(nn.Module):
    """A hard step forward, and in the backward pass a derivative ``h`` that is not that of a step.

    ``h(x) = scale * c(slope) * shape(slope * x)``, where ``x`` is the membrane potential minus the
    threshold. Width (``slope``), height (``scale``) and shape (the class) are independent where
    ``normalize`` is ``peak``: the native formulas of sigmoid, atan and boxcar grow higher with the
    slope.

    A subclass states facts about its shape as a function of ``u = slope * x``: :meth:`shape`,
    :meth:`shape_integral`, the attributes ``shape_*`` and :meth:`native_height`. Everything else
    is here. Two surrogates with the same ``repr`` compute the same thing; ``==`` is identity, as
    for every module.

    Background: Neftci, Mostafa & Zenke 2019, doi:10.1109/MSP.2019.2931595.

    Args:
        slope: how narrow, above 0; ``k``, ``alpha`` or ``beta`` in the literature.
        scale: how high, above 0.
        normalize: ``native``: the literature's formula times ``scale``; ``peak``: the maximum of
            ``h`` is ``scale``; ``area``: the integral of ``h`` is ``scale``.

    Raises:
        ValueError: a parameter is out of range, or the shape cannot be normalized that way.
    """

    shape_peak: float
    """Maximum of the shape."""
    shape_area: float
    """Integral of the shape over the real line; ``inf`` where it has none."""
    shape_window: float
    """Half width in ``u`` of where the shape is at least 1 % of its peak."""
    shape_kinks: ClassVar[tuple[float, ...]] = ()
    """The ``u`` at which the shape or its slope jumps: finite differences are wrong there."""

    def __init__(self, slope: float, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__()
        for name, value in (("slope", slope), ("scale", scale)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: {value} is not allowed; allowed: a number above 0")
        self.slope = slope
        self.scale = scale
        self.normalize = normalize
        possible = [mode for mode in NORMALIZATIONS if self._can_normalize(mode)]
        if normalize not in possible:
            raise ValueError(
                f"normalize: {normalize!r} is not allowed for {type(self).__name__}; allowed: "
                f"{', '.join(possible)}"
            )

    def shape(self, u: Tensor) -> Tensor:
        """The derivative's shape, of ``u = slope * x``."""
        raise NotImplementedError

    def shape_integral(self, u: Tensor) -> Tensor:
        """The antiderivative of the shape that runs from ``-shape_area/2`` to ``shape_area/2``.

        For a symmetric shape that is the one with the value 0 at 0; where the area is not finite,
        any antiderivative.
        """
        raise NotImplementedError

    def native_height(self) -> float:
        """The factor ``c(slope)`` of the literature's formula."""
        return 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Spikes ``1[x > 0]`` in the dtype of ``x``; backward, ``h(x)`` times what comes in."""
        spikes: Tensor = _Spike.apply(x, self)  # type: ignore[no-untyped-call]
        return spikes

    def derivative(self, x: Tensor) -> Tensor:
        """``h(x)``, elementwise, in the dtype of ``x``. Not a number in, not a number out.

        Half precision is computed in float32.
        """
        return (self._height() * self.shape(self.slope * _wide(x))).to(x.dtype)

    def primitive(self, x: Tensor) -> Tensor:
        """An antiderivative of :meth:`derivative`; for symmetric ``h`` the one that is 0 at 0."""
        factor = self._height() / self.slope
        return (factor * self.shape_integral(self.slope * _wide(x))).to(x.dtype)

    def smooth_step(self, x: Tensor) -> Tensor:
        """The step smoothed: the primitive, moved and scaled to run from 0 to 1.

        Plain autograd differentiates it, to ``h(x) / area``.

        Raises:
            ValueError: the area of ``h`` is zero or not finite, so that no factor does it.
        """
        if not 0 < self.shape_area < math.inf:
            raise ValueError(
                f"smooth_step: the area of {type(self).__name__} is {self.shape_area:g}; allowed: "
                "surrogates whose area is finite and above 0"
            )
        return (0.5 + self.shape_integral(self.slope * _wide(x)) / self.shape_area).to(x.dtype)

    @property
    def peak(self) -> float:
        """Maximum of ``h``."""
        return self._height() * self.shape_peak

    @property
    def area(self) -> float:
        """Integral of ``h`` over the real line; ``inf`` where it has none."""
        return self._height() / self.slope * self.shape_area

    @property
    def window(self) -> float:
        """Half width in ``x`` of where ``h`` is at least 1 % of its peak."""
        return self.shape_window / self.slope

    def __repr__(self) -> str:
        names = inspect.signature(type(self)).parameters
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({arguments})"

    def _can_normalize(self, mode: str) -> bool:
        if mode == "peak":
            return self.shape_peak > 0
        if mode == "area":
            return 0 < self.shape_area < math.inf
        return True

    def _height(self) -> float:
        if self.normalize == "peak":
            return self.scale / self.shape_peak
        if self.normalize == "area":
            return self.scale * self.slope / self.shape_area
        return self.scale * self.native_height()


def keep_nan(u: Tensor, values: Tensor) -> Tensor:
    """``values``, but not a number where ``u`` is none: a constant would hide a diverged state."""
    return torch.where(u.isnan(), u, values)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class _Spike(torch.autograd.Function):
    # `forward` takes `ctx`: with a separate `setup_context`, which torch.func would need, a call
    # costs three times as much, and there is one in every time step.
    @staticmethod
    def forward(ctx: Any, x: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return (x > 0).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient * ctx.surrogate.derivative(x), None
