"""A network over time in parts: the same numbers in less memory, and gradients that are cut."""

import os
import subprocess
import sys

import pytest
import torch

from surrolab.models import (
    ConvFactory,
    MLPFactory,
    RecurrentFactory,
    SEWFactory,
    Surroundings,
)
from surrolab.models.layer import LayerState
from surrolab.neurons import ALIFFactory, LeakyFactory, SynapticFactory
from surrolab.objectives import CEMax, CERate
from surrolab.surrogates import FastSigmoid

STEPS, BATCH, CLASSES = 13, 4, 3
IMAGE = (2, 9, 6)
NETWORKS = {
    "mlp": (MLPFactory([7, 6]), (5,), LeakyFactory(learn_beta=True)),
    "recurrent": (RecurrentFactory([7]), (5,), SynapticFactory(learn_alpha=True)),
    "through the reset": (MLPFactory([7]), (5,), LeakyFactory(reset="zero", detach_reset=False)),
    "adaptive": (
        RecurrentFactory([7]),
        (5,),
        ALIFFactory(learn_rho=True, learn_threshold_step=True, adaptive_share=0.6),
    ),
    "conv": (ConvFactory([6], channels=[4]), IMAGE, LeakyFactory()),
    "dropout": (MLPFactory([20, 20], dropout=0.4), (5,), LeakyFactory()),
    "recurrent dropout": (RecurrentFactory([20], dropout=0.4), (5,), LeakyFactory()),
    "conv dropout": (ConvFactory([9], channels=[4], dropout=0.4), IMAGE, LeakyFactory()),
    "sew": (
        SEWFactory([6], channels=[4, 5], norm="none", blocks=1, init_gain=2.0),
        IMAGE,
        LeakyFactory(),
    ),
    "delays": (MLPFactory([7, 6], max_delay=6.0), (5,), LeakyFactory()),
    "readout alone": (MLPFactory([]), (5,), LeakyFactory()),
}
PARTS = (0, 1, 4, 5, STEPS - 1, STEPS, STEPS + 9)


def build(what, engine="auto", readout="membrane", dtype=torch.float64):
    factory, shape, neuron = NETWORKS[what]
    torch.manual_seed(0)
    around = Surroundings(shape, CLASSES, STEPS, neuron, FastSigmoid(5.0), engine, readout)
    return factory.build(around).to(dtype)


def sequence(what, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    shape = NETWORKS[what][1]
    return 3 * torch.randn(STEPS, BATCH, *shape, generator=generator, dtype=dtype)


def loss_of(output):
    y = output.y
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    return (y * weights).sum()


def trained(network, x_TBF, lengths_B=None, loss=loss_of):
    """The output of a training step, all gradients, and the random number that comes next."""
    x_TBF = x_TBF.detach().requires_grad_()
    network.zero_grad()
    torch.manual_seed(5)
    given = x_TBF if len(x_TBF) == STEPS else x_TBF.expand(STEPS, *x_TBF.shape[1:])
    output = network(given, lengths_B=lengths_B)
    loss(output).backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.requires_grad}
    assert all(gradient is not None for gradient in gradients.values())
    return output, gradients | {"x": x_TBF.grad}, torch.rand(1)


@pytest.mark.parametrize("steps", PARTS)
@pytest.mark.parametrize("what", NETWORKS)
def test_computed_again_is_the_same(what, steps):
    network, x = build(what), sequence(what)
    whole, wanted, after = trained(network, x)
    network.checkpoint_steps = steps
    output, gradients, then = trained(network, x)
    assert torch.equal(output.y, whole.y)
    assert output.hidden == {}
    assert output.records == {}
    assert output.counts.keys() == whole.hidden.keys()
    for name, spk_TBN in whole.hidden.items():
        assert spk_TBN.sum() > 0
        assert torch.equal(output.counts[name], spk_TBN.sum((0, 1)).float())
    assert output.last_mem.keys() == whole.last_mem.keys()
    for name, mem in whole.last_mem.items():
        assert torch.equal(output.last_mem[name], mem)
    assert any(gradient.abs().max() > 0 for gradient in wanted.values())
    torch.testing.assert_close(gradients, wanted)
    assert torch.equal(then, after), "the stream of random numbers went another way"


@pytest.mark.parametrize("what", ["mlp", "recurrent", "conv dropout"])
@pytest.mark.parametrize("engine", ["stepwise", "torch", "native"])
def test_by_every_engine_and_with_a_constant_input(engine, what):
    x = sequence(what)[:1]
    whole, wanted, _ = trained(build(what, "stepwise"), x)
    network = build(what, engine)
    network.checkpoint_steps = 4  # the last part is a single step
    output, gradients, _ = trained(network, x)
    torch.testing.assert_close(output.y, whole.y)
    torch.testing.assert_close(gradients, wanted)
    for name, spk_TBN in whole.hidden.items():
        assert torch.equal(output.counts[name], spk_TBN.sum((0, 1)).float())


