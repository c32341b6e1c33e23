"""Each surrogate's derivative against finite differences, quadrature and snnTorch."""

import itertools
import math

import numpy as np
import pytest
import snntorch.surrogate
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from surrolab.surrogates import (
    ATan,
    Boxcar,
    FastSigmoid,
    NoSurrogate,
    Sigmoid,
    StraightThrough,
    Trapezoid,
    Triangle,
)

SLOPED = (Sigmoid, FastSigmoid, ATan, Boxcar, Triangle, Trapezoid)
ALL = (*SLOPED, StraightThrough, NoSurrogate)
MODES = ("native", "peak", "area")
SLOPES = (0.5, 4.0, 25.0)
SCALES = (1.0, 0.3)

# The formulas of the literature, once more and in numpy: k slope, x membrane minus threshold.
LITERATURE = {
    Sigmoid: lambda k, x: k * np.exp(-k * np.abs(x)) / (1 + np.exp(-k * np.abs(x))) ** 2,
    FastSigmoid: lambda k, x: 1 / (k * np.abs(x) + 1) ** 2,
    ATan: lambda k, x: k / 2 / (1 + (np.pi / 2 * k * x) ** 2),
    Boxcar: lambda k, x: k * (np.abs(x) < 1 / k / 2),
    Triangle: lambda k, x: np.maximum(0, 1 - k * np.abs(x)),
    Trapezoid: lambda k, x: np.where(
        np.abs(x) <= 0.5 / k, 1, np.maximum(0, (1 / k - np.abs(x)) / (0.5 / k))
    ),
}


EVERY_SETTING = [
    *(cls(*rest) for cls, *rest in itertools.product(SLOPED, SLOPES, SCALES, MODES)),
    *(StraightThrough(*rest) for rest in itertools.product(SCALES, ("native", "peak"))),
    NoSurrogate(),
]


def away_from_kinks(surrogate, x, margin):
    for kink in surrogate.shape_kinks:
        x = x[(surrogate.slope * x - kink).abs() > margin]
    return x


@pytest.mark.parametrize("surrogate", EVERY_SETTING, ids=repr)
def test_derivative_is_the_finite_difference_of_the_primitive(surrogate):
    step = 1e-6
    u = torch.linspace(-6, 6, 2001, dtype=torch.float64)
    x = away_from_kinks(surrogate, u / surrogate.slope, 1e-3)
    step = step / surrogate.slope
    difference = (surrogate.primitive(x + step) - surrogate.primitive(x - step)) / (2 * step)
    tolerance = 1e-8 * max(surrogate.peak, 1e-3)
    torch.testing.assert_close(surrogate.derivative(x), difference, rtol=1e-7, atol=tolerance)


@pytest.mark.parametrize("surrogate", EVERY_SETTING, ids=repr)
def test_peak_and_window(surrogate):
    if isinstance(surrogate, StraightThrough | NoSurrogate):
        h = surrogate.derivative(torch.linspace(-1e3, 1e3, 100))
        assert (h == surrogate.peak).all()
        assert surrogate.window == (math.inf if surrogate.peak else 0)
        return
    x = torch.linspace(-10, 10, 20_001, dtype=torch.float64) / surrogate.slope
    h = surrogate.derivative(x)
    assert h.max().item() == pytest.approx(surrogate.peak, rel=1e-9)
    # A step of this grid is 1e-3 in units of 1/slope, and a boxcar ends in a jump.
    inside = x[h >= 0.01 * surrogate.peak]
    assert inside.max().item() == pytest.approx(surrogate.window, abs=1.01e-3 / surrogate.slope)
    assert inside.min().item() == pytest.approx(-surrogate.window, abs=1.01e-3 / surrogate.slope)


@pytest.mark.parametrize("cls", SLOPED)
@pytest.mark.parametrize("mode", MODES)
def test_area_is_the_integral(cls, mode):
    surrogate = cls(4.0, 0.3, mode)

    def h(x):
        return float(surrogate.derivative(torch.tensor(x, dtype=torch.float64)))

    edges = sorted({0.0, *(kink / 4.0 for kink in surrogate.shape_kinks if kink >= 0), 2.0})
    half = sum(integrate.quad(h, low, high)[0] for low, high in itertools.pairwise(edges))
    half += integrate.quad(h, 2.0, math.inf)[0]
    assert 2 * half == pytest.approx(surrogate.area, rel=1e-6)


@pytest.mark.parametrize("cls", SLOPED)
@pytest.mark.parametrize("slope", SLOPES)
def test_normalization(cls, slope):
    x = torch.linspace(-3, 3, 301, dtype=torch.float64) / slope
    native = cls(slope, 0.3).derivative(x)
    np.testing.assert_allclose(native, 0.3 * LITERATURE[cls](slope, x.numpy()), atol=1e-12)
    peak, area = cls(slope, 0.3, "peak"), cls(slope, 0.3, "area")
    assert peak.peak == pytest.approx(0.3)
    assert area.area == pytest.approx(0.3)
    for other in (peak, area):  # only the height differs
        torch.testing.assert_close(other.derivative(x) / other.peak, native / native.max())


@pytest.mark.parametrize(
    ("cls", "peak", "area"),
    [
        (Sigmoid, 25 / 4, 1),
        (FastSigmoid, 1, 2 / 25),
        (ATan, 1, 1),
        (Boxcar, 1, 1),
        (Triangle, 1, 1),
        (Trapezoid, 1, 1.5),
        (StraightThrough, 1, math.inf),
        (NoSurrogate, 0, 0),
    ],
)
def test_published_peak_and_area_at_the_defaults(cls, peak, area):
    assert cls().peak == pytest.approx(peak)
    assert cls().area == pytest.approx(area)


