"""Residual networks of SEW blocks against a network written out by hand, in float64."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from surrolab.models import Layer, Network, SEWFactory, Surroundings, Wire, Wiring
from surrolab.models.wiring import joined
from surrolab.neurons import LeakyFactory, RLeakyFactory, SynapticFactory
from surrolab.surrogates import FastSigmoid

STEPS, BATCH, CLASSES, SLOPE = 7, 3, 4, 5.0  # and decays and thresholds that float32 has exactly
IMAGE = (2, 7, 5)  # both sides are halved and rounded up
CONNECT = ("add", "and", "iand")


def build(
    factory: SEWFactory, readout: str = "membrane", threshold: float = 0.5, engine: str = "auto"
) -> Network:
    neuron = LeakyFactory(beta=0.75, threshold=threshold)
    surrogate = FastSigmoid(SLOPE)
    around = Surroundings(IMAGE, CLASSES, STEPS, neuron, surrogate, engine, readout)
    torch.manual_seed(0)
    return factory.build(around).double()


def sequence(seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(STEPS, BATCH, *IMAGE, generator=generator, dtype=torch.float64)


class Spike(torch.autograd.Function):
    """``U > theta``, and SuperSpike's derivative in its place."""

    @staticmethod
    def forward(ctx, over):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(over)
        return (over > 0).to(over.dtype)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (over,) = ctx.saved_tensors
        return grad / (SLOPE * over.abs() + 1) ** 2


def lif(currents: list[Tensor], threshold: float = 0.5) -> list[Tensor]:
    mem = spk = torch.zeros_like(currents[0])
    spikes = []
    for current in currents:
        mem = 0.75 * mem + current - threshold * spk.detach()
        spk = Spike.apply(mem - threshold)
        spikes.append(spk)
    return spikes


def by_hand(
    weights: dict[str, Tensor], x: Tensor, connect: str, norm: bool
) -> tuple[Tensor, list[Tensor]]:
    """Stem, two stages of two blocks, mean over space, readout; spikes in the order of layers."""
    number = itertools.count(1)
    everything: list[Tensor] = []

    def part(inputs: list[Tensor], stride: int = 1) -> list[Tensor]:
        name = f"layers.hidden{next(number)}"
        weight = weights[f"{name}.synapse.weight"]
        padding = weight.shape[-1] // 2
        currents = [F.conv2d(one, weight, stride=stride, padding=padding) for one in inputs]
        if norm:
            values = torch.stack(currents)
            mean = values.mean((0, 1, 3, 4), keepdim=True)
            var = (values - mean).square().mean((0, 1, 3, 4), keepdim=True)
            scale, shift = (weights[f"{name}.norm.norm.{k}"] for k in ("weight", "bias"))
            shaped = [p.view(-1, 1, 1) for p in (scale, shift)]
            currents = list((values - mean) / (var + 1e-5).sqrt() * shaped[0] + shaped[1])
        spikes = lif(currents)
        everything.append(torch.stack(spikes))
        return spikes

    now = part(list(x))
    for stage, block in itertools.product(range(2), range(2)):
        stride = 2 if (stage, block) == (1, 0) else 1
        first = part(now, stride)
        identity = part(now, stride) if stride == 2 else now
        second = part(first)
        if connect == "add":
            now = [s + i for s, i in zip(second, identity, strict=True)]
        elif connect == "and":
            now = [s * i for s, i in zip(second, identity, strict=True)]
        else:
            now = [(1 - s) * i for s, i in zip(second, identity, strict=True)]
    mem = torch.zeros(BATCH, CLASSES, dtype=x.dtype)
    readout = []
    for one in now:
        mem = 0.75 * mem + one.mean((2, 3)) @ weights["layers.readout.synapse.weight"].T
        readout.append(mem)
    return torch.stack(readout), everything


