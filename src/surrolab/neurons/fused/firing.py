"""How a surrogate takes part in a fused pass: printed, or called on rows of membranes."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from surrolab.neurons.fused.expression import Expression, pruned
from surrolab.neurons.fused.tracing import NotPrintableError, traced
from surrolab.surrogates import Surrogate

CHUNK = 1 << 20
"""Values of ``h`` that are computed at once where the surrogate is called."""


@dataclass(frozen=True, eq=False)  # looked up by identity: a comparison would cost more
class Printed:
    """Expressions of ``x``, slope and scale; None where the surrogate has to be called.

    Args:
        step: the spike; None is the hard step.
        derivative: by ``x``.
        learned: by the surrogate's learned parameters, by name.
    """

    step: Expression | None
    derivative: Expression | None
    learned: tuple[tuple[str, Expression], ...]


NOTHING = Printed(None, None, ())


def printed(surrogate: Surrogate, smooth: bool, wanted: frozenset[str]) -> Printed:
    """What of a surrogate can be printed.

    Raises:
        NotPrintableError: the smooth step itself cannot, so that nothing is won.
    """
    names = [name for name in ("slope", "scale") if name in wanted]
    if smooth:
        step = traced(surrogate, "step")
        parts = _split(traced(surrogate, "smooth"), ("x", "slope", "scale"))
        return Printed(step, parts["x"], tuple((name, parts[name]) for name in names))
    try:
        derivative = traced(surrogate, "derivative")
        if not names:
            return Printed(None, derivative, ())
        parts = _split(traced(surrogate, "learned"), ("slope", "scale"))
        return Printed(None, derivative, tuple((name, parts[name]) for name in names))
    except NotPrintableError:
        return Printed(None, None, ())


def _split(expression: Expression, names: tuple[str, ...]) -> dict[str, Expression]:
    operations = list(expression.operations)
    return {
        name: pruned(operations, [output])
        for name, output in zip(names, expression.outputs, strict=True)
    }


class Called:
    """The surrogate itself, on some rows at a time, from the last to the first.

    Args:
        surrogate: with its parameters as they were in the forward pass.
        smooth: whether its smooth step was the spike.
        learned: parameters that want a gradient, by name.
    """

    def __init__(self, surrogate: Surrogate, smooth: bool, learned: dict[str, Tensor]) -> None:
        self._surrogate = surrogate
        self._smooth = smooth
        self._learned = learned
        self.gradients = {name: torch.zeros_like(p) for name, p in learned.items()}

    def derivative(self, x: Tensor) -> Tensor:
        """``h``, of any shape."""
        if not self._smooth:
            return self._surrogate.derivative(x)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            step = self._surrogate.smooth_step(x)
            return torch.autograd.grad(step.sum(), x)[0]

    def collect(self, x: Tensor, g_s: Tensor) -> None:
        """Add what rows with the spikes' gradient ``g_s`` contribute to what is learned."""
        if not self._learned:
            return
        with torch.enable_grad():
            own: Callable[[Tensor], Tensor] = self._surrogate.primitive
            value = (self._surrogate.smooth_step if self._smooth else own)(x.detach())
        if not value.requires_grad:  # the smooth step does not depend on the scale
            return
        found = torch.autograd.grad(value, list(self._learned.values()), g_s, allow_unused=True)
        for name, gradient in zip(self._learned, found, strict=True):
            if gradient is not None:
                self.gradients[name] += gradient


def chunks(steps: int, lanes: int) -> Iterator[tuple[int, int]]:
    """Ranges of steps, the last first, none with many more values than :data:`CHUNK`."""
    size = max(1, math.ceil(CHUNK / max(1, lanes)))
    for end in range(steps, 0, -size):
        yield max(0, end - size), end
