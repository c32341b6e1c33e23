"""A surrogate from a formula: against the built-in ones, quadrature, and finite differences."""

import copy
import itertools
import math
import pickle
import time

import pytest
import snntorch
import torch
from scipy import integrate
from torch.fx.experimental.proxy_tensor import make_fx

import surrolab.surrogates
from surrolab.expression import parse
from surrolab.neurons import SpikingLayer
from surrolab.surrogates import (
    ATan,
    Boxcar,
    FastSigmoid,
    Formula,
    Gaussian,
    MultiGaussian,
    Sigmoid,
    StraightThrough,
    Surrogate,
    Tanh,
    Trapezoid,
    Triangle,
)

# The built-in surrogates at slope 1, their native height taken off where the slope is in it.
SAME = {
    "1/(1+abs(x))**2": FastSigmoid(1.0),
    "1/(1+(pi/2*x)^2)": ATan(1.0, 2.0),
    "exp(-x**2)": Gaussian(1.0, math.sqrt(math.pi)),
    "relu(1-abs(x))": Triangle(1.0),
    "max(0, min(1, 2 - 2*abs(x)))": Trapezoid(1.0),
    "where(abs(x)<0.5,1,0)": Boxcar(1.0),
    "sigmoid(x)*sigmoid(-x)": Sigmoid(1.0),
    "1/cosh(x)**2": Tanh(1.0),
    "(1.15*exp(-x**2) - 0.025*(exp(-((x-sqrt(.5))/6)**2)"
    "+exp(-((x+sqrt(.5))/6)**2)))/sqrt(pi)": MultiGaussian(1.0, 1.0),
    "1": StraightThrough(),
}
# Area, peak and the ends of where 1 % of the peak is reached, worked out by hand.
BY_HAND = {
    "where(x>0, exp(-x), exp(3*x))": (4 / 3, 1.0, math.log(100)),
    "exp(-abs(x-0.3))": (2.0, 1.0, 0.3 + math.log(100)),
    "where(x>0.3,1,0)*where(x<=2,1,0)": (1.7, 1.0, 2.0),
    "x**4/(1+x**6)": (2 * math.pi / 3, 2 ** (2 / 3) / 3, None),
    "sqrt(abs(x))*exp(-abs(x))": (math.sqrt(math.pi), 1 / math.sqrt(2 * math.e), None),
    "1/(1+abs(x))**1.1": (20.0, 1.0, 100 ** (1 / 1.1) - 1),
    "exp(-((x-3)/0.01)**2)": (0.01 * math.sqrt(math.pi), 1.0, 3 + 0.01 * math.sqrt(math.log(100))),
    "1/(1+abs(x))": (math.inf, 1.0, 99.0),
    "where(x>0,1,0.1)": (math.inf, 1.0, math.inf),
    "x*exp(-x**2)": (0.0, 1 / math.sqrt(2 * math.e), None),
}
SMOOTH_ENOUGH = [*SAME, *BY_HAND]
REACH_U = torch.linspace(-8, 8, 1601, dtype=torch.float64)


def away_from_kinks(surrogate, u):
    for kink in surrogate.shape_kinks:
        u = u[(u - kink).abs() > 1e-4]
    return u