@pytest.mark.parametrize("engine", ["auto", "stepwise"])
@pytest.mark.parametrize("norm", ["none", "tdbn"])
@pytest.mark.parametrize("connect", CONNECT)
def test_output_and_gradients_are_those_of_the_network_written_out(
    connect: str, norm: str, engine: str
) -> None:
    gain = 4.0 if connect == "and" else 2.0  # it lets less through
    factory = SEWFactory([], False, norm=norm, init_gain=gain, channels=[3, 4], connect=connect)
    network = build(factory, engine=engine)
    x, other = sequence().requires_grad_(), sequence().requires_grad_()
    weights = {name: p.detach().clone().requires_grad_() for name, p in network.named_parameters()}
    wanted, spikes = by_hand(weights, other, connect, norm == "tdbn")
    output = network(x)
    assert list(output.hidden) == [f"hidden{i}" for i in range(1, 11)]
    for found, expected in zip(output.hidden.values(), spikes, strict=True):
        assert 0 < float(expected.detach().mean()) < 1
        assert torch.equal(found, expected)
    torch.testing.assert_close(output.y, wanted)
    mix = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    (output.y * mix).sum().backward()
    (wanted * mix).sum().backward()
    for name, p in network.named_parameters():
        assert p.grad is not None
        assert float(p.grad.abs().max()) > 0, name
        torch.testing.assert_close(p.grad, weights[name].grad)
    torch.testing.assert_close(x.grad, other.grad)


def test_the_layers_are_in_the_order_told() -> None:
    network = build(SEWFactory([9], channels=[3, 4], blocks=2))
    shapes = [layer.shape for _, layer in network.named_layers()]
    assert shapes == [(3, 7, 5)] * 5 + [(4, 4, 3)] * 5 + [(9,), (CLASSES,)]
    layers = dict(network.named_layers())
    assert [tuple(layers[f"hidden{i}"].synapse.weight.shape) for i in (1, 6, 7, 8, 11)] == [
        (3, 2, 3, 3),
        (4, 3, 3, 3),
        (4, 3, 1, 1),
        (4, 4, 3, 3),
        (9, 4),
    ]
    assert network.wiring.wires == {
        "hidden1": Wire("input"),
        "hidden2": Wire("hidden1"),
        "hidden3": Wire("hidden2", "hidden1"),
        "hidden4": Wire("hidden3"),
        "hidden5": Wire("hidden4", "hidden3"),
        "hidden6": Wire("hidden5"),
        "hidden7": Wire("hidden5"),
        "hidden8": Wire("hidden6", "hidden7"),
        "hidden9": Wire("hidden8"),
        "hidden10": Wire("hidden9", "hidden8"),
        "hidden11": Wire("hidden10"),
        "readout": Wire("hidden11"),
    }


@pytest.mark.parametrize(("connect", "fires"), [("add", False), ("and", True), ("iand", False)])
def test_a_block_can_be_the_identity(connect: str, fires: bool) -> None:
    """Fang et al. 2021, section 3.3: S = 0 with add and iand, S = 1 with and."""
    factory = SEWFactory([], bias=True, norm="none", channels=[3], connect=connect)
    network = build(factory)
    with torch.no_grad():
        for name in ("hidden3", "hidden5"):
            network.layers[name].synapse.weight.zero_()
            network.layers[name].synapse.bias.fill_(1.0 if fires else 0.0)
    x = sequence().requires_grad_()
    output, passes = network.run(x)
    stem = passes["hidden1"].out
    assert 0 < float(stem.detach().mean()) < 1
    assert torch.equal(passes["hidden5"].spk, torch.full_like(stem, float(fires)))
    assert torch.equal(passes["hidden5"].out, stem)
    shallow = Network({"hidden1": network.layers["hidden1"], "readout": network.layers["readout"]})
    assert torch.equal(output, shallow(x).y)
    if connect == "add":  # and so is the gradient of the stem, in full, beside the block's own
        deep = torch.autograd.grad(output.sum(), network.layers["hidden1"].synapse.weight)[0]
        plain = torch.autograd.grad(shallow(x).y.sum(), shallow.layers["hidden1"].synapse.weight)
        torch.testing.assert_close(deep, plain[0])


