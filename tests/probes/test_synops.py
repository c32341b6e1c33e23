"""Synaptic operations against loops over every weight, input, step and sample."""

import itertools
import math

import pytest
import torch
from torch import nn

from surrolab.models import (
    ConvFactory,
    MLPFactory,
    RecurrentFactory,
    SEWFactory,
    Surroundings,
)
from surrolab.neurons import LeakyFactory, RLeakyFactory
from surrolab.probes import SpikeStatistics, SynapticOperations, static_metrics
from surrolab.probes.synops import fan_out
from surrolab.surrogates import Sigmoid

STEPS, SAMPLES, CLASSES = 6, 3, 4


def built(factory, shape, readout="membrane", neuron=None):
    neuron = LeakyFactory(beta=0.8, threshold=0.3) if neuron is None else neuron
    around = Surroundings(shape, CLASSES, STEPS, neuron, Sigmoid(), "auto", readout)
    torch.manual_seed(0)
    network = factory.build(around).eval()
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):  # a third of the connections is gone
            keep = torch.rand(parameter.shape, generator=generator) > 1 / 3
            parameter.data = torch.where(keep, 2 / parameter[0].numel() + parameter.data, 0.0)
    return network


def inputs(kind, shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    some = torch.rand(STEPS, SAMPLES, *shape, generator=generator)
    if kind == "current":
        return some * (some > 0.4)
    if kind == "constant":
        return (some * (some > 0.4))[:1].expand(STEPS, *some.shape[1:])
    spikes = (some > 0.6).float()
    return spikes - (some < 0.2).float() if kind == "on_off" else spikes


def connections(synapse, out, inp):
    """Whether a weight that is not zero leads from one input to one output; and whether any."""
    weight = synapse.weight
    if isinstance(synapse, nn.Linear):
        return weight[out, inp].item() != 0, True
    (o, y, x), (i, v, u) = out, inp
    per_group = synapse.in_channels // synapse.groups
    if o // (synapse.out_channels // synapse.groups) != i // per_group:
        return False, False
    row = v - y * synapse.stride[0] + synapse.padding[0]
    column = u - x * synapse.stride[1] + synapse.padding[1]
    if row % synapse.dilation[0] or column % synapse.dilation[1]:
        return False, False
    row, column = row // synapse.dilation[0], column // synapse.dilation[1]
    if not (0 <= row < synapse.kernel_size[0] and 0 <= column < synapse.kernel_size[1]):
        return False, False
    return weight[o, i % per_group, row, column].item() != 0, True


def fans(synapse, shape):
    """Effective and dense number of outputs that each input has, by brute force."""
    if isinstance(synapse, nn.Linear):
        outs, ins = range(synapse.out_features), range(synapse.in_features)
        # Of a mean over space each position has the weights of its channel.
        ins = [i for i in ins for _ in range(math.prod(shape) // synapse.in_features)]
    else:
        size = synapse(torch.zeros(1, *shape)).shape[1:]
        outs = list(itertools.product(*map(range, size)))
        ins = itertools.product(*map(range, shape))
    found = [[connections(synapse, out, inp) for out in outs] for inp in ins]
    return [[sum(pair[k] for pair in row) for row in found] for k in (0, 1)]


def by_hand(network, batches):
    names = list(network.layers)
    macs, acs = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    dense = active = activations = updates = samples = 0
    currents = any(value not in (-1, 0, 1) for x, _, _ in batches for value in x.flatten().tolist())
    for x, output, lengths in batches:
        samples += len(lengths)
        handed = {"input": x}
        for name, layer in network.named_layers():
            given = handed[network.wiring.wires[name].source]
            spk = output.y if name == "readout" else output.hidden[name]
            spiking = hasattr(layer.neurons, "correction")
            shape = given.shape[2:]
            effective, every = fans(layer.synapse, shape)
            recurrent = getattr(layer.neurons.neuron, "recurrent", None)
            mem = output.records[name].membrane.flatten(2)
            for b, t in itertools.product(range(len(lengths)), range(len(x))):
                if t >= lengths[b]:
                    continue
                values = given[t, b].flatten().tolist()
                if given is x:
                    values = [value != 0 for value in values]
                count = sum(n * value for n, value in zip(effective, values, strict=True))
                (macs if currents and given is x else acs)[name] += count
                dense += sum(every)
                if recurrent is not None:
                    dense += recurrent.weight.numel()
                    before = spk[t - 1, b].tolist() if t else [0] * spk.shape[2]
                    for o, i in itertools.product(range(len(before)), repeat=2):
                        acs[name] += before[i] != 0 and recurrent.weight[o, i].item() != 0
                if spiking:
                    active += sum(value != 0 for value in spk[t, b].flatten().tolist())
                    activations += spk[t, b].numel()
                for n in range(mem.shape[2]):
                    updates += t == 0 or mem[t, b, n].item() != mem[t - 1, b, n].item()
            handed[name] = spk
            identity, connect = network.wiring.wires[name][1:]
            if identity is not None:
                ours, theirs = spk, handed[identity]
                both = {"add": ours + theirs, "and": ours * theirs, "iand": theirs * (ours == 0)}
                handed[name] = both[connect]
    found = {
        "effective_macs": sum(macs.values()) / samples,
        "effective_acs": sum(acs.values()) / samples,
        "dense": dense / samples,
        "activation_sparsity": 1 - active / activations,
        "membrane_updates": updates / samples,
    }
    for name in names:
        found[f"{name}/effective_macs"] = macs[name] / samples
        found[f"{name}/effective_acs"] = acs[name] / samples
    return found


def measured(network, given):
    """The metric over some inputs, and what the network did with them."""
    metric = SynapticOperations(network)
    spikes = {name: SpikeStatistics(layer.shape) for name, layer in network.hidden_layers()}
    batches = []
    for x, lengths in given:
        with torch.inference_mode():
            output = network(x, record=True)
            for name, statistics in spikes.items():
                statistics.update(output.hidden[name], lengths)
            counts = {name: statistics.batch_count for name, statistics in spikes.items()}
            metric.update(network, x, output, lengths, counts)
        batches.append((x, output, lengths))
    return {name: value.item() for name, value in metric.compute().items()}, batches


NETWORKS = {
    "mlp": lambda: built(MLPFactory([5, 7]), (8,)),
    "mlp of images": lambda: built(MLPFactory([5], dropout=0.5), (1, 2, 4)),
    "spiking readout": lambda: built(MLPFactory([5]), (8,), "spikes"),
    "recurrent": lambda: built(RecurrentFactory([5, 4]), (8,)),
    "recurrent neuron": lambda: built(
        MLPFactory([5]), (8,), "spikes", RLeakyFactory(beta=0.8, threshold=0.3)
    ),
    "conv": lambda: built(ConvFactory([5], channels=[2, 3], pool="avg"), (1, 4, 5)),
    "sew": lambda: built(SEWFactory([], channels=[2], blocks=2, norm="none"), (1, 3, 4)),
    "sew, less": lambda: built(
        SEWFactory([3], channels=[2, 3], blocks=1, norm="none", connect="iand"), (1, 3, 4)
    ),
    "wide kernel": lambda: built(
        ConvFactory([], channels=[4], kernel_size=5, pool="avg", pool_size=2), (2, 5, 4)
    ),
}


@pytest.mark.parametrize("kind", ["current", "constant", "spikes", "on_off"])
@pytest.mark.parametrize("name", NETWORKS)
def test_operations_equal_counting_one_by_one(name, kind):
    network = NETWORKS[name]()
    images = {"mlp of images": (1, 2, 4), "conv": (1, 4, 5), "wide kernel": (2, 5, 4)}
    images |= {"sew": (1, 3, 4), "sew, less": (1, 3, 4)}
    shape = images.get(name, (8,))
    full = torch.full((SAMPLES,), STEPS)
    given = [(inputs(kind, shape), full), (inputs(kind, shape, 1), torch.tensor([STEPS, 1, 3]))]
    found, batches = measured(network, given)
    expected = by_hand(network, batches)
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0 < found["activation_sparsity"] < 1
    assert (found["effective_macs"] > 0) == (kind in ("current", "constant"))
    assert found["effective_acs"] > 0
    assert found["effective_macs"] + found["effective_acs"] < found["dense"]


def test_a_single_value_that_is_no_spike_makes_the_input_a_current():
    network = NETWORKS["mlp"]()
    spikes, other = inputs("spikes", (8,)), inputs("spikes", (8,), 1)
    other[0, 0, 0] = 2
    full = torch.full((SAMPLES,), STEPS)
    found, _ = measured(network, [(spikes, full), (other, full)])
    assert found["hidden1/effective_macs"] > 0
    assert found["hidden1/effective_acs"] == 0


def test_a_constant_input_is_not_copied_over_time():
    network = NETWORKS["mlp"]()
    steps = 10**6  # would be 192 MB of input
    x = torch.rand(1, SAMPLES, 8).expand(steps, SAMPLES, 8)
    metric = SynapticOperations(network)
    count = metric._inputs(x, torch.tensor([steps, 5, 1]))
    assert count.tolist() == [steps + 6] * 8


def test_membranes_that_rest_are_no_updates():
    network = built(MLPFactory([5], bias=False), (8,))
    x = torch.zeros(STEPS, SAMPLES, 8)
    x[3] = 1
    found, batches = measured(network, [(x, torch.full((SAMPLES,), STEPS))])
    assert found["membrane_updates"] == by_hand(network, batches)["membrane_updates"]
    neurons = 5 + CLASSES
    assert neurons < found["membrane_updates"] < neurons * STEPS
    assert found["hidden1/effective_macs"] == 0


def test_a_new_pass_knows_new_weights():
    network = NETWORKS["mlp"]()
    metric = SynapticOperations(network)
    x, full = inputs("spikes", (8,)), torch.full((SAMPLES,), STEPS)

    def acs():
        output = network(x)
        counts = {name: spk.sum((0, 1)).long() for name, spk in output.hidden.items()}
        metric.update(network, x, output, full, counts)
        return metric.compute()

    assert "membrane_updates" not in acs()  # nothing was recorded
    metric.reset()
    network.layers["hidden1"].synapse.weight.data.zero_()
    assert acs()["hidden1/effective_acs"] == 0


@pytest.mark.parametrize(
    "how",
    [
        {"stride": 2, "padding": 1},
        {"stride": (2, 3), "padding": (0, 2)},
        {"dilation": 2, "padding": 2},
        {"groups": 2, "stride": 2},
        {"stride": 3},  # inputs between the windows meet no weight
    ],
)
def test_fan_out_of_any_convolution(how):
    shape = (2, 6, 7)
    synapse = nn.Conv2d(2, 4, (2, 3), **how)
    synapse.weight.data *= torch.rand(synapse.weight.shape) > 0.4
    effective, dense = fans(synapse, shape)
    assert fan_out(synapse, shape, synapse.weight).flatten().tolist() == effective
    assert fan_out(synapse, shape, torch.ones_like(synapse.weight)).flatten().tolist() == dense


def test_static_metrics():
    network = NETWORKS["recurrent"]()
    sizes, zeros = 0, 0
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            sizes += parameter.numel()
            zeros += parameter.flatten().tolist().count(0.0)
    found = static_metrics(network)
    assert 0 < zeros < sizes
    assert found["connection_sparsity"].item() == zeros / sizes
    parameters = 8 * 5 + 5 + 5 * 5 + 5 + 5 * 4 + 4 + 4 * 4 + 4 + 4 * 4 + 4
    assert sum(p.numel() for p in network.parameters()) == parameters
    buffers = sum(buffer.nbytes for buffer in network.buffers())
    assert found["footprint"].item() == 4 * parameters + buffers
    assert static_metrics(network.half())["footprint"] < found["footprint"]
