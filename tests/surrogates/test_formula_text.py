"""What can be said in a formula: arithmetic, and nothing that is hostile."""

import contextlib
import math
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surrolab.expression import FUNCTIONS, LONGEST, ExpressionError, parse
from surrolab.schema import GROUPS
from surrolab.schema.keys import RefusedError
from surrolab.surrogates import (
    Formula,
)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("-x**2", -4.0),
        ("(-x)^2", 4.0),
        ("2**3**2", 512.0),
        ("2**-x", 0.25),
        ("-x*-x", 4.0),
        ("1-2-3", -4.0),
        ("8/4/2", 1.0),
        ("1+2*x**2", 9.0),
        ("+x - -x", 4.0),
        (".5e1 + 1.e-1 + 1E+2", 105.1),
        ("e**2 + pi", math.e**2 + math.pi),
        ("x < 3", 1.0),
        ("x <= 1+1", 1.0),
        ("(x > 2) + (x >= 2)", 1.0),
        ("where(x > 1, 7, 8) + where(1 > x, 7, x) + where(x - 2, 7, 8)", 17.0),
        ("min(x, 1) + min(1, x) + min(x, -x) + max(x, 3) + max(3, x) + max(-x, x)", 8.0),
        ("clip(x, 0, 1.5) + clip(-x, -1, 1) + clip(1, x, 3) + clip(5, 0, x)", 4.5),
        ("abs(-x) + sign(x) + relu(-x) + relu(x)", 5.0),
        ("sqrt(x) + log(x) + log1p(x) + exp(x)", 2**0.5 + math.log(2) + math.log(3) + math.exp(2)),
        ("sin(x) + cos(x) + atan(x)", math.sin(2) + math.cos(2) + math.atan(2)),
        ("sinh(x)+cosh(x)+tanh(x)", math.sinh(2) + math.cosh(2) + math.tanh(2)),
        ("erf(x) + sigmoid(x)", math.erf(2) + 1 / (1 + math.exp(-2))),
        ("exp(log(2)) * sqrt(9) * abs(-1) * max(0.5, 0.25)", 3.0),
        ("(" * 240 + "x" + ")" * 240, 2.0),
        ("-" * 400 + "x", 2.0),
        ("+".join("x" * 250), 500.0),
    ],
)
def test_arithmetic_is_that_of_python_at_2(formula, value):
    """Each made a formula that settles: nothing but ``x = 2`` is looked at."""
    from surrolab.surrogates.formula import _evaluate

    for shape in ((), (3,)):
        x = torch.full(shape, 2.0, dtype=torch.float64)
        found = _evaluate(formula, x)
        assert found.shape == x.shape
        assert found.dtype == x.dtype
        torch.testing.assert_close(found, torch.full_like(x, value), rtol=1e-14, atol=1e-14)


def test_every_function_has_a_meaning():
    for count, names in FUNCTIONS.items():
        for name in names:
            arguments = ", ".join(["x<1", "x", "1"][-count:])
            h = Formula(
                f"exp(-x**2)*{name}(abs({arguments.split(',')[0]})+1)"
                if count == 1
                else f"exp(-x**2)*{name}({arguments})"
            )
            assert h.derivative(torch.zeros(3)).isfinite().all()


HOSTILE = [
    "__import__('os').system('x')",
    "x.__class__",
    "().__class__.__bases__",
    "x[0]",
    "lambda: 0",
    "lambda x: x",
    "[x for x in (1,)]",
    "open('f')",
    'exec("1")',
    'eval("1")',
    "f'{x}'",
    'f"{__import__}"',
    "`id`",
    "$(id)",
    "${oc.env:HOME}",
    "x;x",
    "x\nx",
    "x\n",
    "\r",
    "x\0",
    "\0",
    "\ufeffx",
    "\uff58",  # a wide x
    "\uff11+x",  # a wide 1
    "\u0661",  # an Arabic 1
    "x\u00b2",
    "x\u2212" + "1",  # a minus that is not ASCII
    "\u212f",  # a script e
    "\U0001d465",  # a mathematical x
    "x\u200b+1",
    "\ud800",
    "9**9**9**9",
    "1e999",
    "-1e999*x",
    "(" * 10_000,
    "(" * 10_000 + "x" + ")" * 10_000,
    "abs(" * 124,
    "-" * 499,
    "x" * 1_000_000,
    "1" * 1_000_000,
    "1" * 499,
    "",
    " ",
    "\t",
    "x:=1",
    "x=1",
    "import os",
    "1 if x else 2",
    "x and x",
    "not x",
    '"a"*9',
    "'a'",
    "x,x",
    "(x,)",
    "{x}",
    "*x",
    "**x",
    "x!",
    "x==1",
    "x<1<2",
    "x//2",
    "x%2",
    "x@x",
    "~x",
    "x|1",
    "x<<1",
    "2x",
    "x x",
    "xx",
    "expx",
    "exp x",
    "exp",
    "exp()",
    "exp(x, x)",
    "min(x)",
    "where(x, 1)",
    "exp(x",
    "x)",
    "1+",
    "1_000",
    "0x10",
    "1j",
    "inf",
    "nan",
    "None",
    "True",
    "X",
    "y",
    "\\x41",
    "#",
    "x # comment",
    "@x",
    "print(x)",
    "torch.exp(x)",
    "getattr(x, 1)",
    "globals()",
    "_",
    "__builtins__",
    "x.real",
    "1..real",
    "x->x",
    "yield x",
    "del x",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:30]))
