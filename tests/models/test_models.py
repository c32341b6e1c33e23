"""Networks: their layers, shapes, and what must not depend on how they were put together."""

from itertools import pairwise
from typing import Any

import pytest
import snntorch
import torch
from torch import Tensor

from surrolab.models import (
    ConvFactory,
    Layer,
    MLPFactory,
    ModelFactory,
    Network,
    NetworkOutput,
    RecurrentFactory,
    SEWFactory,
    Surroundings,
)
from surrolab.models.layer import Dropout
from surrolab.neurons import (
    AlphaFactory,
    LapicqueFactory,
    LeakyFactory,
    NeuronFactory,
    Readout,
    RLeakyFactory,
    RSynapticFactory,
    SpikingLayer,
    SynapticFactory,
)
from surrolab.surrogates import FastSigmoid

STEPS, BATCH, CLASSES = 6, 4, 3
IMAGE = (2, 9, 6)
NEURONS: tuple[type[NeuronFactory], ...] = (
    LeakyFactory,
    SynapticFactory,
    AlphaFactory,
    LapicqueFactory,
    RLeakyFactory,
    RSynapticFactory,
)
PLAIN = NEURONS[:4]


def around(
    shape: tuple[int, ...] = (5,), neuron: NeuronFactory | None = None, readout: str = "membrane"
) -> Surroundings:
    neuron = LeakyFactory() if neuron is None else neuron
    return Surroundings(shape, CLASSES, STEPS, neuron, FastSigmoid(5.0), "auto", readout)


def build(factory: ModelFactory, surroundings: Surroundings, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return factory.build(surroundings)


def sequence(*shape: int, seed: int = 1) -> Tensor:
    return 3 * torch.randn(STEPS, BATCH, *shape, generator=torch.Generator().manual_seed(seed))


def layer_of(network: Network, name: str) -> Layer:
    layer = network.layers[name]
    assert isinstance(layer, Layer)
    return layer


@pytest.mark.parametrize("hidden", [[], [7], [7, 6], [3, 4, 5, 6]])
@pytest.mark.parametrize("readout", ["membrane", "spikes"])
@pytest.mark.parametrize("factory", [MLPFactory, RecurrentFactory])
def test_a_dense_network_has_the_layers_asked_for(
    factory: type[MLPFactory], hidden: list[int], readout: str
) -> None:
    network = build(factory(hidden), around((2, 3), readout=readout))
    output = network(sequence(2, 3))
    names = [f"hidden{i + 1}" for i in range(len(hidden))]
    assert list(network.layers) == [*names, "readout"]
    assert output.y.shape == (STEPS, BATCH, CLASSES)
    shapes = [tuple(spk.shape) for spk in output.hidden.values()]
    assert list(output.hidden) == names
    assert shapes == [(STEPS, BATCH, size) for size in hidden]
    assert list(output.last_mem) == [*names, "readout"]
    assert [m.shape[1] for m in output.last_mem.values()] == [*hidden, CLASSES]
    assert output.records == {}
    synapses = [tuple(layer_of(network, n).synapse.weight.shape) for n in network.layers]
    assert synapses == [(out, into) for into, out in pairwise([6, *hidden, CLASSES])]


@pytest.mark.parametrize("readout", ["membrane", "spikes"])
@pytest.mark.parametrize("neuron", NEURONS)
def test_the_readout_gives_what_its_name_says(neuron: type[NeuronFactory], readout: str) -> None:
    network = build(MLPFactory([8], init_gain=3.0), around((5,), neuron(threshold=0.2), readout))
    output = network(sequence(5), record=True)
    binary = bool(((output.y == 0) | (output.y == 1)).all())
    assert binary is (readout == "spikes")
    if readout == "spikes":
        assert output.y.sum() > 0
    else:
        assert torch.equal(output.y[-1], output.last_mem["readout"])
        assert torch.equal(output.y, output.records["readout"].membrane)
    assert list(output.records) == ["hidden1", "readout"]
    assert torch.equal(output.records["hidden1"].membrane[-1], output.last_mem["hidden1"])


@pytest.mark.parametrize("hidden", [[], [7]])
@pytest.mark.parametrize("readout", ["membrane", "spikes"])
@pytest.mark.parametrize("pool", ["max", "avg"])
def test_a_convolutional_network_has_the_shapes_of_its_poolings(
    hidden: list[int], readout: str, pool: str
) -> None:
    factory = ConvFactory(hidden, channels=[4, 5], pool=pool, init_gain=3.0)
    network = build(factory, around(IMAGE, readout=readout))
    output = network(sequence(*IMAGE))
    assert output.y.shape == (STEPS, BATCH, CLASSES)
    assert output.hidden["hidden1"].shape == (STEPS, BATCH, 4, 4, 3)
    assert output.hidden["hidden2"].shape == (STEPS, BATCH, 5, 2, 1)
    assert layer_of(network, "hidden2").shape == (5, 2, 1)
    after = "hidden3" if hidden else "readout"
    assert layer_of(network, after).synapse.weight.shape[1] == 5 * 2 * 1
    assert list(network.layers)[-1] == "readout"
    for spk in output.hidden.values():
        assert bool(((spk == 0) | (spk == 1)).all())
        assert 0 < spk.mean() < 1


def test_a_convolution_and_its_pooling_act_on_each_step_alone() -> None:
    network = build(ConvFactory([], channels=[4], pool="avg"), around(IMAGE))
    layer, x = layer_of(network, "hidden1"), sequence(*IMAGE)
    assert layer.pool is not None
    current = torch.stack([layer.pool(layer.synapse(step)) for step in x])
    torch.testing.assert_close(layer.current(x), current)
    assert layer(x).out.shape == (STEPS, BATCH, 4, 4, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": []}, "channels: "),
        ({"channels": [0]}, "channels: "),
        ({"kernel_size": 2}, "kernel_size: "),
        ({"pool": "median"}, "pool: "),
        ({"norm": "layer"}, "norm: "),
        ({"init": "zeros"}, "init: "),
    ],
)
def test_conv_refuses_what_it_cannot_build(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}.*allowed: "):
        ConvFactory([], **arguments)  # type: ignore[arg-type]


