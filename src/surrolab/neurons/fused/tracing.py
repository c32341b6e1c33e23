"""From a surrogate to expressions: its operations are recorded while it computes on a few numbers.

What is recorded is checked against the surrogate itself at other numbers. What cannot be recorded
(random numbers, a look at the values, anything that is not elementwise) has no expression, and the
engines call the surrogate instead.
"""

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from surrolab.neurons.fused.expression import (
    MEANING,
    Expression,
    Number,
    Operand,
    Operation,
    pruned,
)
from surrolab.surrogates import Surrogate

Function = Callable[[Tensor, Tensor, Tensor], list[Tensor]]
"""Of ``x``, slope and scale, elementwise."""


class NotPrintableError(Exception):
    """Why a function has no expression, in one line."""


# Operations of torch under the name that is printed, where the operands are the same.
_SAME = {
    **{name: name for name in ("add", "sub", "mul", "div", "neg", "abs", "sqrt", "exp", "expm1")},
    **{name: name for name in ("log", "log1p", "sin", "cos", "sinh", "cosh", "tanh", "atan")},
    **{name: name for name in ("erf", "sigmoid", "minimum", "maximum", "where", "sign")},
    **{name: name for name in ("lt", "le", "gt", "ge", "eq", "ne", "isnan")},
    "sgn": "sign",
    "logical_and": "and",
    "logical_or": "or",
    "logical_not": "not",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "bitwise_not": "not",
}
_IDENTITY = (
    *("expand", "clone", "detach", "alias", "view", "contiguous", "_unsafe_view", "reshape"),
    *("lift_fresh", "lift_fresh_copy", "view_as", "positive"),
)
_CONSTANTS = ("scalar_tensor", "full_like", "ones_like", "zeros_like", "full", "ones", "zeros")


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, inputs: dict[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self._known: dict[int, Operand] = {id(value): name for name, value in inputs.items()}
        self._alive: list[Tensor] = list(inputs.values())  # so that no id is given out again

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if not isinstance(out, Tensor):
            raise NotPrintableError(f"{name} looks at the values")
        if func._schema.is_mutable and (out is not args[0] or out._is_view()):
            raise NotPrintableError(f"{name} changes values in place")
        if func._schema.is_mutable:
            name = name.removesuffix("_")  # the tensor stands for the new values from here on
        self._known[id(out)] = self._record(name, args, kwargs, out)
        self._alive.append(out)
        return out

    def operand(self, value: Any) -> Operand:
        """A tensor or number as it is referred to."""
        if isinstance(value, bool | int | float):
            return Number(float(value))
        if id(value) in self._known:
            return self._known[id(value)]
        if isinstance(value, Tensor) and value.numel() == 1:
            return Number(float(value.detach()))
        raise NotPrintableError("a tensor of fixed size takes part")

    def _record(self, name: str, args: tuple[Any, ...], kwargs: Any, out: Tensor) -> Operand:
        if name in _CONSTANTS:
            flat = out.detach().flatten()
            return Number(float(flat[0]) if flat.numel() else 0.0)
        if name in _IDENTITY:
            return self.operand(args[0])
        if name == "_to_copy":
            given = self.operand(args[0])
            truth = isinstance(args[0], Tensor) and args[0].dtype == torch.bool
            return self._append("real", given) if truth and out.is_floating_point() else given
        if name in ("add", "sub") and kwargs.get("alpha", 1) != 1:
            scaled = self._append("mul", self.operand(args[1]), Number(float(kwargs["alpha"])))
            return self._append(name, self.operand(args[0]), scaled)
        if name == "div" and kwargs.get("rounding_mode") is not None:
            return self._append("?div with rounding")
        if name == "rsub":
            return self._append("sub", self.operand(args[1]), self.operand(args[0]))
        if name == "reciprocal":
            return self._append("div", Number(1.0), self.operand(args[0]))
        if name == "rsqrt":
            return self._append("div", Number(1.0), self._append("sqrt", self.operand(args[0])))
        if name == "square":
            return self._append("mul", self.operand(args[0]), self.operand(args[0]))
        if name == "relu":
            return self._append("maximum", self.operand(args[0]), Number(0.0))
        if name == "threshold_backward":
            over = self._append("gt", self.operand(args[1]), Number(float(args[2])))
            return self._append("where", over, self.operand(args[0]), Number(0.0))
        if name in ("tanh_backward", "sigmoid_backward"):
            gradient, value = self.operand(args[0]), self.operand(args[1])
            other = value if name == "tanh_backward" else Number(1.0)
            rest = self._append("sub", Number(1.0), self._append("mul", value, other))
            if name == "sigmoid_backward":
                rest = self._append("mul", value, rest)
            return self._append("mul", gradient, rest)
        if name in ("clamp", "clamp_min", "clamp_max"):
            return self._clamp(name, args, kwargs)
        if name == "pow":
            return self._power(args)
        if name in _SAME and len(args) <= 3:
            return self._append(_SAME[name], *map(self.operand, args))
        return self._append(f"?{name}")  # no harm where its value is not used

    def _clamp(self, name: str, args: tuple[Any, ...], kwargs: Any) -> Operand:
        low = args[1] if name != "clamp_max" and len(args) > 1 else kwargs.get("min")
        high = args[-1] if name == "clamp_max" else args[2] if len(args) > 2 else kwargs.get("max")
        value = self.operand(args[0])
        if low is not None:
            value = self._append("maximum", value, self.operand(low))
        if high is not None:
            value = self._append("minimum", value, self.operand(high))
        return value

    def _power(self, args: tuple[Any, ...]) -> Operand:
        """Small powers by multiplication, as torch computes the square."""
        base, exponent = map(self.operand, args[:2])
        known = exponent.value if isinstance(exponent, Number) else None
        if known == 2 or known == 3:
            square = self._append("mul", base, base)
            return square if known == 2 else self._append("mul", square, base)
        if known == 0.5:
            return self._append("sqrt", base)
        if known == 1:
            return base
        if known == -1:
            return self._append("div", Number(1.0), base)
        return self._append("pow", base, exponent)

    def _append(self, name: str, *operands: Operand) -> int:
        self.operations.append(Operation(name, operands))
        return len(self.operations) - 1


def record(function: Function) -> Expression:
    """The expression of a function of ``x``, ``slope`` and ``scale``.

    Raises:
        NotPrintableError: it has none.
    """
    # A random function draws, and leaves no trace of it; nor does what autograd saves here count
    # where somebody counts it, as checkpoints do: the second time nothing is recorded.
    with torch.random.fork_rng(devices=[]), saved_tensors_hooks(lambda t: t, lambda t: t):
        return _recorded(function)


def _recorded(function: Function) -> Expression:
    # In float64, whose constants are right in float32 too.
    x = torch.tensor([-0.3, 0.0, 0.2, 1.5], dtype=torch.float64)
    slope, scale = x.new_tensor(2.0), x.new_tensor(0.75)
    recorder = _Recorder({"x": x, "slope": slope, "scale": scale})
    try:
        with torch.inference_mode(False), torch.enable_grad(), recorder:
            outputs = function(x, slope, scale)
        found = pruned(recorder.operations, [recorder.operand(output) for output in outputs])
        for name, _ in found.operations:
            if name not in MEANING:
                raise NotPrintableError(f"{name.removeprefix('?')} has no printed form")
        _check(function, found)
    except NotPrintableError:
        raise
    except Exception as error:
        raise NotPrintableError(f"{type(error).__name__}: {error}") from error
    return found


def _check(function: Function, expression: Expression) -> None:
    """Compare with the function at other numbers, in another shape."""
    x = torch.cat([torch.linspace(-3, 3, 41), torch.tensor([0.0, 40.0, -40.0])]).double()
    x = x.reshape(4, 11)
    for slope, scale in ((1.3, 0.5), (11.0, 2.0)):
        inputs = {"x": x, "slope": x.new_tensor(slope), "scale": x.new_tensor(scale)}
        with torch.inference_mode(False), torch.enable_grad():
            wanted = function(x, inputs["slope"], inputs["scale"])
        for one, other in zip(wanted, expression(inputs), strict=True):
            largest = float(one.detach().nan_to_num().abs().max())
            if not torch.allclose(
                one.detach(), other, rtol=1e-4, atol=1e-5 * largest, equal_nan=True
            ):
                raise NotPrintableError("it is not one elementwise formula")


def traced(surrogate: Surrogate, what: str) -> Expression:
    """An expression of a surrogate; slope and scale are inputs, whatever they are now.

    Args:
        surrogate: its other settings become constants.
        what: ``derivative``: ``h(x)``; ``learned``: the derivatives of the primitive by slope and
            scale; ``step``: the smooth step; ``smooth``: its derivatives by x, slope and scale.

    Raises:
        NotPrintableError: there is none.
    """
    found = _traced(Settings(surrogate), what)
    if isinstance(found, NotPrintableError):
        raise NotPrintableError(str(found))
    return found


# What every module has: nothing that a derivative depends on, but ``training``.
OF_MODULES = frozenset(nn.Module().__dict__) - {"training"}


class Settings:
    """A surrogate, equal to another of the same class and settings, slope and scale aside."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate
        settings = {
            name: value
            for name, value in surrogate.__dict__.items()
            if name not in OF_MODULES and name not in ("slope", "scale")
        }
        settings["buffers"] = bool(surrogate._buffers)
        self.key: tuple[Any, ...] = (type(surrogate), *settings.items())
        try:
            self.hash = hash(self.key)
        except TypeError:  # a list, say
            self.key = (type(surrogate), repr(settings))
            self.hash = hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self.key == other.key

    def __hash__(self) -> int:
        return self.hash

    def without_parameters(self) -> Surrogate:
        """A copy of the surrogate, which takes its place here: caches keep nothing else alive."""
        if self.surrogate._parameters:
            plain = copy.copy(self.surrogate)
            plain.__dict__ |= {"_parameters": {}, "slope": 1.0, "scale": 1.0}
            self.surrogate = plain
        return self.surrogate


@functools.lru_cache(maxsize=512)
def _traced(settings: Settings, what: str) -> Expression | NotPrintableError:
    kept = settings.without_parameters()
    own = (value for name, value in kept.__dict__.items() if name not in ("slope", "scale"))
    if kept._buffers or kept._modules or any(isinstance(value, Tensor) for value in own):
        return NotPrintableError("it has tensors or modules, which may change")
    surrogate = copy.copy(kept)

    def at(slope: Tensor, scale: Tensor) -> Surrogate:
        surrogate.__dict__ |= {"slope": slope, "scale": scale}
        return surrogate

    def derivative(x: Tensor, slope: Tensor, scale: Tensor) -> list[Tensor]:
        return [at(slope, scale).derivative(x)]

    def learned(x: Tensor, slope: Tensor, scale: Tensor) -> list[Tensor]:
        inputs = _leaves(x, [slope, scale])
        return _gradients(at(*inputs).primitive(x), inputs)

    def step(x: Tensor, slope: Tensor, scale: Tensor) -> list[Tensor]:
        return [at(slope, scale).unchecked_smooth_step(x)]

    def smooth(x: Tensor, slope: Tensor, scale: Tensor) -> list[Tensor]:
        inputs = _leaves(x, [x, slope, scale])
        return _gradients(at(*inputs[1:]).unchecked_smooth_step(inputs[0]), inputs)

    if what in ("step", "smooth"):
        try:
            kept.smooth_step(torch.zeros(1))
        except ValueError as error:
            return NotPrintableError(str(error))
    functions = {"derivative": derivative, "learned": learned, "step": step, "smooth": smooth}
    try:
        return record(functions[what])
    except NotPrintableError as error:
        return error


def _leaves(x: Tensor, values: Iterable[Tensor]) -> list[Tensor]:
    """Each as large as x, so that its gradient is elementwise."""
    return [value.expand(x.shape).clone().requires_grad_() for value in values]


def _gradients(value: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(value, inputs, torch.ones_like(value), allow_unused=True)
    return [
        torch.zeros_like(value) if gradient is None else gradient
        for gradient, value in zip(found, inputs, strict=True)
    ]
