"""All references on one probe batch."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from tiny_problems import flat, tiny

from surrolab.diagnostics.alignment import measure
from surrolab.diagnostics.enumeration import enumerated_loss
from surrolab.diagnostics.references import reference_noise, smoothed_gradient, weight_names
from surrolab.surrogates import FastSigmoid, MultiGaussian, NoSurrogate, Sigmoid, StraightThrough

SMALL = {"draws": 64, "groups": 8, "points": 8, "shifts": 3}


def test_every_reference_is_compared_with():
    problem = tiny(surrogate=FastSigmoid(5.0))
    found = measure(problem, draws=4096, points=32, shifts=4)
    weights = weight_names(problem.parameters)
    g = flat(problem.gradient(), weights)
    for comparison, noise in (
        (found.smoothed_fixed, reference_noise(problem)),
        (found.smoothed_matched, None),
    ):
        assert comparison.layers.keys() == {"hidden1", "hidden2", "readout", "all"}
        m = flat(smoothed_gradient(problem, noise), weights)
        assert comparison.layers["all"].cosine == pytest.approx(float(g @ m / g.norm() / m.norm()))
    for comparison, noise in (
        (found.escape_fixed, reference_noise(problem)),
        (found.escape_matched, None),
    ):
        values = list(problem.parameters.values())
        exact = torch.autograd.grad(enumerated_loss(problem, noise), values)
        m = flat(dict(zip(problem.parameters, exact, strict=True)), weights)
        low, high = comparison.layers["all"].cosine_interval
        assert low <= float(g @ m / g.norm() / m.norm()) <= high
        assert high - low < 0.1
    assert found.loop.verdict == "not a gradient field"
    assert found.fixed["hidden1"] == repr(Sigmoid(4.0))
    assert found.surrogate["hidden2"].startswith("FastSigmoid(slope=5.0")


def test_it_can_be_written_as_json():
    for surrogate in (Sigmoid(3.0), StraightThrough(), NoSurrogate()):
        found = measure(tiny(surrogate=surrogate), **SMALL).to_dict()
        text = json.dumps(found, allow_nan=False)
        assert json.loads(text) == found
        assert found["loop"]["verdict"] in ("not a gradient field", "nothing proved")
        assert math.isfinite(found["loop"]["surrogate"]["size"])
    assert measure(tiny(), loop=False, draws=0).to_dict()["loop"] is None


def test_what_a_surrogate_cannot_have_is_refused_with_the_reason():
    found = measure(tiny(surrogate=StraightThrough()), **SMALL)
    for comparison in (found.smoothed_matched, found.escape_matched):
        assert comparison.layers is None
        assert "the area of StraightThrough (hidden1) is inf" in comparison.refused
    for comparison in (found.smoothed_fixed, found.escape_fixed):
        assert comparison.layers is not None
        assert comparison.refused is None
    assert found.loop.control is not None  # by the fixed noise
    found = measure(tiny(surrogate=MultiGaussian()), **SMALL)
    assert found.smoothed_matched.layers is not None
    assert "no probability" in found.escape_matched.refused
    assert "draws is 0" in measure(tiny(), loop=False, draws=0).escape_fixed.refused


def test_a_gradient_that_is_zero_says_so():
    problem = tiny((4,), surrogate=NoSurrogate())
    problem = replace(problem, x_TBF=4 * problem.x_TBF)  # so that it spikes
    found = measure(problem, loop=False, draws=64, groups=8)
    hidden = found.smoothed_fixed.layers["hidden1"]
    assert (hidden.cosine, hidden.reason) == (None, "the gradient is zero")
    assert found.smoothed_fixed.layers["readout"].cosine is not None


def test_a_fixed_noise_equal_to_the_surrogate_is_a_matched_one():
    found = measure(tiny(surrogate=Sigmoid(3.0)), Sigmoid(3.0), **SMALL)
    # Another object takes another engine, which adds up in another order.
    fixed, matched = found.smoothed_fixed, found.smoothed_matched
    assert fixed.refused == matched.refused
    assert fixed.layers.keys() == matched.layers.keys()
    for name, agreement in fixed.layers.items():
        for field, value in asdict(matched.layers[name]).items():
            found_here = getattr(agreement, field)
            numeric = isinstance(value, float)
            assert found_here == (pytest.approx(value, rel=1e-12) if numeric else value), field
    assert found.escape_fixed == found.escape_matched


def test_the_reset_can_be_asked_for():
    problem = tiny(steps=6)
    own, whole = (
        measure(problem, loop=False, draws=0, detach_reset=detach).smoothed_fixed.layers["all"]
        for detach in (None, False)
    )
    assert own != whole
    same = measure(problem, loop=False, draws=0, detach_reset=True).smoothed_fixed.layers["all"]
    assert own == same


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match=r"^groups: 2 is not allowed; allowed: at least 4$"):
        measure(tiny(), groups=2)