def test_what_does_not_fit_the_data_or_the_neuron_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^channels: .*allowed: fewer"):
        ConvFactory([], channels=[2, 2, 2]).build(around(IMAGE))
    with pytest.raises(ValueError, match=r"^model: conv needs images"):
        ConvFactory([]).build(around((5,)))
    with pytest.raises(ValueError, match=r"^neuron: recurrent .*allowed with a convolution"):
        ConvFactory([]).build(around(IMAGE, RLeakyFactory()))
    with pytest.raises(ValueError, match=r"^model: recurrent .*allowed: leaky, synaptic"):
        RecurrentFactory([4]).build(around((5,), AlphaFactory()))
    with pytest.raises(ValueError, match=r"^hidden: .*allowed: "):
        MLPFactory([4, 0])


CONSTANT_CASES = [
    pytest.param(MLPFactory([7, 6]), (2, 3), id="mlp"),
    pytest.param(MLPFactory([]), (5,), id="readout alone"),
    pytest.param(RecurrentFactory([7]), (5,), id="recurrent"),
    pytest.param(ConvFactory([6], channels=[4]), IMAGE, id="conv"),
    pytest.param(MLPFactory([7], norm="step"), (5,), id="step norm"),
    pytest.param(MLPFactory([7], norm="tdbn"), (5,), id="tdbn"),
    pytest.param(ConvFactory([], channels=[4], norm="bntt"), IMAGE, id="conv bntt"),
    pytest.param(SEWFactory([], channels=[4], norm="none", init_gain=2.0), IMAGE, id="sew"),
]


@pytest.mark.parametrize(("factory", "shape"), CONSTANT_CASES)
def test_a_constant_input_equals_the_same_input_written_out(
    factory: ModelFactory, shape: tuple[int, ...]
) -> None:
    outcomes = []
    for written_out in (False, True):
        network = build(factory, around(shape)).double()
        x_BF = sequence(*shape)[0].double().requires_grad_()
        x_TBF = x_BF.expand(STEPS, *x_BF.shape)
        output = network(x_TBF.clone() if written_out else x_TBF)
        weights = sequence(CLASSES, seed=2).double()
        (output.y * weights).sum().backward()
        named = network.named_parameters()
        gradients = {name: p.grad for name, p in named if p.grad is not None}
        assert gradients
        assert x_BF.grad is not None
        outcomes.append((output, x_BF.grad, gradients))
    (one, x_one, grads_one), (other, x_other, grads_other) = outcomes
    torch.testing.assert_close(one.y, other.y)
    assert one.hidden.keys() == other.hidden.keys()
    for name in one.hidden:
        assert torch.equal(one.hidden[name], other.hidden[name])
    assert float(x_one.abs().max()) > 0
    torch.testing.assert_close(x_one, x_other)
    torch.testing.assert_close(grads_one, grads_other)


