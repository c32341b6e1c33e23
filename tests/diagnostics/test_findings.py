"""What is said of a layer, and what is not."""

import math
import re

import pytest
import torch

from surrolab.diagnostics import Flow
from surrolab.diagnostics.alignment import Alignment, Comparison
from surrolab.diagnostics.findings import Growth, LayerFacts, Said, of_growth, of_layer, worst
from surrolab.diagnostics.reading import read


def facts_of(**known):
    healthy = {"name": "hidden1", "silent": 0.1, "saturated": 0.0, "gradient": 1e-3, "window": 0.5}
    return LayerFacts(**{**healthy, **known})


def kinds(**known):
    return [said.kind for said in of_layer(facts_of(**known))]


def message(kind, **known):
    (said,) = [said for said in of_layer(facts_of(**known)) if said.kind == kind]
    assert said.layer == known.get("name", "hidden1")
    return said.message


def test_nothing_is_said_of_a_healthy_layer_or_of_one_that_is_not_known():
    assert kinds() == []
    assert of_layer(LayerFacts("hidden1")) == []
    assert kinds(silent=0.99, saturated=0.99, gradient=1e-29, window=0.0101) == []


def test_each_kind():
    assert kinds(silent=1.0) == ["silent"]
    assert kinds(saturated=1.0) == ["saturated"]
    assert kinds(gradient=0.0) == ["no_gradient"]
    assert kinds(gradient=1e-31) == ["underflow"]
    assert kinds(window=0.009) == ["window"]
    assert kinds(silent=1.0, gradient=0.0, window=0.0) == ["silent", "no_gradient", "window"]
    assert kinds(gradient=0.0, window=0.0, true_derivative=True) == ["no_gradient"]


def test_a_silent_layer_with_a_gradient_is_not_called_dead():
    said = message("silent", silent=1.0)
    assert "though a gradient reaches it" in said
    assert "no gradient reaches" not in said
    assert "no gradient reaches it" in message("silent", silent=1.0, gradient=0.0)
    assert "gradient" not in message("silent", silent=1.0, gradient=None)


def test_weights_without_input_are_not_called_dead():
    """A readout behind a silent layer that has a gradient learns as soon as that one fires."""
    assert kinds(name="readout", silent=None, gradient=0.0, behind_silence=True) == []
    said = message("silent", name="hidden2", silent=1.0, gradient=0.0, behind_silence=True)
    assert said.endswith("a layer before it is silent, look there first")
    assert kinds(name="readout", silent=None, gradient=0.0) == ["no_gradient"]


def test_numbers_are_given_where_they_help():
    dead = {"silent": 1.0, "gradient": 0.0, "window": 0.0, "slope": 10.0}
    said = message("no_gradient", **dead, wider_slope=1.05, gain=16.3)
    assert "try surrogate.slope=1.05 (now 10), at which 10 %" in said
    assert "try model.init_gain=16.3" in said
    for known in ({}, {"wider_slope": 12.0}, {"wider_slope": 10.0}):  # narrower helps no one
        said = message("no_gradient", **dead, **known)
        assert "surrogate.slope=" not in said
        assert "neuron.threshold" in said
        # Of no use where the surrogate reaches no membrane, not even with a bound.
        assert "objective.lower_strength" not in said
        for other in ({"window": 0.1}, {"gradient": 1e-40}):
            said = message("no_gradient" if "window" in other else "underflow", **dead | other)
            assert "objective.lower_strength=100 objective.lower_rate=0.01" in said
    firing = {**dead, "silent": 0.0}
    assert "surrogate.slope=1.05" in message("no_gradient", **firing, wider_slope=1.05)
    assert "try a wider surrogate, or a heavy-tailed" in message("no_gradient", **firing)
    assert "surrogate.slope=1.05" in message("window", window=0.0, slope=10.0, wider_slope=1.05)
    assert "model.init_gain=0.2" in message("saturated", saturated=1.0, gain=0.2)
    assert "model.init_gain=" not in message("saturated", saturated=1.0, gain=2.0)


def test_the_true_derivative_is_named():
    said = message("no_gradient", gradient=0.0, true_derivative=True, slope=10.0, wider_slope=1.0)
    assert "surrogate=none is the true derivative" in said
    assert "surrogate.slope" not in said


def growth_of(**known):
    usual = {"per_step": {"hidden1": 1.0}, "per_layer": None, "steps": 100, "layers": 1}
    rest = {"scale": 1.0, "detach_reset": True, "recurrent": True}
    return Growth(**{**usual, **rest, **known})


@pytest.mark.parametrize("factor", [0.2, 1.0, 1.09])
def test_a_gradient_that_fades_or_keeps_its_size_in_time_is_no_explosion(factor):
    assert of_growth(growth_of(per_step={"hidden1": factor})) == []


def test_numbers_of_a_gradient_that_explodes_in_time():
    (said,) = of_growth(growth_of(per_step={"hidden1": 1.1, "hidden2": 1.0}))
    assert (said.layer, said.kind) == ("hidden1", "exploding")
    assert "a factor of 1.1 per step and 1.4e+04 over 100 steps" in said.message
    assert f"{1.1**100:.1e}" == "1.4e+04"
    assert "model.init_gain" in said.message
    (said,) = of_growth(growth_of(per_step={"hidden1": 1e9}, decay=0.9))
    assert "surrogate.scale=4.36e-10, or" in said.message  # more than a number can be
    assert "1.0e+900 over 100 steps" in said.message


