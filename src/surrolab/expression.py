"""Formulas in one variable ``x``, read from text: nothing but arithmetic can be said.

The text never becomes Python. A grammar knows numbers, ``x`` and a fixed list of functions; there
is no rule for a name, an attribute, an index, a string or an assignment. Whoever computes with a
formula (:mod:`surrolab.surrogates.formula`) walks through its steps.

Nothing here imports more than Lark, and that only once there is a formula to read.
"""

import functools
import math
import re
from typing import Any

LONGEST = 500

# How many arguments each function takes.
FUNCTIONS = {
    1: (
        *("abs", "atan", "cos", "cosh", "erf", "exp", "log", "log1p", "relu", "sigmoid", "sign"),
        *("sin", "sinh", "sqrt", "tanh"),
    ),
    2: ("max", "min"),
    3: ("clip", "where"),
}
CONSTANTS = {"pi": math.pi, "e": math.e}
ALLOWED = (
    "numbers, x, pi, e, + - * / **, < <= > >=, parentheses, "
    f"{', '.join(f'{name}()' for name in FUNCTIONS[1])}, min(a, b), max(a, b), clip(a, low, high), "
    f"where(a < b, then, else), in at most {LONGEST} characters"
)

# The names of tree nodes are those of the steps; a comparison takes no comparison without brackets.
_GRAMMAR = r"""
?start: comparison
?comparison: sum
    | sum "<" sum -> less
    | sum "<=" sum -> less_equal
    | sum ">" sum -> greater
    | sum ">=" sum -> greater_equal
?sum: product
    | sum "+" product -> add
    | sum "-" product -> subtract
?product: signed
    | product "*" signed -> multiply
    | product "/" signed -> divide
?signed: power
    | "-" signed -> negate
    | "+" signed
?power: atom
    | atom ("**" | "^") signed -> power
?atom: NUMBER -> number
    | CONSTANT -> constant
    | "x" -> x
    | "(" comparison ")"
    | FUNCTION1 "(" comparison ")" -> call
    | FUNCTION2 "(" comparison "," comparison ")" -> call
    | FUNCTION3 "(" comparison "," comparison "," comparison ")" -> call
NUMBER: /([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
CONSTANT: /(CONSTANTS)(?![A-Za-z0-9_])/
FUNCTION1: /(FUNCTIONS1)(?![A-Za-z0-9_])/
FUNCTION2: /(FUNCTIONS2)(?![A-Za-z0-9_])/
FUNCTION3: /(FUNCTIONS3)(?![A-Za-z0-9_])/
%ignore /[ \t]+/
"""

Step = tuple[str, float]
"""What to do and, for ``number``, which; the others have 0 there."""

Steps = tuple[Step, ...]
"""A formula in postfix order: each step takes its arguments from a stack and leaves its result."""


class ExpressionError(ValueError):
    """A text that is no formula; the message shows it, says what is wrong and what is allowed."""


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Steps:
    """The steps of a formula.

    ``**`` and ``^`` are the same, bind more than a sign before them and from the right
    (``-x**2**3`` is ``-(x**(2**3))``). A comparison is 1 where it holds and 0 elsewhere.

    Args:
        text: for example ``1/(1+abs(x))**2``.

    Raises:
        ExpressionError: it cannot be read; with the place of the mistake, counted from 1.
    """
    if len(text) > LONGEST:
        raise _error(text, f"has {len(text)} characters")
    if not text.strip():
        raise _error(text, "is empty")
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        return tuple(_parser().parse(text))
    except OverflowError as error:
        raise _error(text, str(error)) from None
    except UnexpectedInput as error:
        place = error.pos_in_stream
        if place is None or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
            raise _error(text, "ends too early") from None
        what = re.match(r"[^\W\d]\w*|.", text[place:], re.DOTALL)
        assert what is not None
        raise _error(text, f"cannot be read at character {place + 1}, {what[0]!r}") from None


@functools.cache
def _parser() -> Any:
    import lark

    class ToSteps(lark.Transformer[Any, Any]):
        """Runs while the text is read, from the inside out, so that no depth is too deep."""

        def __default__(self, data: str, children: list[list[Step]], meta: Any) -> list[Step]:
            return [*(step for child in children for step in child), (str(data), 0.0)]

        def call(self, children: list[Any]) -> list[Step]:
            name, *arguments = children
            return [*(step for argument in arguments for step in argument), (str(name), 0.0)]

        def number(self, children: list[Any]) -> list[Step]:
            value = float(children[0])
            if math.isinf(value):
                raise OverflowError(f"has a number too large, at character {children[0].column}")
            return [("number", value)]

        def constant(self, children: list[Any]) -> list[Step]:
            return [("number", CONSTANTS[str(children[0])])]

        def signed(self, children: list[list[Step]]) -> list[Step]:
            return children[0]

    grammar = _GRAMMAR.replace("CONSTANTS", "|".join(CONSTANTS))
    for count, names in FUNCTIONS.items():
        grammar = grammar.replace(f"FUNCTIONS{count}", "|".join(names))
    return lark.Lark(grammar, parser="lalr", transformer=ToSteps())


def _error(text: str, what: str) -> ExpressionError:
    shown = text if len(text) <= 60 else f"{text[:40]}...{text[-15:]}"
    return ExpressionError(f"{shown!r} {what}; allowed: {ALLOWED}")
