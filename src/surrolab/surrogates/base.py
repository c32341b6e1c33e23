"""What every surrogate derivative has in common."""

import inspect
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

NORMALIZATIONS = ("native", "peak", "area")

# A learned slope or scale stays above this.
LEAST = 1e-3


class Surrogate(nn.Module):
    """A hard step forward, and in the backward pass a derivative ``h`` that is not that of a step.

    ``h(x) = scale * c(slope) * shape(slope * x)``, where ``x`` is the membrane potential minus the
    threshold. Width (``slope``), height (``scale``) and shape (the class) are independent where
    ``normalize`` is ``peak``: the native formulas of sigmoid, atan and boxcar grow higher with the
    slope.

    A subclass states facts about its shape as a function of ``u = slope * x``: :meth:`shape`,
    :meth:`shape_integral`, the attributes ``shape_*`` (properties, where they depend on other
    parameters) and :meth:`native_height`. Everything else is here. Two surrogates with the same
    ``repr`` compute the same thing; ``==`` is identity, as for every module.

    ``slope`` and ``scale`` are numbers that a schedule may set at any time, or parameters after
    :meth:`learn`.

    Background: Neftci, Mostafa & Zenke 2019, doi:10.1109/MSP.2019.2931595.

    Args:
        slope: how narrow, above 0; ``k``, ``alpha`` or ``beta`` in the literature.
        scale: how high, above 0.
        normalize: ``native``: the literature's formula times ``scale``; ``peak``: the maximum of
            ``h`` is ``scale``; ``area``: the integral of ``h`` is ``scale``.

    Raises:
        ValueError: a parameter is out of range, or the shape cannot be normalized that way.
    """

    source: ClassVar[str] = ""
    """Where the formula is from: authors, year, and DOI or arXiv number."""
    has_primitive: ClassVar[bool] = True
    """Whether there is an antiderivative: none where ``h`` is random."""

    def __init__(self, slope: float, scale: float = 1.0, normalize: str = "native") -> None:
        super().__init__()
        for name, value in (("slope", slope), ("scale", scale)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: {value} is not allowed; allowed: a number above 0")
        self.slope: Any = slope
        self.scale: Any = scale
        self.normalize = normalize
        possible = [mode for mode in NORMALIZATIONS if self._can_normalize(mode)]
        if normalize not in possible:
            raise ValueError(
                f"normalize: {normalize!r} is not allowed for {type(self).__name__}; allowed: "
                f"{', '.join(possible)}"
            )

    @property
    def shape_peak(self) -> Any:
        """Maximum of the shape."""
        raise NotImplementedError

    @property
    def shape_area(self) -> Any:
        """Integral of the shape over the real line; ``inf`` where it has none."""
        raise NotImplementedError

    @property
    def shape_window(self) -> Any:
        """Half width in ``u`` of where the shape is at least 1 % of its peak."""
        raise NotImplementedError

    @property
    def shape_support(self) -> Any:
        """Half width in ``u`` of where the shape is not exactly 0; ``inf`` where it nowhere is."""
        return math.inf

    @property
    def shape_kinks(self) -> tuple[float, ...]:
        """The ``u`` at which the shape or its slope jumps: finite differences are wrong there."""
        return ()

    @property
    def shape_not_negative(self) -> bool:
        """Whether the shape is nowhere below 0, so that its integral can be a probability."""
        return True

    def shape(self, u: Tensor) -> Tensor:
        """The derivative's shape, of ``u = slope * x``."""
        raise NotImplementedError

    def shape_integral(self, u: Tensor) -> Tensor:
        """The antiderivative of the shape that runs from ``-shape_area/2`` to ``shape_area/2``.

        For a symmetric shape that is the one with the value 0 at 0; where the area is not finite,
        any antiderivative.
        """
        raise NotImplementedError

    def native_height(self) -> Any:
        """The factor ``c(slope)`` of the literature's formula; a tensor where the slope is one."""
        return 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Spikes ``1[x > 0]`` in the dtype of ``x``; backward, ``h(x)`` times what comes in.

        What is learned gets the gradient of :meth:`primitive`, of which ``h`` is the derivative by
        ``x``: the whole backward pass is that of one function.
        """
        spikes: Tensor
        if self._parameters:
            spikes = _LearnedSpike.apply(x, self, *self.parameters())  # type: ignore[no-untyped-call]
        else:
            spikes = _Spike.apply(x, self)  # type: ignore[no-untyped-call]
        return spikes

    @classmethod
    def has(cls, name: str) -> bool:
        """Whether the surrogate has the parameter, for example a ``slope``."""
        return name in inspect.signature(cls).parameters

    def learn(self, name: str, size: tuple[int, ...] = ()) -> None:
        """Make ``slope`` or ``scale`` a parameter that training moves, starting where it is.

        Its gradient is that of :meth:`primitive`, the one with the value 0 at 0:
        ``dL/dslope = sum dL/dS * d primitive(x) / dslope``. Where the area of ``h`` depends on the
        slope (``normalize=peak``, and some native formulas) that primitive moves at all distances
        from the threshold, and neurons far from it pull at the slope too; with
        ``normalize=area`` only those near it do.

        A learned slope is the same as a learned threshold where the weights are learned and no
        one else fixes the unit of the membrane: multiplying the weights into a neuron and its
        threshold by ``c`` changes no spike, and turns the slope into ``slope / c``. Learning
        threshold and slope of a neuron at once is therefore one parameter too many, up to the
        height of ``h``.

        Args:
            name: ``slope`` or ``scale``.
            size: shape of the parameter, to be broadcast over ``[B, N...]``; one number unless
                given.

        Raises:
            ValueError: the surrogate has no such parameter, or no primitive.
        """
        if name not in ("slope", "scale") or not self.has(name) or not self.has_primitive:
            why = "" if self.has_primitive else " to learn, as it has no primitive"
            raise ValueError(f"{name}: {type(self).__name__} has none{why}")
        start = getattr(self, name)
        delattr(self, name)
        value = torch.as_tensor(start, dtype=torch.float32).detach().expand(size).clone()
        self.register_parameter(name, nn.Parameter(value))

    def project(self) -> None:
        """Keep what is learned above 0."""
        for parameter in self.parameters(recurse=False):
            # Through .data: a graph of an earlier forward pass stays good for its backward.
            parameter.data.clamp_(min=LEAST)

    def derivative(self, x: Tensor) -> Tensor:
        """``h(x)``, elementwise, in the dtype of ``x``. Not a number in, not a number out.

        Half precision is computed in float32.
        """
        h: Tensor = self._height() * self.shape(self.slope * _wide(x))
        return h.to(x.dtype)

    def primitive(self, x: Tensor) -> Tensor:
        """An antiderivative of :meth:`derivative`; for symmetric ``h`` the one that is 0 at 0.

        Raises:
            ValueError: there is none, because ``h`` is random.
        """
        if not self.has_primitive:
            raise ValueError(f"primitive: {type(self).__name__} has none, it is random")
        factor = self._height() / self.slope
        values: Tensor = factor * self.shape_integral(self.slope * _wide(x))
        return values.to(x.dtype)

    def smooth_step(self, x: Tensor) -> Tensor:
        """The step smoothed: the primitive, moved and scaled to run from 0 to 1.

        Plain autograd differentiates it, to ``h(x) / area``.

        Raises:
            ValueError: the area of ``h`` is zero or not finite, so that no factor does it.
        """
        area = torch.as_tensor(self.shape_area).detach()
        if not bool(((area > 0) & area.isfinite()).all()):
            raise ValueError(
                f"smooth_step: the area of {type(self).__name__} is {float(area.min()):g}; "
                "allowed: surrogates whose area is finite and above 0"
            )
        return self.unchecked_smooth_step(x)

    def unchecked_smooth_step(self, x: Tensor) -> Tensor:
        """:meth:`smooth_step` for a surrogate that is known to have one: no look at any value."""
        values: Tensor = 0.5 + self.shape_integral(self.slope * _wide(x)) / self.shape_area
        return values.to(x.dtype)

    @property
    def peak(self) -> Any:
        """Maximum of ``h``; like ``area`` and ``window`` a tensor where slope or scale are one."""
        return self._height() * self.shape_peak

    @property
    def area(self) -> Any:
        """Integral of ``h`` over the real line; ``inf`` where it has none."""
        return self._height() / self.slope * self.shape_area

    @property
    def window(self) -> Any:
        """Half width in ``x`` of where ``|h|`` is at least 1 % of its peak."""
        return self.shape_window / self.slope

    @property
    def support(self) -> Any:
        """Half width in ``x`` of where ``h`` is not exactly 0."""
        return self.shape_support / self.slope

    def __repr__(self) -> str:
        names = inspect.signature(type(self)).parameters
        arguments = ", ".join(f"{name}={_show(self._argument(name))}" for name in names)
        return f"{type(self).__name__}({arguments})"

    def _argument(self, name: str) -> Any:
        """The value that an argument of the constructor has now."""
        return getattr(self, name)

    def _can_normalize(self, mode: str) -> bool:
        if mode == "peak":
            return bool(self.shape_peak > 0)
        if mode == "area":
            return bool(0 < self.shape_area < math.inf)
        return True

    def _height(self) -> Any:
        if self.normalize == "peak":
            return self.scale / self.shape_peak
        if self.normalize == "area":
            return self.scale * self.slope / self.shape_area
        return self.scale * self.native_height()


def keep_nan(u: Tensor, values: Tensor) -> Tensor:
    """``values``, but not a number where ``u`` is none: a constant would hide a diverged state."""
    return torch.where(u.isnan(), u, values)


def _show(value: Any) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    if value.numel() == 1:
        return f"{value.item():.6g} (learned)"
    return f"{value.mean().item():.6g} (learned, mean of {value.numel()})"


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


class _LearnedSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, surrogate: Surrogate, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return (x > 0).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        surrogate = ctx.surrogate
        wanted = [p for p in surrogate.parameters() if p.requires_grad]
        found: Iterator[Tensor] = iter(())
        if wanted:
            with torch.enable_grad():
                primitive = surrogate.primitive(x.detach())
            found = iter(torch.autograd.grad(primitive, wanted, gradient))
        learned = [next(found) if p.requires_grad else None for p in surrogate.parameters()]
        return gradient * surrogate.derivative(x), None, *learned