def test_what_is_added_up_is_a_whole_number() -> None:
    network = build(SEWFactory([], norm="none", channels=[4], blocks=3, init_gain=3.0))
    _, passes = network.run(sequence())
    assert set(passes["hidden7"].out.detach().unique().tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    hidden = {name: done.spk for name, done in passes.items() if name != "readout"}
    for name, out in network.wiring.outputs(hidden).items():
        assert torch.equal(out, passes[name].out)


def test_a_mask_is_held_and_thins_the_own_spikes_alone() -> None:
    network = build(SEWFactory([], norm="none", channels=[4], blocks=1, dropout=0.5))
    _, passes = network.run(sequence())
    mask = passes["hidden3"].state.mask
    assert mask is not None
    wanted = passes["hidden3"].spk * mask + passes["hidden1"].out
    assert torch.equal(passes["hidden3"].out, wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": []}, "channels: "),
        ({"kernel_size": 2}, "kernel_size: "),
        ({"blocks": 0}, "blocks: 0 is not allowed; "),
        ({"connect": "or"}, "connect: 'or' is unknown; allowed: add, and, iand"),
        ({"connect": "iand", "dropout": 0.1}, "dropout: 0.1 is not allowed with connect=iand"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        SEWFactory([], **arguments)  # type: ignore[arg-type]


def test_what_does_not_fit_the_data_or_the_neuron_is_refused() -> None:
    args = (CLASSES, STEPS, LeakyFactory(), FastSigmoid(), "auto", "membrane")
    with pytest.raises(ValueError, match=r"^model: sew needs images .*allowed: mlp, recurrent"):
        SEWFactory([]).build(Surroundings((5,), *args))
    recurrent = Surroundings(IMAGE, CLASSES, STEPS, RLeakyFactory(), *args[3:])
    with pytest.raises(ValueError, match=r"^neuron: recurrent .*allowed with a convolution"):
        SEWFactory([]).build(recurrent)


@pytest.mark.parametrize("readout", ["membrane", "spikes"])
def test_other_neurons_and_frozen_layers(readout: str) -> None:
    around = Surroundings(IMAGE, CLASSES, STEPS, SynapticFactory(), FastSigmoid(), "auto", readout)
    network = SEWFactory([5], channels=[3, 4], blocks=1, freeze=["hidden4"]).build(around)
    network(sequence().float()).y.sum().backward()
    frozen = network.layers["hidden4"]
    assert isinstance(frozen, Layer)
    assert frozen.synapse.weight.grad is None
    others = [p.grad for p in network.parameters() if p.requires_grad]
    assert all(grad is not None for grad in others)


# --- Wiring.


def test_silence_is_passed_on_along_the_wires_alone() -> None:
    def wiring(join: str) -> Wiring:
        return Wiring(
            {
                "hidden1": Wire("input"),
                "hidden2": Wire("hidden1"),
                "hidden3": Wire("hidden2", "hidden1", join),
                "hidden4": Wire("hidden3"),
                "readout": Wire("hidden4"),
            }
        )

    assert wiring("add").behind_silence({"hidden2"}) == {"hidden3"}
    assert wiring("iand").behind_silence({"hidden2"}) == {"hidden3"}
    assert wiring("and").behind_silence({"hidden2"}) == {"hidden3", "hidden4", "readout"}
    for join in CONNECT:
        everything = {"hidden2", "hidden3", "hidden4", "readout"}
        assert wiring(join).behind_silence({"hidden1"}) == everything
    chain = Wiring.chain(["hidden1", "hidden2", "readout"])
    assert chain.behind_silence({"hidden1"}) == {"hidden2", "readout"}
    assert chain.behind_silence(set()) == set()


def test_a_gradient_finds_its_way_around_what_it_cannot_pass() -> None:
    network = build(SEWFactory([], norm="none", channels=[3], blocks=2, init_gain=2.0))
    names = list(network.layers)
    for blocked in ["hidden1", "hidden2", "hidden3", "hidden5"]:
        layer = network.layers[blocked]
        layer.neurons.fire = lambda over: (over > 0).to(over.dtype)  # no gradient
        network.zero_grad(set_to_none=True)
        network(sequence()).y.square().sum().backward()
        layer.neurons.fire = None
        without = {
            name
            for name in names
            if (grad := network.layers[name].synapse.weight.grad) is None or not grad.any()
        }
        assert without == network.wiring.cut_off({blocked}), blocked
    assert network.wiring.cut_off(set()) == set()


@pytest.mark.parametrize("join", CONNECT)
def test_joins_are_the_logic_that_they_are_named_for(join: str) -> None:
    s, i = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    wanted = {"add": [0, 1, 1, 2], "and": [0, 0, 0, 1], "iand": [0, 1, 0, 0]}[join]
    assert joined(s, i, join).tolist() == wanted
    assert joined(s, None, join) is s


def test_modules_are_found_by_layer() -> None:
    network = build(SEWFactory([], channels=[3], blocks=1))
    assert {name.split(".")[1] for name, _ in network.named_parameters()} == {
        "hidden1",
        "hidden2",
        "hidden3",
        "readout",
    }
    assert all(isinstance(layer.synapse, nn.Module) for _, layer in network.named_layers())