def test_a_constant_input_goes_through_the_synapse_once() -> None:
    network = build(MLPFactory([7]), around((5,)))
    seen: list[int] = []
    synapse = layer_of(network, "hidden1").synapse
    synapse.register_forward_hook(lambda module, args, out: seen.append(len(args[0])))
    x = sequence(5)
    network(x[:1].expand(STEPS, -1, -1))
    network(x)
    assert seen == [1, STEPS]


def test_frozen_layers_stay_as_they_are_and_the_others_learn() -> None:
    network = build(MLPFactory([7, 6], freeze=["hidden1", "readout"]), around((5,)))
    assert not any(p.requires_grad for p in network.layers["hidden1"].parameters())
    assert not any(p.requires_grad for p in network.layers["readout"].parameters())
    network(sequence(5)).y.square().sum().backward()
    assert layer_of(network, "hidden1").synapse.weight.grad is None
    assert layer_of(network, "readout").synapse.weight.grad is None
    gradient = layer_of(network, "hidden2").synapse.weight.grad
    assert gradient is not None
    assert float(gradient.abs().max()) > 0
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 7 * 6 + 6


def test_freezing_reaches_recurrence_and_learned_neuron_parameters() -> None:
    neuron = RLeakyFactory(learn_beta=True, learn_threshold=True)
    frozen = build(MLPFactory([7], freeze=["hidden1"]), around((5,), neuron))
    names = [name for name, p in frozen.named_parameters() if p.requires_grad]
    assert names
    assert all(name.startswith("layers.readout.") for name in names)


@pytest.mark.parametrize("name", ["hidden3", "hidden0", "Readout", ""])
def test_freezing_an_unknown_layer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^freeze: .*allowed: hidden1, hidden2, readout$"):
        MLPFactory([7, 6], freeze=["hidden1", name]).build(around((5,)))