def test_what_grows_without_a_way_back_in_time_is_no_explosion():
    """Feedforward and detached, a leaky membrane hands on no more than it gets."""
    steep = {"per_step": {"hidden1": 1.2}, "recurrent": False}
    assert of_growth(growth_of(**steep)) == []
    (said,) = of_growth(growth_of(**steep, detach_reset=False))
    assert "neuron.detach_reset=true" in said.message
    assert "surrogate.scale" not in said.message


@pytest.mark.parametrize(
    ("per_layer", "layers", "kind"),
    [
        (0.01, 4, "vanishing"),
        (100.0, 4, "exploding"),
        (0.1, 4, None),
        (0.01, 2, None),
        (0.0, 4, None),  # said of the layer
        (None, 1, None),
        (math.inf, 4, None),
        (math.nan, 4, None),
    ],
)
def test_depth(per_layer, layers, kind):
    found = of_growth(growth_of(per_layer=per_layer, layers=layers, scale=0.5))
    assert [said.kind for said in found] == ([kind] if kind else [])
    if kind:
        assert f"by a factor of {per_layer:g} per layer" in found[0].message
        assert f"{per_layer ** (layers - 1):.1e} on its way" in found[0].message
        scale = float(re.search(r"surrogate\.scale=([0-9.e+-]+),", found[0].message)[1])
        assert scale == 0.5 / per_layer


def test_without_a_scale_in_common_none_is_advised():
    (said,) = of_growth(growth_of(per_layer=1e-3, layers=4, scale=None))
    assert "surrogate.scale" not in said.message
    assert "model.init=fluctuation_driven" in said.message


def test_the_worst_comes_first_and_of_two_the_one_nearest_to_the_input():
    said = [Said(layer, kind, "") for layer, kind in (("a", "window"), ("a", "silent"))]
    dead = [Said(layer, "no_gradient", "") for layer in ("hidden1", "hidden2")]
    assert worst([*said, *dead]) is dead[0]
    assert worst(said) is said[1]
    assert worst([]) is None


NO_REFERENCE = Comparison(None, "for no reason")
ALIGNMENT = Alignment({}, {}, *[NO_REFERENCE] * 4, None)


def reading_of(layers, nonzero, norms=None):
    norm_LT = torch.ones(len(nonzero), 6, dtype=torch.float64) if norms is None else norms
    names = list(nonzero)
    nothing = torch.empty(0)
    lengths = torch.tensor([6, 6])
    flow = Flow(names, norm_LT, nonzero, {}, {}, {}, {}, {}, lengths, nothing, nothing)
    return read(flow, layers, ALIGNMENT, [said for facts in layers for said in of_layer(facts)])


def test_the_reading_says_whether_a_gradient_arrives():
    readout = LayerFacts("readout", gradient=1e-3)
    shares = {"hidden1": 0.9, "readout": 0.9}
    assert "at most weights of every layer" in reading_of([facts_of(), readout], shares)
    assert "Nothing needs to be changed." in reading_of([facts_of(), readout], shares)
    few = reading_of([facts_of(), readout], {"hidden1": 0.2, "readout": 0.9})
    assert "only at a part of the weights of hidden1 (20%)" in few
    # Frozen layers have none, and that is as it should be.
    frozen = reading_of([facts_of(gradient=None), readout], {"hidden1": 0.0, "readout": 0.9})
    assert "at most weights of every layer" in frozen
    dead = reading_of([facts_of(gradient=0.0), readout], {"hidden1": 0.0, "readout": 0.9})
    assert "No gradient arrives at the weights of hidden1" in dead
    nothing = [facts_of(gradient=0.0, silent=1.0), LayerFacts("readout", gradient=0.0)]
    assert "No gradient arrives at any weight" in reading_of(nothing, dict.fromkeys(shares, 0.0))


def test_the_reading_of_a_silent_start_that_can_learn_calls_nothing_dead():
    layers = [
        facts_of(silent=1.0),
        LayerFacts("readout", gradient=0.0, behind_silence=True),
    ]
    text = reading_of(layers, {"hidden1": 0.9, "readout": 0.0})
    assert "readout have no gradient yet, because a layer before is silent" in text
    assert "do not move" not in text


def test_the_reading_names_growth_and_what_to_do_first():
    back = torch.arange(5, -1, -1, dtype=torch.float64)
    norms = torch.stack([1e-3 * 0.5**back, 2.0 + 0 * back, 3.0 + 0 * back])
    layers = [facts_of(window=0.001, slope=10.0, wider_slope=2.5), facts_of(name="hidden2")]
    text = reading_of(layers, {"hidden1": 0.9, "hidden2": 0.9, "readout": 0.9}, norms)
    assert "shrinks by a factor of 0.00024 per layer" in text
    assert "shrinks most in hidden1, by a factor of 0.5 per step" in text
    assert "hidden1 0.1% and hidden2 50.0% of the neuron-steps" in text
    assert "First of all: hidden1: only 0.10%" in text
    assert "surrogate.slope=2.5" in text
    assert "\n" not in text
