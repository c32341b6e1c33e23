"""Surrogates far from the threshold, in every precision, and where there is no number."""

import math

import pytest
import torch
from surrogate_catalogue import ALL, RANDOM, SLOPED, WITH_AREA, away_from_kinks, modes

from surrolab.surrogates import (
    Dspike,
    LeakySpikeOperator,
    MultiGaussian,
    PiecewiseLeaky,
    QPseudoSpike,
    StraightThrough,
)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("slope", [1e-3, 1.0, 1000.0])
def test_finite_and_of_the_same_dtype(cls, dtype, slope):
    x = torch.cat([torch.linspace(-1e4, 1e4, 999), torch.linspace(-0.1, 0.1, 999)]).to(dtype)
    for mode in modes(cls) or ("native",):
        if cls in SLOPED:
            surrogate = cls(slope, normalize=mode)
        else:
            surrogate = cls(normalize=mode) if modes(cls) else cls()
        methods = [surrogate.derivative, surrogate]
        methods += [] if cls in RANDOM else [surrogate.primitive]
        methods += [surrogate.smooth_step] if cls in WITH_AREA else []
        for method in methods:
            result = method(x)
            assert result.dtype == dtype
            assert result.isfinite().all()
        # Half precision is computed in float32 and rounded once.
        wide = x.float() if dtype.itemsize == 2 else x
        torch.manual_seed(0)
        narrow = surrogate.derivative(x)
        torch.manual_seed(0)
        assert torch.equal(narrow, surrogate.derivative(wide).to(dtype))


@pytest.mark.parametrize("cls", SLOPED)
@pytest.mark.parametrize("method", ["derivative", "primitive"])
def test_float32_keeps_its_precision_in_both_tails(cls, method):
    surrogate = cls()
    x = torch.linspace(-3, 3, 601)
    kept = torch.isin(x, away_from_kinks(surrogate, x, 0.02 * surrogate.slope))
    assert kept.sum() > 500
    narrow, wide = (getattr(surrogate, method)(each)[kept] for each in (x, x.double()))
    # A sum of both signs loses digits where it passes through 0, and so does a primitive there.
    atol = 1e-6 if cls is MultiGaussian else 1e-8 if method == "primitive" else 0
    torch.testing.assert_close(narrow.double(), wide, rtol=1e-4, atol=atol)


def test_float32_keeps_its_precision_at_extreme_parameters():
    x = torch.linspace(0.01, 20, 300)
    for surrogate in (QPseudoSpike(tail=1e6), QPseudoSpike(tail=1.01), Dspike(50.0)):
        inside = x[surrogate.derivative(x) > 1e-30]
        assert len(inside) > 5
        for method in (surrogate.derivative, surrogate.primitive):
            wide = method(inside.double())
            torch.testing.assert_close(method(inside).double(), wide, rtol=2e-5, atol=0)


def test_a_narrow_rectangle_has_its_area_in_every_precision():
    assert PiecewiseLeaky(1e3).derivative(torch.zeros(1, dtype=torch.float16)).item() == 1e3
    assert PiecewiseLeaky(1e3).derivative(torch.ones(1)).item() == pytest.approx(0.01)
    assert PiecewiseLeaky(1e-3).derivative(torch.tensor([501.0])).item() == pytest.approx(0.01)


@pytest.mark.parametrize("cls", ALL)
def test_not_a_number_does_not_vanish(cls):
    x = torch.tensor([math.nan, 0.25, -0.25])
    for method in (cls().derivative, *([] if cls in RANDOM else [cls().primitive])):
        assert method(x).isnan().tolist() == [True, False, False]
    x.requires_grad_()
    cls()(x).sum().backward()
    assert x.grad.isnan().tolist() == [True, False, False]


@pytest.mark.parametrize("cls", [cls for cls in ALL if cls not in RANDOM])
def test_infinite_membranes_have_a_derivative(cls):
    expected = {
        StraightThrough: [1.0, 1.0],
        LeakySpikeOperator: [0.1, 1.0],
        PiecewiseLeaky: [0.01, 0.01],
    }.get(cls, [0.0, 0.0])
    h = cls().derivative(torch.tensor([-math.inf, math.inf]))
    assert h.tolist() == pytest.approx(expected, rel=1e-6, abs=0)
