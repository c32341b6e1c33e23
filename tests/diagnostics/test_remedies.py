"""The numbers in the remedies do what is said of them."""

import math

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.diagnostics import gradient_flow, probe_batch
from surrolab.diagnostics.examination import growth, initial_gain
from surrolab.diagnostics.findings import of_growth
from surrolab.diagnostics.flow import free_membrane
from surrolab.diagnostics.remedies import (
    gain_for_fluctuations,
    scale_for_depth,
    slope_for_reach,
)
from surrolab.run.build import build_parts
from surrolab.schema import CONF, options, validate

# These end at a distance that has an option of its own: no slope reaches further.
FIXED_WIDTH = {"dspike", "sparse_fast_sigmoid"}
FORMULA = ['surrogate.derivative="1/(1+abs(x))**2"']


def config_of(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["name=test", "logger=none", *words])
    return validate(OmegaConf.to_container(config, resolve=True))


def parts_of(*words):
    parts = build_parts(config_of(*words))
    parts.data.setup()
    return parts.task, probe_batch(parts.data, 16)


def surrogate_of(name, *words):
    from surrolab.run.construct import build

    words = [*FORMULA, *words] if name == "formula" else words
    return build("surrogate", config_of(f"surrogate={name}", *words)["surrogate"])


def distances():
    """Of membranes that crowd around rest, one threshold away, with a few nearer."""
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(40, 50, generator=generator) * 0.3 - 1).abs()


@pytest.mark.parametrize("name", sorted(options("surrogate")))
def test_a_tenth_lies_inside_the_window_at_that_slope_and_not_much_more(name):
    surrogate = surrogate_of(name)
    before = repr(surrogate)
    distance = distances()
    slope = slope_for_reach(surrogate, distance)
    assert repr(surrogate) == before
    if not surrogate.has("slope"):
        assert slope is None
        return
    if name in FIXED_WIDTH:
        assert slope is None
        assert surrogate_of(name, "surrogate.slope=0.001").window < distance.quantile(0.1)
        distance = 0.1 * distance
        slope = slope_for_reach(surrogate, distance)
    inside = [
        float((distance <= surrogate_of(name, f"surrogate.slope={s}").window).double().mean())
        for s in (slope, slope * 1.02)
    ]
    # The window of one ends everywhere at once, as soon as its leak is below 1 % of the peak.
    assert 0.1 <= inside[0] < (0.11 if name != "piecewise_leaky" else 1.1)
    assert inside[1] < 0.1


@pytest.mark.parametrize("mode", ["native", "peak", "area"])
def test_the_normalization_counts_only_where_it_moves_the_window(mode):
    slope = slope_for_reach(surrogate_of("sigmoid", f"surrogate.normalize={mode}"), distances())
    assert slope == slope_for_reach(surrogate_of("sigmoid"), distances())


def test_a_learned_slope_is_left_as_it_is():
    surrogate = surrogate_of("triangle")
    surrogate.learn("slope", (50,))
    found = slope_for_reach(surrogate, distances())
    assert found == slope_for_reach(surrogate_of("triangle"), distances())
    assert surrogate.slope.shape == (50,)
    assert surrogate.slope.requires_grad


def test_other_shares_and_slopes_beyond_the_limits():
    triangle, distance = surrogate_of("triangle"), distances()
    wide = slope_for_reach(triangle, distance, 0.5)
    assert wide < slope_for_reach(triangle, distance, 0.1)
    assert slope_for_reach(triangle, torch.zeros(10)) == 1000
    assert slope_for_reach(triangle, torch.full((10,), 1e9)) is None
    assert slope_for_reach(triangle, torch.full((10,), math.nan)) is None


@pytest.mark.parametrize("xi", [1.0, 2.5])
@pytest.mark.parametrize(
    "words", [("model.hidden=[30]",), ("model=recurrent",), ("model.bias=false", "neuron=synaptic")]
)
def test_weights_times_the_gain_give_the_membrane_its_fluctuations(words, xi):
    task, batch = parts_of(*words, "neuron.threshold=3", "encoding=rate")
    layer = task.network.layers["hidden1"]
    free = free_membrane(task, batch, "hidden1")
    theta = layer.neurons.neuron.threshold
    gain = gain_for_fluctuations(free, theta, xi)
    with torch.no_grad():
        layer.synapse.weight *= gain
        if layer.synapse.bias is not None:
            layer.synapse.bias *= gain
        if "model=recurrent" in words:  # its own spikes are kept out
            layer.neurons.neuron.recurrent.bias *= gain
    rms = free_membrane(task, batch, "hidden1").square().mean().sqrt().item()
    assert rms == pytest.approx(3 / xi, rel=0.006)  # a gain of three digits