@pytest.mark.parametrize("what", ["mlp", "recurrent", "dropout"])
def test_the_membrane_is_overwritten_in_each_part_alone(what):
    x = sequence(what)
    _, wanted, _ = trained(build(what), x)
    network = build(what)
    network.checkpoint_steps = 0
    for _, layer in network.named_layers():
        layer.neurons.overwrite_membrane = True
    torch.testing.assert_close(trained(network, x)[1], wanted)


@pytest.mark.parametrize("what", ["mlp", "recurrent", "conv"])
def test_in_half_precision(what):
    """As under the trainer's ``bf16-mixed``: state in float32, spikes in bfloat16."""
    network, x = build(what, dtype=torch.float32), sequence(what, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        whole, wanted, _ = trained(network, x)
        network.checkpoint_steps = 5
        output, gradients, _ = trained(network, x)
    assert torch.equal(output.y, whole.y)
    for name, gradient in wanted.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=0.05, atol=0.05)


LENGTHS = torch.tensor([13, 1, 6, 9])


@pytest.mark.parametrize("steps", PARTS)
@pytest.mark.parametrize("what", ["mlp", "recurrent", "conv dropout"])
def test_counts_are_of_the_valid_steps(what, steps):
    network, x = build(what), sequence(what)
    whole, _, _ = trained(network, x)
    network.checkpoint_steps = steps
    output, _, _ = trained(network, x, LENGTHS)
    valid_TB = torch.arange(STEPS)[:, None] < LENGTHS
    assert torch.equal(output.y, whole.y)
    for name, spk_TBN in whole.hidden.items():
        assert (spk_TBN[~valid_TB] != 0).any()
        wanted = spk_TBN[valid_TB].sum(0).float()
        assert torch.equal(output.counts[name], wanted)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("what", ["mlp", "recurrent", "conv dropout"])
def test_activity_is_regularised_as_without_parts(what, lengths):
    objective = CEMax(lower_rate=0.3, lower_strength=5.0, upper_rate=0.4, upper_strength=7.0)
    full = torch.full((BATCH,), STEPS) if lengths is None else lengths
    target = torch.tensor([0, 2, 1, 0])

    def loss(output):
        return objective(output.y, target, full, output.hidden, output.counts).loss

    network, x = build(what), sequence(what)
    whole, wanted, _ = trained(network, x, full, loss)
    network.checkpoint_steps = 0
    output, gradients, _ = trained(network, x, full, loss)
    bare = CEMax()(output.y, target, full, {}).loss
    assert loss(output) > bare + 0.01
    # The counts are in float32, as are the rates made of them.
    torch.testing.assert_close(loss(output), loss(whole), rtol=1e-6, atol=0)
    torch.testing.assert_close(gradients, wanted, rtol=1e-5, atol=1e-7)


def test_a_readout_that_spikes_is_no_hidden_layer():
    network, x = build("mlp", readout="spikes"), sequence("mlp")
    objective = CERate()

    def loss(output):
        full = torch.full((BATCH,), STEPS)
        return objective(output.y, torch.tensor([0, 2, 1, 0]), full, output.hidden).loss

    whole, wanted, _ = trained(network, x, loss=loss)
    network.checkpoint_steps = 3
    output, gradients, _ = trained(network, x, loss=loss)
    assert list(output.counts) == ["hidden1", "hidden2"]
    assert torch.equal(output.y, whole.y)
    torch.testing.assert_close(gradients, wanted)


# --- What is kept all the same.


def test_in_evaluation_everything_is_kept():
    network, x = build("dropout").eval(), sequence("dropout")
    whole = network(x)
    network.checkpoint_steps = 0
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode():
            output = network(x, lengths_B=LENGTHS)
        assert output.counts == {}
        assert torch.equal(output.y, whole.y)
        for name, spk_TBN in whole.hidden.items():
            assert torch.equal(output.hidden[name], spk_TBN)


@pytest.mark.parametrize("truncate", [None, 5])
def test_a_record_keeps_everything(truncate):
    network, x = build("mlp"), sequence("mlp")
    whole = network(x, record=True)
    network.checkpoint_steps, network.truncate_steps = 0, truncate
    output = network(x, record=True)
    assert output.counts == {}
    assert output.records.keys() == {"hidden1", "hidden2", "readout"}
    for name, record in whole.records.items():
        assert torch.equal(output.records[name].membrane, record.membrane)
    assert torch.equal(output.hidden["hidden1"], whole.hidden["hidden1"])


def test_a_training_pass_without_gradients_keeps_everything():
    network, x = build("mlp"), sequence("mlp")
    network.checkpoint_steps = network.truncate_steps = 4
    with torch.no_grad():
        output = network(x)
    assert list(output.hidden) == ["hidden1", "hidden2"]
    assert output.counts == {}


# --- Gradients cut between parts.


def by_hand(network, x_TBF, steps):
    """The parts one after the other, each from the states of the one before, detached."""
    ys, states = [], None
    for first in range(0, STEPS, steps):
        y, passes = network.run(x_TBF[first : first + steps], states=states)
        ys.append(y)
        states = {
            name: LayerState(
                type(done.state.neurons)(*(field.detach() for field in done.state.neurons)),
                done.state.mask,
                None if done.state.past is None else done.state.past.detach(),
            )
            for name, done in passes.items()
        }
    return torch.cat(ys)


