"""A surrogate derivative from a formula of one's own."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from surrolab.expression import ExpressionError, Step, Steps, parse
from surrolab.surrogates.base import Surrogate, keep_nan
from surrolab.surrogates.measured import Antiderivative, Facts, measure

Value = Tensor | float


class Formula(Surrogate):
    """``h(x) = formula(k x)``: whatever the formula says.

    In the formula ``x`` is ``k x``, slope times membrane minus threshold, so that slope, scale and
    normalize mean what they mean everywhere. Peak, area and window are found numerically, and so is
    the antiderivative, in float64 to about 1e-12 of the area; see
    :func:`~surrolab.surrogates.measured.measure` for what it misses.

    A formula without ``x`` passes the gradient everywhere; its area is infinite. Negative values
    are allowed.

    Args:
        derivative: the formula, see :func:`surrolab.expression.parse`; the default is
            :class:`~surrolab.surrogates.FastSigmoid`.
        slope, scale, normalize: as for every surrogate; ``area`` only where it is finite.

    Raises:
        ValueError: the formula cannot be read, is not a finite number for some ``x``, or cannot be
            integrated; or a parameter is out of range.
    """

    source = "a formula of one's own; the default is SuperSpike's, doi:10.1162/neco_a_01086"

    def __init__(
        self,
        derivative: str = "1/(1+abs(x))**2",
        slope: float = 1.0,
        scale: float = 1.0,
        normalize: str = "native",
    ) -> None:
        if not isinstance(derivative, str):
            raise ValueError(f"derivative: {derivative!r} is not allowed; allowed: text")
        try:
            parse(derivative)
        except ExpressionError as error:
            raise ValueError(f"derivative: {error}") from None
        try:
            _facts(derivative)
        except ValueError as error:
            raise ValueError(
                f"derivative: {derivative!r} {error}; allowed: a formula that is a finite number "
                "at every x and does not grow (exp(-abs(x)) vanishes where exp(x) overflows)"
            ) from None
        # Not `derivative`, which is the method. A copy or a pickle takes nothing else along.
        self.formula = derivative
        super().__init__(slope, scale, normalize)

    @property
    def shape_peak(self) -> float:
        return _facts(self.formula).peak

    @property
    def shape_area(self) -> float:
        return _facts(self.formula).area

    @property
    def shape_window(self) -> float:
        return _facts(self.formula).window

    @property
    def shape_kinks(self) -> tuple[float, ...]:
        return _facts(self.formula).kinks

    @property
    def shape_not_negative(self) -> bool:
        return _facts(self.formula).not_negative

    def shape(self, u: Tensor) -> Tensor:
        return _evaluate(self.formula, u)

    def shape_integral(self, u: Tensor) -> Tensor:
        values: Tensor = _Integral.apply(u, self.formula)  # type: ignore[no-untyped-call]
        return values

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        _facts(self.formula)  # now, not while something is traced

    def _argument(self, name: str) -> Any:
        return self.formula if name == "derivative" else super()._argument(name)


class _Integral(torch.autograd.Function):
    """The antiderivative from its table; differentiated, the formula itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor, formula: str) -> Tensor:
        return _antiderivative(formula, u.device)(u)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str], output: Tensor) -> None:
        u, ctx.formula = inputs
        ctx.save_for_backward(u)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return gradient * _evaluate(ctx.formula, u), None


@functools.lru_cache(maxsize=256)
def _facts(formula: str) -> Facts:
    return measure(functools.partial(_evaluate, formula))


@functools.lru_cache(maxsize=256)
def _antiderivative(formula: str, device: torch.device) -> Antiderivative:
    return _facts(formula).antiderivative.to(device)


def _evaluate(formula: str, u: Tensor) -> Tensor:
    steps, hides_nan = _compiled(formula)
    value = _run(steps, u)
    if not isinstance(value, Tensor):
        value = torch.full_like(u, value)
    return keep_nan(u, value) if hides_nan else value


@functools.lru_cache(maxsize=256)
def _compiled(formula: str) -> tuple[Steps, bool]:
    """The steps with constants folded, and whether the value can be a number where x is not one."""
    steps = _folded(parse(formula))
    nan = torch.tensor([float("nan")])
    value = _run(steps, nan)
    return steps, not (isinstance(value, Tensor) and bool(value.isnan().all()))


def _run(steps: Steps, u: Tensor) -> Value:
    stack: list[Value] = []
    for name, number in steps:
        if name == "x":
            stack.append(u)
        elif name == "number":
            stack.append(number)
        else:
            count, compute = _OPERATIONS[name]
            arguments = stack[-count:]
            del stack[-count:]
            value = compute(*arguments)
            if isinstance(value, Tensor) and value.dtype == torch.bool:
                value = value.to(u.dtype)  # a comparison is 1 or 0
            stack.append(value)
    return stack.pop()


def _folded(steps: Steps) -> Steps:
    """The same with one number in place of every part without x, computed in float64."""
    stack: list[tuple[Step, ...]] = []
    nowhere = torch.zeros((), dtype=torch.float64)
    for step in steps:
        if step[0] in ("x", "number"):
            stack.append((step,))
            continue
        count, compute = _OPERATIONS[step[0]]
        arguments = stack[-count:]
        del stack[-count:]
        known = [len(argument) == 1 and argument[0][0] == "number" for argument in arguments]
        if step[0] == "where" and known[0]:
            stack.append(arguments[1] if arguments[0][0][1] else arguments[2])
        elif all(known):
            numbers = (torch.full_like(nowhere, argument[0][1]) for argument in arguments)
            stack.append((("number", float(compute(*numbers))),))
        else:
            stack.append((*(part for argument in arguments for part in argument), step))
    return stack.pop()


def _least(a: Value, b: Value) -> Value:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.minimum(a, b)
    if isinstance(a, Tensor):
        return a.clamp(max=b)
    return b.clamp(max=a) if isinstance(b, Tensor) else min(a, b)


def _most(a: Value, b: Value) -> Value:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    if isinstance(a, Tensor):
        return a.clamp(min=b)
    return b.clamp(min=a) if isinstance(b, Tensor) else max(a, b)


def _where(condition: Tensor, then: Value, otherwise: Value) -> Tensor:
    if not isinstance(then, Tensor):
        then = condition.new_full((), then)  # two numbers would be float32
    return torch.where(condition != 0, then, otherwise)


_OPERATIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, operator.add),
    "subtract": (2, operator.sub),
    "multiply": (2, operator.mul),
    "divide": (2, operator.truediv),
    "power": (2, operator.pow),
    "negate": (1, operator.neg),
    "less": (2, operator.lt),
    "less_equal": (2, operator.le),
    "greater": (2, operator.gt),
    "greater_equal": (2, operator.ge),
    "abs": (1, torch.abs),
    "atan": (1, torch.atan),
    "cos": (1, torch.cos),
    "cosh": (1, torch.cosh),
    "erf": (1, torch.erf),
    "exp": (1, torch.exp),
    "log": (1, torch.log),
    "log1p": (1, torch.log1p),
    "relu": (1, torch.relu),
    "sigmoid": (1, torch.sigmoid),
    "sign": (1, torch.sign),
    "sin": (1, torch.sin),
    "sinh": (1, torch.sinh),
    "sqrt": (1, torch.sqrt),
    "tanh": (1, torch.tanh),
    "max": (2, _most),
    "min": (2, _least),
    "clip": (3, lambda value, low, high: _least(_most(value, low), high)),
    "where": (3, _where),
}