@pytest.mark.parametrize("formula", SAME)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_built_in_ones_written_as_formulas(formula, dtype):
    ours, built_in = Formula(formula), SAME[formula]
    x = torch.cat([REACH_U, torch.tensor([-1e4, -300.0, 0.5, 1.0, 1e4])]).to(dtype)
    tolerance = {torch.float64: 1e-11, torch.float32: 2e-6}.get(dtype, 1e-2)
    # Relative to the height: a tail that is too small for float16 is no tail there.
    for method in ("derivative", "primitive"):
        mine, theirs = getattr(ours, method)(x), getattr(built_in, method)(x)
        assert mine.dtype == dtype
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)
    assert ours.shape_not_negative == built_in.shape_not_negative
    assert ours.peak == pytest.approx(built_in.peak, rel=1e-12)
    assert ours.area == pytest.approx(built_in.area, rel=1e-12)
    assert ours.window == pytest.approx(built_in.window, rel=1e-9)
    kinks = sorted({*built_in.shape_kinks})
    assert [*ours.shape_kinks] == pytest.approx(kinks, abs=1e-6)
    if 0 < built_in.area < math.inf:
        torch.testing.assert_close(
            ours.smooth_step(x), built_in.smooth_step(x), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("formula", BY_HAND)
def test_area_peak_and_window_by_hand(formula):
    area, peak, window = BY_HAND[formula]
    surrogate = Formula(formula)
    assert surrogate.area == pytest.approx(area, rel=1e-11, abs=1e-13)
    assert surrogate.peak == pytest.approx(peak, rel=1e-12)
    if window is not None:
        assert surrogate.window == pytest.approx(window, rel=1e-9)
    if 0 < area < math.inf:
        far = torch.tensor([-1e30, 1e30], dtype=torch.float64)
        ends = surrogate.shape_integral(far).tolist()
        # At 1e30 a power of 1.1 has a thousandth of its area still before it.
        assert ends == pytest.approx([-area / 2, area / 2], rel=2e-3 if "1.1" in formula else 1e-11)


@pytest.mark.parametrize("formula", SMOOTH_ENOUGH)
def test_primitive_is_the_integral_that_scipy_finds(formula):
    surrogate = Formula(formula)

    def h(u):
        return surrogate.shape(torch.tensor(u, dtype=torch.float64)).item()

    u = [-30.0, -2.7, -0.31, -1e-3, 0.0, 1e-5, 0.2, 0.5, 1.9, 3.01, 50.0]
    found = surrogate.shape_integral(torch.tensor(u, dtype=torch.float64))
    corners = [kink for kink in surrogate.shape_kinks if kink not in u]
    edges = sorted({*u, *corners, 2.95, 2.98, 3.0, 3.05})
    pieces = dict(zip(edges, found.new_tensor(edges).tolist(), strict=True))
    total = 0.0
    for left, right in itertools.pairwise(edges):
        total += integrate.quad(h, left, right, epsabs=1e-14, epsrel=1e-13, limit=200)[0]
        pieces[right] = total
    for k, each in enumerate(u[1:], 1):
        difference = (found[k] - found[0]).item()
        assert difference == pytest.approx(pieces[each], rel=1e-10, abs=1e-11)


@pytest.mark.parametrize("formula", SMOOTH_ENOUGH)
def test_derivative_is_the_finite_difference_of_the_primitive(formula):
    surrogate = Formula(formula, 2.5, 0.4)
    x = away_from_kinks(surrogate, REACH_U) / 2.5
    assert len(x) > 1500
    step = 1e-6
    difference = (surrogate.primitive(x + step) - surrogate.primitive(x - step)) / (2 * step)
    narrow = "0.01" in formula  # its third derivative is a million times larger
    atol = 1e-3 if narrow else 2e-9
    torch.testing.assert_close(surrogate.derivative(x), difference, rtol=1e-7, atol=atol)


@pytest.mark.parametrize("formula", SAME)
def test_a_symmetric_formula_is_exactly_odd_in_its_primitive(formula):
    surrogate = Formula(formula)
    u = torch.logspace(-12, 12, 400, dtype=torch.float64)
    assert torch.equal(surrogate.primitive(u), -surrogate.primitive(-u))
    assert surrogate.primitive(torch.zeros(1)).item() == 0


@pytest.mark.parametrize("formula", SMOOTH_ENOUGH)
def test_smooth_step_runs_from_0_to_1_and_autograd_gives_the_derivative(formula):
    surrogate = Formula(formula, 3.0)
    if not 0 < surrogate.area < math.inf:
        with pytest.raises(ValueError, match=r"^smooth_step: the area of Formula is"):
            surrogate.smooth_step(torch.zeros(1))
        return
    x = REACH_U.clone().requires_grad_()
    step = surrogate.smooth_step(x)
    if surrogate.shape_not_negative:
        assert (step.diff() >= -1e-15).all()
        assert step.min() >= 0
        assert step.max() <= 1 + 1e-15
    (gradient,) = torch.autograd.grad(step.sum(), x)
    torch.testing.assert_close(gradient, surrogate.derivative(x.detach()) / surrogate.area)


def test_second_derivatives_of_the_smooth_step():
    x = torch.linspace(-2, 2, 21, dtype=torch.float64, requires_grad=True)
    surrogate = Formula("exp(-x**2)", 1.5)
    assert torch.autograd.gradgradcheck(surrogate.smooth_step, x)


@pytest.mark.parametrize("formula", ["1/(1+abs(x))**2", "1/(1+abs(x))", "exp(-abs(x-0.3))", "1"])
@pytest.mark.parametrize("name", ["slope", "scale"])
def test_what_is_learned_gets_the_gradient_of_the_primitive(formula, name):
    values = {"slope": 2.5, "scale": 0.4}
    for mode in ("native", "peak", "area"):
        if mode == "area" and Formula(formula).area == math.inf:
            continue
        surrogate = Formula(formula, normalize=mode, **values)
        surrogate.learn(name)
        surrogate.double()
        getattr(surrogate, name).data.fill_(values[name])  # `learn` has rounded it to float32
        assert set(surrogate.state_dict()) == {name}
        x = torch.linspace(-3, 3, 200, dtype=torch.float64)
        weight = torch.randn(200, generator=torch.Generator().manual_seed(0)).double()
        surrogate(x.requires_grad_()).mul(weight).sum().backward()
        step = 1e-5
        sums = [
            Formula(formula, normalize=mode, **(values | {name: values[name] + sign * step}))
            .primitive(x.detach())
            .mul(weight)
            .sum()
            .item()
            for sign in (1, -1)
        ]
        expected = (sums[0] - sums[1]) / (2 * step)
        assert getattr(surrogate, name).grad.item() == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("size", [(), (4,)])
def test_learned_slope_of_the_smoothed_network(size):
    """The primitive in the place of the step: the loss has an ordinary gradient, with resets."""

    def loss(slopes):
        surrogate = Formula("exp(-abs(x-0.1))", 1.0)
        surrogate.learn("slope", size)
        surrogate.double()
        surrogate.slope.data.copy_(slopes)
        layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=surrogate), detach_reset=False).double()
        layer.fire = surrogate.smooth_step
        generator = torch.Generator().manual_seed(0)
        cur_TBN = torch.randn(6, 3, 4, generator=generator, dtype=torch.float64) + 0.6
        spk_TBN = layer(cur_TBN).out
        return (spk_TBN * torch.linspace(-1, 2, 72).view(6, 3, 4)).sin().sum(), surrogate

    start = torch.linspace(1.0, 2.0, 4, dtype=torch.float64)[: size[0] if size else 1].reshape(size)
    value, surrogate = loss(start)
    value.backward()
    with torch.no_grad():
        for n in range(start.numel()):
            sides = []
            for sign in (1, -1):
                moved = start.clone()
                moved.view(-1)[n] += sign * 1e-5
                sides.append(loss(moved)[0].item())
            difference = (sides[0] - sides[1]) / 2e-5
            assert surrogate.slope.grad.view(-1)[n].item() == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize(
    "formula", [*SAME, "where(x>0,1,0.1)", "sign(x)**2", "clip(x,-1,1)**2", "0"]
)
def test_not_a_number_does_not_vanish(formula):
    x = torch.tensor([math.nan, 0.25, -0.25])
    for method in (Formula(formula).derivative, Formula(formula).primitive):
        assert method(x).isnan().tolist() == [True, False, False]