@pytest.mark.parametrize("surrogate", EVERY_SETTING, ids=repr)
def test_smooth_step_runs_from_0_to_1_and_autograd_gives_the_derivative(surrogate):
    if isinstance(surrogate, StraightThrough | NoSurrogate):
        with pytest.raises(ValueError, match=r"^smooth_step: the area of .*(inf|0); allowed: "):
            surrogate.smooth_step(torch.zeros(1))
        return
    ends = torch.tensor([-1e12, 0.0, 1e12], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(surrogate.smooth_step(ends), expected, rtol=0, atol=1e-9)
    x = torch.linspace(-6, 6, 1001, dtype=torch.float64) / surrogate.slope
    x = away_from_kinks(surrogate, x, 1e-3).requires_grad_()
    step = surrogate.smooth_step(x)
    assert (step.diff() >= 0).all()
    (gradient,) = torch.autograd.grad(step.sum(), x)
    torch.testing.assert_close(gradient, surrogate.derivative(x.detach()) / surrogate.area)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("slope", [1e-3, 1.0, 1000.0])
def test_finite_and_of_the_same_dtype(cls, dtype, slope):
    surrogate = cls(slope) if cls in SLOPED else cls()
    x = torch.cat([torch.linspace(-1e4, 1e4, 999), torch.linspace(-0.1, 0.1, 999)]).to(dtype)
    methods = [surrogate.derivative, surrogate.primitive, surrogate]
    methods += [surrogate.smooth_step] if cls in SLOPED else []
    for method in methods:
        result = method(x)
        assert result.dtype == dtype
        assert result.isfinite().all()
    # Half precision is computed in float32 and rounded once.
    wide = x.float() if dtype.itemsize == 2 else x
    assert torch.equal(surrogate.derivative(x), surrogate.derivative(wide).to(dtype))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    cls=st.sampled_from(SLOPED),
    slope=st.floats(1e-3, 1e3),
    scale=st.floats(1e-3, 1e3),
    mode=st.sampled_from(MODES),
    x=st.floats(-1e4, 1e4),
)
def test_symmetric_not_negative_and_at_most_the_peak(cls, slope, scale, mode, x):
    surrogate = cls(slope, scale, mode)
    x = torch.tensor([x, -x], dtype=torch.float64)
    right, left = surrogate.derivative(x)
    assert right == left
    assert 0 <= right <= surrogate.peak * (1 + 1e-12)
    primitive = surrogate.primitive(x)
    assert primitive[0] == -primitive[1]


@pytest.mark.parametrize("cls", SLOPED)
def test_float32_keeps_its_precision_in_both_tails(cls):
    x = torch.linspace(-3, 3, 601)
    narrow, wide = cls().derivative(x).double(), cls().derivative(x.double())
    away = away_from_kinks(cls(), x, 0.02 * cls().slope)
    assert len(away) > 500
    kept = torch.isin(x, away)
    torch.testing.assert_close(narrow[kept], wide[kept], rtol=1e-4, atol=0)


@pytest.mark.parametrize("cls", ALL)
def test_not_a_number_does_not_vanish(cls):
    x = torch.tensor([math.nan, 0.25])
    for method in (cls().derivative, cls().primitive):
        assert method(x).isnan().tolist() == [True, False]
    x.requires_grad_()
    cls()(x).sum().backward()
    assert x.grad.isnan().tolist() == [True, False]


@pytest.mark.parametrize("cls", ALL)
def test_infinite_membranes_have_a_derivative(cls):
    h = cls().derivative(torch.tensor([-math.inf, math.inf]))
    assert h.tolist() == ([1.0, 1.0] if cls is StraightThrough else [0.0, 0.0])


@pytest.mark.parametrize(
    ("ours", "theirs", "reach"),
    [
        (ATan(3.0), snntorch.surrogate.atan(3.0), 100.0),
        (FastSigmoid(30.0), snntorch.surrogate.fast_sigmoid(30.0), 100.0),
        (Sigmoid(25.0), snntorch.surrogate.sigmoid(25.0), 1.5),
        (StraightThrough(), snntorch.surrogate.straight_through_estimator(), 100.0),
    ],
    ids=["atan", "fast_sigmoid", "sigmoid", "straight_through"],
)
def test_equals_snntorch_where_that_is_right(ours, theirs, reach):
    x = torch.linspace(-reach, reach, 4001)
    weights = torch.randn(4001, generator=torch.Generator().manual_seed(0))
    results = []
    for surrogate in (ours, theirs):
        leaf = x.clone().requires_grad_()
        spikes = surrogate(leaf)
        (spikes * weights).sum().backward()
        results.append((spikes.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    # Relative to the largest gradient, as 1 - s loses its digits in snnTorch's tails.
    error = (results[0][1] - results[1][1]).abs().max() / results[1][1].abs().max()
    assert error < 1e-6


def test_snntorch_sigmoid_overflows_where_ours_does_not():
    """If the first half fails, snnTorch was mended."""
    x = torch.tensor([-4.0, -100.0], requires_grad=True)
    snntorch.surrogate.sigmoid(25)(x).sum().backward()
    assert x.grad.isnan().any()
    x.grad = None
    Sigmoid(25.0)(x).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad[0].item() == pytest.approx(25 * math.exp(-100), rel=1e-5)