@pytest.mark.parametrize("steps", [1, 4, 5, 12])
@pytest.mark.parametrize("checkpoint", [None, 0, 3, 5, 50])
@pytest.mark.parametrize(
    "what", ["mlp", "recurrent", "through the reset", "dropout", "sew", "delays"]
)
def test_a_cut_gradient_is_that_of_the_parts_by_hand(what, checkpoint, steps):
    network = build(what)
    x = sequence(what).requires_grad_()
    torch.manual_seed(5)
    y = by_hand(network, x, steps)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    (y * weights).sum().backward()
    wanted = {name: p.grad for name, p in network.named_parameters()} | {"x": x.grad}
    whole, uncut, _ = trained(build(what), sequence(what))

    network = build(what)
    network.truncate_steps, network.checkpoint_steps = steps, checkpoint
    output, gradients, _ = trained(network, sequence(what))
    assert torch.equal(output.y, whole.y)
    assert torch.equal(output.y, y)
    torch.testing.assert_close(gradients, {name: wanted[name] for name in gradients})
    assert not torch.allclose(gradients["x"], uncut["x"]), "nothing was cut"
    if checkpoint is None:
        assert output.counts == {}
        for name, spk_TBN in whole.hidden.items():
            assert torch.equal(output.hidden[name], spk_TBN)


def test_nothing_reaches_across_the_cut():
    network, x = build("recurrent"), sequence("recurrent")
    network.truncate_steps = 5
    _, gradients, _ = trained(network, x, loss=lambda output: output.y[7].sum())
    reached = gradients["x"].flatten(1).abs().sum(1) > 0
    assert reached.nonzero().flatten().tolist() == [5, 6, 7]


@pytest.mark.parametrize("steps", [STEPS, STEPS + 1, 10 * STEPS])
@pytest.mark.parametrize("what", ["mlp", "recurrent", "conv dropout"])
def test_a_cut_behind_the_end_cuts_nothing(what, steps):
    network, x = build(what), sequence(what)
    whole, wanted, _ = trained(network, x)
    network.truncate_steps = steps
    output, gradients, _ = trained(network, x)
    assert torch.equal(output.y, whole.y)
    assert output.hidden.keys() == whole.hidden.keys()
    for name, gradient in wanted.items():
        assert torch.equal(gradients[name], gradient)


# --- What it is for.

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux' /proc")

# Each measurement in a process of its own, forked from one that has paid for imports and kernels.
MEASURE = """
import os, sys, torch
from surrolab.models import MLPFactory, Surroundings
from surrolab.neurons import LeakyFactory
from surrolab.surrogates import FastSigmoid

torch.set_num_threads(1)
torch.manual_seed(0)
around = Surroundings((20,), 10, 100, LeakyFactory(), FastSigmoid(5.0), sys.argv[1], "membrane")
network = MLPFactory([400, 400]).build(around)

def step(steps, batch=64):
    x = torch.randn(1, batch, 20).expand(steps, -1, -1)  # the input takes no room
    network(x).y.square().mean().backward()

def status(name):
    with open("/proc/self/status") as file:
        (line,) = [line for line in file if line.startswith(name)]
    return int(line.split()[1])

def peak(steps, parts):
    ours, theirs = os.pipe()
    if os.fork() == 0:
        network.checkpoint_steps = parts
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = status("VmRSS")
        step(steps)
        os.write(theirs, str(status("VmHWM") - before).encode())
        os._exit(0)
    os.wait()
    os.close(theirs)
    return int(os.read(ours, 100))

for network.checkpoint_steps in (None, 2):
    step(4)
    network.zero_grad()
lengths = map(int, sys.argv[2:])
print(*(f"{peak(steps, None)} {peak(steps, 0)}" for steps in lengths))
"""


def peaks(engine, *lengths):
    """kB above the start, of all kept and of parts computed again, for each length."""
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, engine, *map(str, lengths)],
        # What is freed is given back at once, so that the peak is that of what is in use.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "32768", "MALLOC_MMAP_MAX_": "10000000"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    found = list(map(int, process.stdout.split()))
    print(f"kB of all kept: {found[::2]}; of parts computed again: {found[1::2]}")
    return found[::2], found[1::2]


@linux
def test_four_times_the_length_takes_twice_the_memory():
    kept, again = peaks("auto", 100, 400)
    assert 2.7 < kept[1] / kept[0] < 4.5
    assert again[1] / again[0] < 2.2
    assert again[1] < kept[1] / 3


@linux
@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stepwise", "torch", "native"])
def test_memory_grows_as_the_root_of_the_length(engine):
    """From 10^2 to 20^2 to 30^2 steps: the root grows evenly, the length by 3 and by 5."""
    for peak, wanted in zip(peaks(engine, 100, 400, 900), (5 / 3, 1), strict=True):
        growth = (peak[2] - peak[1]) / (peak[1] - peak[0])
        assert growth == pytest.approx(wanted, abs=0.35)