@pytest.mark.parametrize("formula", SMOOTH_ENOUGH)
@pytest.mark.parametrize("slope", [1e-3, 1.0, 1000.0])
def test_finite_in_every_precision(formula, slope):
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = torch.cat([torch.linspace(-1e4, 1e4, 999), torch.linspace(-0.1, 0.1, 999)]).to(dtype)
        surrogate = Formula(formula, slope)
        wide = x.float() if dtype.itemsize == 2 else x
        assert torch.equal(surrogate.derivative(x), surrogate.derivative(wide).to(dtype))
        assert surrogate.derivative(x).isfinite().all()
        # Above 65504 float16 has no numbers.
        large = dtype == torch.float16 and surrogate.area == math.inf
        assert large or surrogate.primitive(x).isfinite().all()


@pytest.mark.parametrize("formula", [*SMOOTH_ENOUGH, "0", "clip(x,-1,1)**2", "(x<1)*(x>=-1)"])
def test_repr_pickle_deepcopy_and_tracing(formula):
    surrogate = Formula(formula, 3.5, 0.25, "native")
    assert repr(surrogate) == (
        f"Formula(derivative={formula!r}, slope=3.5, scale=0.25, normalize='native')"
    )
    x = torch.linspace(-2, 2, 101)
    traced = make_fx(lambda x: surrogate.derivative(x))(x)
    expected = surrogate.derivative(x[:7].flip(0))
    assert torch.equal(traced(x[:7].flip(0)), expected)
    assert not surrogate.state_dict()
    for other in (
        eval(repr(surrogate), vars(surrolab.surrogates).copy()),
        pickle.loads(pickle.dumps(surrogate)),
        copy.deepcopy(surrogate),
    ):
        assert repr(other) == repr(surrogate)
        assert torch.equal(other.derivative(x), surrogate.derivative(x))
        assert torch.equal(other.primitive(x), surrogate.primitive(x))
    assert len(pickle.dumps(surrogate)) < 3000
    surrogate.learn("slope")
    assert "slope=3.5 (learned), scale=0.25" in repr(surrogate)


