"""A function of one membrane potential as a short list of operations that can be printed."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor


class Number(NamedTuple):
    """A constant."""

    value: float


Operand: TypeAlias = int | str | Number
"""An earlier operation by its place in the list, an input by its name, or a constant."""


class Operation(NamedTuple):
    """``name`` applied to its operands; the names are those of :data:`MEANING`."""

    name: str
    operands: tuple[Operand, ...]


class Expression(NamedTuple):
    """Operations in order, each used by a later one, and the ``outputs`` among them."""

    operations: tuple[Operation, ...]
    outputs: tuple[Operand, ...]

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the inputs that are used."""
        used = [o for op in self.operations for o in op.operands] + list(self.outputs)
        return frozenset(name for name in used if isinstance(name, str))

    def __call__(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs, computed by torch: what every printed form has to give."""
        values: list[Tensor] = []

        def value(operand: Operand) -> Tensor:
            if isinstance(operand, str):
                return inputs[operand]
            if isinstance(operand, Number):
                return torch.full_like(inputs["x"], operand.value)
            return values[operand]

        for name, operands in self.operations:
            values.append(MEANING[name](*map(value, operands)))
        return [value(output).to(inputs["x"].dtype) for output in self.outputs]


def pruned(operations: list[Operation], outputs: list[Operand]) -> Expression:
    """Without what no output needs, and without computing the same twice."""
    needed: set[int] = set()
    stack = [o for o in outputs if isinstance(o, int)]
    while stack:
        index = stack.pop()
        if index not in needed:
            needed.add(index)
            stack += [o for o in operations[index].operands if isinstance(o, int)]
    kept: list[Operation] = []
    known: dict[Operation, int] = {}
    place: dict[int, int] = {}
    for index in sorted(needed):
        name, operands = operations[index]
        moved = tuple(place[o] if isinstance(o, int) else o for o in operands)
        operation = Operation(name, moved)
        if operation not in known:
            known[operation] = len(kept)
            kept.append(operation)
        place[index] = known[operation]
    return Expression(tuple(kept), tuple(place[o] if isinstance(o, int) else o for o in outputs))


def _real(value: Tensor) -> Tensor:
    return value.to(torch.get_default_dtype()) if value.dtype == torch.bool else value


def _sign(value: Tensor) -> Tensor:
    return torch.where(value.isnan(), value, value.sign())


MEANING: dict[str, Callable[..., Tensor]] = {
    "add": lambda a, b: _real(a) + _real(b),
    "sub": lambda a, b: _real(a) - _real(b),
    "mul": lambda a, b: _real(a) * _real(b),
    "div": lambda a, b: _real(a) / _real(b),
    "pow": lambda a, b: _real(a) ** _real(b),
    "neg": lambda a: -_real(a),
    "abs": torch.abs,
    "sign": _sign,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sin": torch.sin,
    "cos": torch.cos,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "atan": torch.atan,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "real": _real,
    "where": lambda c, a, b: torch.where(c, _real(a), _real(b)),
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "eq": torch.eq,
    "ne": torch.ne,
    "isnan": torch.isnan,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
}

INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
"""Operations that C and Triton write alike, between their operands."""

TRUTH = ("lt", "le", "gt", "ge", "eq", "ne", "isnan", "and", "or", "not")
"""Operations whose value is true or false."""