def test_a_free_membrane_is_the_leaky_integral_of_the_current():
    task, batch = parts_of("model.hidden=[20]", "encoding.gain=20")
    layer = task.network.layers["hidden1"]
    with torch.no_grad():
        current = layer.synapse(batch.x.flatten(1))
    mem = torch.zeros_like(current)
    for mem_BN in free_membrane(task, batch, "hidden1").unflatten(0, (-1, len(batch.y))):
        mem = layer.neurons.neuron.beta * mem + 20 * (current - layer.synapse.bias)
        mem = mem + layer.synapse.bias
        torch.testing.assert_close(mem_BN, mem, rtol=1e-4, atol=1e-4)
    assert (mem > 1).any()  # where it would have fired
    assert layer.neurons.fire is None


def test_steps_beyond_a_samples_length_are_no_part_of_a_free_membrane():
    task, batch = parts_of("experiment=randman_zenke2021", "data.samples_per_class=20")
    whole = free_membrane(task, batch, "hidden1").unflatten(0, (-1, len(batch.y)))
    lengths = torch.arange(1, len(batch.y) + 1)
    cut = free_membrane(task, batch._replace(lengths=lengths), "hidden1")
    kept = torch.arange(len(whole))[:, None] < lengths
    assert kept.sum() < kept.numel()
    assert torch.equal(cut, whole[kept])


def test_the_gain_of_the_run_is_multiplied():
    task, batch = parts_of("model.hidden=[20]", "model.bias=false", "model.init_gain=0.5")
    doubled, _ = parts_of("model.hidden=[20]", "model.bias=false", "model.init_gain=1")
    half, whole = (
        initial_gain(one, batch, "hidden1", gain, 1.0) for one, gain in ((task, 0.5), (doubled, 1))
    )
    assert half == pytest.approx(whole, rel=0.01)


def test_no_input_has_no_gain():
    assert gain_for_fluctuations(torch.zeros(3, 2, 4), torch.tensor(1.0)) is None
    assert gain_for_fluctuations(torch.full((3, 2, 4), math.inf), torch.tensor(1.0)) is None


@pytest.mark.parametrize("scale", [1e-4, 3000])
def test_the_scale_for_depth_makes_the_factor_one(scale):
    words = ("model.hidden=[20,20,20,20]", "encoding.steps=10")
    task, batch = parts_of(*words, f"surrogate.scale={scale}")
    flow = gradient_flow(task, batch)
    factor = flow.growth_per_layer()
    found = scale_for_depth(scale, factor)
    (said,) = of_growth(growth(task, flow))
    assert said.kind == ("exploding" if factor > 1 else "vanishing")
    assert f"surrogate.scale={found:g}," in said.message
    mended, _ = parts_of(*words, f"surrogate.scale={found:g}")
    flow = gradient_flow(mended, batch)
    assert flow.growth_per_layer() == pytest.approx(1, rel=0.01)
    assert of_growth(growth(mended, flow)) == []


@pytest.mark.parametrize(
    "words",
    [
        ("model=recurrent", "model.init_gain=8"),
        ("model=recurrent", "model.init_gain=8", "neuron.detach_reset=false"),
        ("neuron.detach_reset=false", "neuron.beta=0.95", "objective=ce_last"),
    ],
)
def test_the_remedy_of_a_gradient_that_explodes_in_time_calms_it(words):
    words = ("model.hidden=[30]", "encoding.steps=50", *words)
    task, batch = parts_of(*words)
    flow = gradient_flow(task, batch)
    (said,) = of_growth(growth(task, flow))
    assert (said.layer, said.kind) == ("hidden1", "exploding")
    remedy, clip = said.message.split("; try ")[1].split(", or ")
    assert clip == "trainer.gradient_clip_val=1"  # of the step, not of the flow
    calmed, _ = parts_of(*words, remedy)
    flow = gradient_flow(calmed, batch)
    assert 0.9 < flow.growth_per_step()["hidden1"] < 1.2  # an estimate
    assert of_growth(growth(calmed, flow)) == []


def test_layers_with_different_surrogates_have_no_scale_in_common():
    words = ("model.hidden=[20,20,20]", "layer_surrogates={hidden2: triangle}")
    task, batch = parts_of(*words)
    assert growth(task, gradient_flow(task, batch)).scale is None
    task, batch = parts_of(words[0], "surrogate.scale=0.5")
    assert growth(task, gradient_flow(task, batch)).scale == 0.5