def test_a_pickle_from_another_process_can_be_traced_at_once():
    from surrolab.surrogates import formula

    stored = pickle.dumps(Formula("where(x<1,exp(x),x*0)*exp(-x**2)"))
    for cached in (formula._facts, formula._compiled, formula._antiderivative, parse):
        cached.cache_clear()
    surrogate = pickle.loads(stored)
    x = torch.linspace(-2, 2, 11)
    traced = make_fx(lambda x: (surrogate.derivative(x), surrogate.primitive(x)))(x)
    derivative, primitive = traced(x / 2)
    assert torch.equal(derivative, surrogate.derivative(x / 2))
    assert torch.equal(primitive, surrogate.primitive(x / 2))


def test_the_class_and_its_default():
    assert issubclass(Formula, Surrogate)
    assert repr(Formula()) == (
        "Formula(derivative='1/(1+abs(x))**2', slope=1.0, scale=1.0, normalize='native')"
    )
    with pytest.raises(ValueError, match=r"^normalize: 'area' is not allowed for Formula; allowed"):
        Formula("1/(1+abs(x))", normalize="area")
    for nothing_positive in ("0", "-exp(-x**2)"):
        with pytest.raises(ValueError, match=r"^normalize: 'peak' is not allowed for Formula"):
            Formula(nothing_positive, normalize="peak")
    assert (Formula("0").peak, Formula("0").area, Formula("0").window) == (0, 0, 0)
    assert not Formula("-exp(-x**2)").shape_not_negative
    assert Formula("-exp(-x**2)").window == pytest.approx(math.sqrt(math.log(100)))


@pytest.mark.parametrize("mode", ["peak", "area"])
def test_normalized(mode):
    surrogate = Formula("3*exp(-abs(x-0.3))", 4.0, 0.3, mode)
    assert getattr(surrogate, mode) == pytest.approx(0.3)
    x = torch.linspace(-30, 30, 600_001, dtype=torch.float64)
    h = surrogate.derivative(x)
    assert h.max().item() == pytest.approx(surrogate.peak, rel=1e-3)
    assert torch.trapezoid(h, x).item() == pytest.approx(surrogate.area, rel=1e-6)


def test_facts_are_found_in_a_blink():
    Formula("1")  # the grammar is built once
    spent = []
    for k in range(7):
        started = time.process_time()
        Formula(f"1/(1+abs(x))**2 + 0*{k}")
        spent.append(time.process_time() - started)
    assert min(spent) < 0.1