def test_nothing_but_arithmetic_can_be_said(text):
    started = time.monotonic()
    with pytest.raises(ValueError) as error:
        Formula(text)
    assert time.monotonic() - started < 1
    line = str(error.value)
    assert line.startswith("derivative: ")
    assert "; allowed: " in line
    assert len(line) < 600
    assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("x.__class__", "'x.__class__' cannot be read at character 2, '.'; allowed: numbers, x, "),
        ("1 + sech(x)", "'1 + sech(x)' cannot be read at character 5, 'sech'; allowed: "),
        ("exp(x", "'exp(x' ends too early; allowed: "),
        ("", "'' is empty; allowed: "),
        ("x" * 501, f"'{'x' * 40}...{'x' * 15}' has 501 characters; allowed: "),
        ("x+1e400", "'x+1e400' has a number too large, at character 3; allowed: "),
    ],
)
def test_the_line_says_what_is_wrong_and_where(text, start):
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert str(error.value).startswith(start)
    assert str(error.value).endswith(f"in at most {LONGEST} characters")
    # The schema says the same, before anything heavy is imported.
    with pytest.raises(RefusedError) as refused:
        GROUPS["surrogate"]["derivative"].convert(text)
    assert str(refused.value) == str(error.value)


@pytest.mark.parametrize(
    ("formula", "what"),
    [
        ("1/x", "is inf at x = 0"),
        ("log(x)", "is -inf at x = 0"),
        ("sin(x)/x", "is nan at x = 0"),
        ("sqrt(x)", "is nan at x = -0.000"),
        ("exp(x)", "is inf at x = 709.8"),
        ("exp(x)/(1+exp(x))**2", "is nan at x = 709.8"),
        ("exp(x**2)/(1+exp(x**2))**2", "is nan at x = 26.6"),
        ("x**6/(1+x**8)", "in float32"),
        ("1e60*exp(-x**2)", "is inf at x = 0 in float32"),
        ("9**9**9**9", "is inf at x = 0"),
        ("(-1)**0.5", "is nan at x = 0"),
        ("1/(x-0.3)", "near x = 0.3"),
        ("1/(x-0.3)**2", "near x = 0.3"),
        ("1/sqrt(abs(x-0.3))", "grows without bound near x = 0.3"),
        ("log(abs(x-0.3))*exp(-x**2)", "grows without bound near x = 0.3"),
        ("x", "grows without bound far from"),
        ("log(1+abs(x))", "grows without bound far from"),
        ("cos(x)", "swings or grows too fast to be integrated near x = "),
        ("cos(x)/(1+x**2)", "swings or grows too fast to be integrated near x = "),
    ],
)
def test_what_is_no_surrogate_is_refused(formula, what):
    GROUPS["surrogate"]["derivative"].convert(formula)  # well-formed
    started = time.monotonic()
    with pytest.raises(ValueError) as error:
        Formula(formula)
    assert time.monotonic() - started < 2
    line = str(error.value)
    assert line.startswith(f"derivative: {formula!r} ")
    assert what in line
    assert "; allowed: a formula that is a finite number at every x" in line


def test_only_text_is_a_formula():
    with pytest.raises(ValueError, match=r"^derivative: 1 is not allowed; allowed: text$"):
        Formula(1)
    assert GROUPS["surrogate"]["derivative"].convert(1) == "1"


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.one_of(st.text(), st.text(alphabet="x0123456789+-*/^()<>=.,eE \tabsinpolgwhrumcqtdf")))
def test_any_text_is_a_formula_or_a_value_error(text):
    with contextlib.suppress(ExpressionError):
        assert parse(text)


TOKENS = ["x", "1", ".5", "e", "pi", "+", "-", "*", "/", "**", "^", "(", ")", "<", ">=", ","]
TOKENS += [f"{name}(" for names in FUNCTIONS.values() for name in names]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))
def test_any_text_of_these_words_is_a_surrogate_or_a_value_error(text):
    try:
        surrogate = Formula(text)
    except ValueError:
        return
    x = torch.linspace(-1e4, 1e4, 101)
    assert surrogate.derivative(x).isfinite().all()
    assert surrogate.primitive(x).isfinite().all()


LEAF = st.sampled_from(["x", "1", "0.3", "2", "pi"])
FORMULAS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/<"), inner).map("({0[0]}{0[1]}{0[2]})".format),
        st.tuples(st.sampled_from(FUNCTIONS[1]), inner).map("{0[0]}({0[1]})".format),
        st.tuples(st.sampled_from(FUNCTIONS[2]), inner, inner).map("{0[0]}({0[1]},{0[2]})".format),
        st.tuples(inner, inner, inner).map("where({0[0]}<1,{0[1]},{0[2]})".format),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.one_of(FORMULAS, FORMULAS.map("({})*exp(-x**2)".format)))
def test_any_formula_is_a_surrogate_with_its_primitive_or_a_value_error(formula):
    try:
        surrogate = Formula(formula)
    except ValueError:
        return
    u = torch.linspace(-3, 3, 20_001, dtype=torch.float64)
    h = surrogate.shape(u)
    assert h.isfinite().all()
    assert h.max() <= surrogate.peak + 1e-12 * h.abs().max()
    between = surrogate.shape_integral(u[[0, -1]]).diff().item()
    # The trapezoidal rule is off by half a step's jump at worst, for each of a few jumps.
    tolerance = 3e-3 * max(1e-12, h.abs().max().item())
    assert torch.trapezoid(h, u).item() == pytest.approx(between, abs=tolerance)