@pytest.mark.parametrize("shape", [(500,), (5, 10, 10)])
def test_dropout_draws_one_mask_per_sample(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    p, dropout = 0.3, Dropout(0.3)
    ones = torch.ones(20, *shape)
    mask = dropout.mask(ones)
    assert mask is not None
    kept = mask != 0
    torch.testing.assert_close(mask[kept], torch.full_like(mask[kept], 1 / (1 - p)))
    assert abs(float(kept.float().mean()) - (1 - p)) < 5 * (p * (1 - p) / kept.numel()) ** 0.5
    assert not any(torch.equal(kept[0], kept[i]) for i in range(1, 20))
    again = dropout.mask(ones)
    assert again is not None
    assert not torch.equal(again, mask)
    assert dropout.eval().mask(ones) is None


def test_dropout_holds_its_mask_over_time() -> None:
    network = build(MLPFactory([50], dropout=0.5), around((5,)))
    done = layer_of(network, "hidden1")(20 * sequence(5))
    assert done.state.mask is not None
    assert torch.equal(done.out, done.spk * done.state.mask)
    assert 0 < torch.count_nonzero(done.out) < torch.count_nonzero(done.spk)


@pytest.mark.parametrize(
    ("factory", "shape"),
    [(MLPFactory([30], dropout=0.5), (5,)), (ConvFactory([9], dropout=0.5), IMAGE)],
)
def test_dropout_thins_what_the_next_layer_gets_and_is_off_in_eval(
    factory: ModelFactory, shape: tuple[int, ...]
) -> None:
    network, x = build(factory, around(shape)), sequence(*shape)
    assert layer_of(network, "readout").dropout is None
    first = network.layers["hidden1"]
    torch.manual_seed(0)
    passed = first(x)
    full = network.eval().layers["hidden1"](x)
    assert torch.equal(passed.spk, full.spk)
    assert torch.equal(full.out, build(factory, around(shape)).eval().layers["hidden1"](x).out)
    dropped = passed.out == 0
    torch.testing.assert_close(passed.out[~dropped], 2 * full.out[~dropped])
    assert 0 < float((passed.out != 0).sum()) < float((full.out != 0).sum())
    # Whoever lost a spike lost all of them in that sample.
    lost = ((full.out != 0) & dropped).any(0)
    assert not (passed.out != 0).any(0)[lost].any()
    assert torch.equal(network(x).y, network(x).y)


@pytest.mark.parametrize(
    ("plain", "recurrent", "options"),
    [
        (LeakyFactory, RLeakyFactory, {"beta": 0.8, "reset": "zero"}),
        (LeakyFactory, RLeakyFactory, {"tau": 5.0, "input_scale": "one_minus_beta"}),
        (SynapticFactory, RSynapticFactory, {"alpha": 0.6, "threshold": 0.5}),
        (SynapticFactory, RSynapticFactory, {"learn_alpha": True, "detach_reset": False}),
    ],
)
def test_recurrent_with_a_plain_neuron_is_mlp_with_a_recurrent_one(
    plain: type[NeuronFactory], recurrent: type[NeuronFactory], options: dict[str, object]
) -> None:
    one = build(RecurrentFactory([7, 6]), around((5,), plain(**options)))  # type: ignore[arg-type]
    other = build(MLPFactory([7, 6]), around((5,), recurrent(**options)))  # type: ignore[arg-type]
    states, others = one.state_dict(), other.state_dict()
    assert states.keys() == others.keys()
    assert any("recurrent.weight" in name for name in states)
    assert all(torch.equal(states[name], others[name]) for name in states)
    out, same = one(sequence(5)), other(sequence(5))
    assert torch.equal(out.y, same.y)
    assert out.hidden["hidden1"].sum() > 0
    assert torch.equal(out.hidden["hidden1"], same.hidden["hidden1"])
    plain_net = build(MLPFactory([7, 6]), around((5,), plain(**options)))  # type: ignore[arg-type]
    assert not any("recurrent" in name for name in plain_net.state_dict())


@pytest.mark.parametrize("readout", ["membrane", "spikes"])
@pytest.mark.parametrize(
    ("neuron", "kind"),
    [(RLeakyFactory, snntorch.Leaky), (RSynapticFactory, snntorch.Synaptic)],
)
def test_the_readout_of_a_recurrent_neuron_is_not_recurrent(
    neuron: type[NeuronFactory], kind: Any, readout: str
) -> None:
    options = neuron(beta=0.7, threshold=0.4, reset="zero", detach_reset=False)
    network = build(MLPFactory([7]), around((5,), options, readout))
    neurons = layer_of(network, "readout").neurons
    assert isinstance(neurons, SpikingLayer if readout == "spikes" else Readout)
    wrapped: Any = neurons.neuron
    assert type(wrapped) is kind
    assert float(wrapped.beta) == pytest.approx(0.7)
    if readout == "spikes":
        assert float(wrapped.threshold) == pytest.approx(0.4)
        assert (neurons.reset, neurons.detach_reset) == ("zero", False)
    assert not any("recurrent" in name for name, _ in network.layers["readout"].named_parameters())


@pytest.mark.parametrize("neuron", PLAIN)
def test_the_time_constant_of_the_readout_is_its_own(neuron: type[NeuronFactory]) -> None:
    tau = 2.0 if neuron is AlphaFactory else 20.0
    network = build(MLPFactory([7], readout_tau=tau), around((5,), neuron(dt=0.5)))
    beta = float(torch.tensor(-0.5 / tau).exp())
    assert float(layer_of(network, "readout").neurons.neuron.beta) == pytest.approx(beta)
    hidden = float(layer_of(network, "hidden1").neurons.neuron.beta)
    assert hidden == pytest.approx(neuron().decay)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("detach_reset", [True, False])
def test_a_membrane_that_was_not_finite_in_the_first_step_shows_in_the_last(
    neuron: type[NeuronFactory], reset: str, detach_reset: bool
) -> None:
    options = neuron(reset=reset, detach_reset=detach_reset)
    for readout, hidden in (("spikes", [7]), ("membrane", []), ("spikes", [])):
        network = build(MLPFactory(hidden), around((5,), options, readout))
        x = sequence(5).repeat(3, 1, 1)
        assert first_non_finite(network(x)) is None
        x[0, :3, 2] = torch.tensor([float("nan"), float("inf"), float("-inf")])
        output = network(x)
        first = "hidden1" if hidden else "readout"
        assert not torch.isfinite(output.last_mem[first][:3]).any()
        # What went wrong in one sample stays there.
        assert bool(torch.isfinite(output.last_mem[first][3]).all())
        assert first_non_finite(output) == first


def first_non_finite(output: NetworkOutput) -> str | None:
    finite = {name: bool(torch.isfinite(mem).all()) for name, mem in output.last_mem.items()}
    return next((name for name in finite if not finite[name]), None)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_poisoned_weight_is_found_in_its_layer(poison: float) -> None:
    network = build(MLPFactory([7, 6], init_gain=4.0), around((5,)))
    with torch.no_grad():
        layer_of(network, "hidden2").synapse.weight[2, 3] = poison
    output = network(sequence(5))
    assert output.hidden["hidden1"][..., 3].any()
    assert first_non_finite(output) == "hidden2"
