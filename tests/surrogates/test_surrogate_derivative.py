"""Each surrogate's derivative against finite differences, quadrature and the literature."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from surrogate_catalogue import (
    EVERY_SETTING,
    EXTRA,
    LITERATURE,
    MODES,
    NO_AREA,
    OTHER,
    RANDOM,
    SLOPED,
    SLOPES,
    SYMMETRIC,
    WITH_AREA,
    WITHOUT_SLOPE,
    away_from_kinks,
    modes,
)

from surrolab.surrogates import (
    ATan,
    Boxcar,
    Circular,
    Dspike,
    Exponential,
    FastSigmoid,
    Gaussian,
    LeakySpikeOperator,
    MultiGaussian,
    NoSurrogate,
    PiecewiseLeaky,
    QPseudoSpike,
    Sigmoid,
    SparseFastSigmoid,
    SpikeRateEscape,
    StochasticSpikeOperator,
    StraightThrough,
    Tanh,
    Trapezoid,
    Triangle,
)

DETERMINISTIC = [each for each in EVERY_SETTING if not isinstance(each, RANDOM)]
WITH_ALL_EXTRAS = [
    (cls, extra) for cls in SLOPED for extra in ({}, OTHER.get(cls)) if extra is not None
]


@pytest.mark.parametrize("surrogate", DETERMINISTIC, ids=repr)
def test_derivative_is_the_finite_difference_of_the_primitive(surrogate):
    step = 1e-6
    u = torch.linspace(-6, 6, 2001, dtype=torch.float64)
    x = away_from_kinks(surrogate, u / surrogate.slope, 1e-3)
    assert len(x) > 1900
    step = step / surrogate.slope
    difference = (surrogate.primitive(x + step) - surrogate.primitive(x - step)) / (2 * step)
    tolerance = 1e-8 * max(surrogate.peak, 1e-3)
    torch.testing.assert_close(surrogate.derivative(x), difference, rtol=1e-7, atol=tolerance)


@pytest.mark.parametrize("surrogate", DETERMINISTIC, ids=repr)
def test_peak_and_window(surrogate):
    x = torch.linspace(-10, 10, 20_001, dtype=torch.float64) / surrogate.slope
    h = surrogate.derivative(x)
    assert h.max().item() == pytest.approx(surrogate.peak, rel=1e-9)
    if surrogate.peak == 0:
        assert surrogate.window == 0
        return
    inside = x[h.abs() >= 0.01 * surrogate.peak * (1 - 1e-12)]
    if math.isinf(surrogate.window):
        assert inside.max() == x.max()
        return
    # A step of this grid is 1e-3 in units of 1/slope, and a boxcar ends in a jump.
    assert inside.max().item() == pytest.approx(surrogate.window, abs=1.01e-3 / surrogate.slope)
    assert inside.min().item() == pytest.approx(-surrogate.window, abs=1.01e-3 / surrogate.slope)


@pytest.mark.parametrize("height", [0.0, 1e-4, 0.15, 0.5, 0.99])
@pytest.mark.parametrize("spread", [1.0, 1.2, 2.0, 6.0, 40.0, 150.0, 1e4])
def test_peak_and_window_of_any_multi_gaussian(height, spread):
    surrogate = MultiGaussian(height=height, spread=spread)
    u = torch.linspace(0, 200, 200_001, dtype=torch.float64)
    h = surrogate.derivative(u / surrogate.slope)
    assert h.max().item() == pytest.approx(surrogate.peak, rel=1e-12)
    window = u[h.abs() >= 0.01 * surrogate.peak].max().item()
    assert surrogate.slope * surrogate.window == pytest.approx(window, abs=1.01e-3)


@pytest.mark.parametrize(
    ("cls", "extra"), [case for case in WITH_ALL_EXTRAS if case[0] in WITH_AREA]
)
@pytest.mark.parametrize("mode", MODES)
def test_area_is_the_integral(cls, extra, mode):
    surrogate = cls(4.0, 0.3, mode, **extra)

    def h(x):
        return float(surrogate.derivative(torch.tensor(x, dtype=torch.float64)))

    edges = sorted({0.0, *(kink / 4.0 for kink in surrogate.shape_kinks if kink >= 0), 2.0})
    half = sum(integrate.quad(h, low, high)[0] for low, high in itertools.pairwise(edges))
    half += integrate.quad(h, 2.0, math.inf, limit=400)[0]
    assert 2 * half == pytest.approx(surrogate.area, rel=1e-6)
    if mode == "area":
        assert surrogate.area == pytest.approx(0.3)


@pytest.mark.parametrize(("cls", "extra"), WITH_ALL_EXTRAS)
@pytest.mark.parametrize("slope", SLOPES)
def test_normalization(cls, extra, slope):
    x = torch.linspace(-3, 3, 301, dtype=torch.float64) / slope
    native = cls(slope, 0.3, **extra).derivative(x)
    expected = 0.3 * LITERATURE[cls](slope, x.numpy(), **extra)
    np.testing.assert_allclose(native, expected, atol=1e-12)
    for mode in modes(cls)[1:]:  # only the height differs
        other = cls(slope, 0.3, mode, **extra)
        assert getattr(other, mode) == pytest.approx(0.3)
        torch.testing.assert_close(other.derivative(x) / other.peak, native / native.max())


@pytest.mark.parametrize("cls", NO_AREA)
def test_an_area_that_is_not_there_is_refused(cls):
    if cls is NoSurrogate:
        assert cls().area == 0
        return
    assert cls().area == math.inf
    message = rf"^normalize: 'area' is not allowed for {cls.__name__}; allowed: native, peak$"
    with pytest.raises(ValueError, match=message):
        cls(normalize="area")


@pytest.mark.parametrize(
    ("cls", "peak", "area"),
    [
        (Sigmoid, 25 / 4, 1),
        (FastSigmoid, 1, 2 / 25),
        (ATan, 1, 1),
        (Boxcar, 1, 1),
        (Triangle, 1, 1),
        (Trapezoid, 1, 1.5),
        (Gaussian, 2 / math.sqrt(math.pi), 1),
        # The middle's density minus those of the lobes, each one deviation off; times gamma = 0.5.
        (MultiGaussian, 0.5 * (1.15 * 0.797885 - 0.3 * 0.797885 / 6 * math.exp(-1 / 72)), 0.425),
        (Exponential, 0.5, 1),
        (Tanh, 1, 2),
        (Circular, 1, 0.6),
        (QPseudoSpike, 1, 1),
        (Dspike, 1.5 / math.tanh(1.5), 1),
        (SparseFastSigmoid, 1, 0.02 * 20 / 21),
        (PiecewiseLeaky, 1, math.inf),
        (SpikeRateEscape, 1, 2),
        (StraightThrough, 1, math.inf),
        (LeakySpikeOperator, 1, math.inf),
        (StochasticSpikeOperator, 1, math.inf),
        (NoSurrogate, 0, 0),
    ],
)
def test_published_peak_and_area_at_the_defaults(cls, peak, area):
    assert cls().peak == pytest.approx(peak, rel=1e-6)
    assert cls().area == pytest.approx(area, rel=1e-6)


@pytest.mark.parametrize("cls", WITHOUT_SLOPE[1:])
def test_a_leak_below_the_threshold_and_1_above(cls):
    extra = {"variance": 0.0, "mean": 0.1} if cls is StochasticSpikeOperator else {"leak": 0.1}
    h = cls(2.0, **extra).derivative(torch.tensor([-1e4, -0.5, 0.0, 1e-3, 1e4]))
    assert h.tolist() == pytest.approx([0.2, 0.2, 0.2, 2.0, 2.0])


@pytest.mark.parametrize("surrogate", EVERY_SETTING, ids=repr)
def test_smooth_step_runs_from_0_to_1_and_autograd_gives_the_derivative(surrogate):
    if isinstance(surrogate, NO_AREA):
        with pytest.raises(ValueError, match=r"^smooth_step: the area of .*(inf|0); allowed: "):
            surrogate.smooth_step(torch.zeros(1))
        return
    # So fat is the tail of |x|^-1.4 that it needs the farthest ends.
    far = 1e30 if getattr(surrogate, "tail", 2) < 2 else 1e12
    ends = torch.tensor([-far, 0.0, far], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(surrogate.smooth_step(ends), expected, rtol=0, atol=1e-9)
    x = torch.linspace(-6, 6, 1001, dtype=torch.float64) / surrogate.slope
    kinks = 0.0 in surrogate.shape_kinks
    x = away_from_kinks(surrogate, x, 1e-3)
    x = torch.cat([x[x < 0], torch.zeros(int(kinks), dtype=x.dtype), x[x >= 0]]).requires_grad_()
    step = surrogate.smooth_step(x)
    if surrogate.shape_not_negative:
        assert (step.diff() >= 0).all()
    else:
        assert (step.diff() < 0).any()
    # At 0 too, where some shapes have a kink but their integral a derivative.
    (gradient,) = torch.autograd.grad(step.sum(), x)
    torch.testing.assert_close(gradient, surrogate.derivative(x.detach()) / surrogate.area)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    cls=st.sampled_from(SYMMETRIC),
    slope=st.floats(1e-3, 1e3),
    scale=st.floats(1e-3, 1e3),
    mode=st.sampled_from(MODES),
    x=st.floats(-1e4, 1e4),
)
def test_symmetric_not_negative_and_at_most_the_peak(cls, slope, scale, mode, x):
    surrogate = cls(slope, scale, mode if mode in modes(cls) else "native")
    x = torch.tensor([x, -x], dtype=torch.float64)
    right, left = surrogate.derivative(x)
    assert right == left
    assert right <= surrogate.peak * (1 + 1e-12)
    assert right >= 0 or not surrogate.shape_not_negative
    primitive = surrogate.primitive(x)
    assert primitive[0] == -primitive[1]


def test_only_two_have_negative_values():
    negative = {type(each) for each in EVERY_SETTING if not each.shape_not_negative}
    assert negative == {MultiGaussian, StochasticSpikeOperator}
    assert MultiGaussian().derivative(torch.tensor(2.0)) < 0


def test_the_area_of_a_dspike_stays_on_its_support():
    inside, outside = torch.tensor([-0.5, 0.5]), torch.tensor([-0.5001, 0.5001, 7.0])
    for slope in (1e-3, 1.0, 10.0, 60.0):
        assert (Dspike(slope).derivative(inside) > 0).all()
        assert (Dspike(slope).derivative(outside) == 0).all()
    # At a small slope a rectangle of width 1, whose window ends with it.
    torch.testing.assert_close(Dspike(1e-3).derivative(inside), torch.ones(2))
    assert Dspike(1e-3).window == 0.5
    assert Dspike(60.0).window == pytest.approx(math.acosh(10) / 60)


def test_limits_of_the_families():
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    same = [
        (QPseudoSpike(tail=2.0), FastSigmoid(2.0)),
        (QPseudoSpike(tail=1e9), SpikeRateEscape(2.0)),
        (SparseFastSigmoid(10.0, cutoff=1e9), FastSigmoid(10.0)),
        (PiecewiseLeaky(2.0, leak=0.0), Boxcar(2.0)),
        (PiecewiseLeaky(2.0, normalize="area", leak=0.0), Boxcar(2.0)),
        (MultiGaussian(scale=1.0, height=0.0), Gaussian(math.sqrt(2))),
        (Exponential(3.0, normalize="peak"), SpikeRateEscape(3.0)),
        (Tanh(2.0, 0.25), Sigmoid(4.0, 0.25, "peak")),
        (LeakySpikeOperator(leak=1.0), StraightThrough()),
    ]
    for one, other in same:
        torch.testing.assert_close(one.derivative(x), other.derivative(x))
        assert one.peak == pytest.approx(other.peak)
        assert one.area == pytest.approx(other.area)
        assert one.window == pytest.approx(other.window)


def test_catalogue_of_extras_is_that_of_the_constructors():
    for cls, extra in EXTRA.items():
        assert {name: getattr(cls(), name) for name in extra} == extra
    assert set(WITH_AREA) | set(NO_AREA) == {*SLOPED, *WITHOUT_SLOPE, NoSurrogate}
