"""Slope and scale over a training run: what is set, logged, measured, kept and refused."""

import csv
import itertools
import subprocess
from types import SimpleNamespace

import pytest
import snntorch
import torch
from conftest import Run
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from surrolab.cli import train
from surrolab.data import Batch
from surrolab.neurons import SpikingLayer
from surrolab.run.build import build_parts
from surrolab.run.directory import RunDirectory
from surrolab.run.load import load_run
from surrolab.schema import CONF, validate
from surrolab.surrogates import FastSigmoid, Triangle
from surrolab.task import Task

SHORT = (
    "surrogate=fast_sigmoid",
    "encoding.steps=10",
    "trainer.limit_train_batches=4",
    "trainer.limit_val_batches=2",
    "trainer.limit_test_batches=1",
)


def configured(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*words, "name=test", "logger=none"])
    return validate(OmegaConf.to_container(config, resolve=True))


def go(path, *words):
    words = words if words[0].startswith("resume=") else ("logger=none", *SHORT, *words)
    where = [] if words[0].startswith("resume=") else [f"hydra.run.dir={path}"]
    with pytest.raises(SystemExit) as end:
        train([*where, *words])
    return int(end.value.code or 0)


def column(path, name):
    with (path / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def saved(path):
    return torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)


# The others train in the tests below.
@pytest.mark.parametrize("words", ["slope=constant", "scale=exponential"])
def test_an_option_trains(here, words):
    status, _, err = here("debug=smoke", words)
    assert (status, err) == (0, "")
    moving = [name for name in here.run.result["metrics"] if name.startswith("surrogate/")]
    group, _, option = words.partition("=")
    assert moving == ([] if option == "constant" else [f"surrogate/hidden1/{group}"])


def test_a_schedule_is_in_force_and_in_the_rows(tmp_path, monkeypatch):
    seen = []

    def watched(name):
        real = getattr(Task, name)

        def step(self, batch, batch_idx):
            surrogate = self.network.layers["hidden1"].neurons.surrogate
            seen.append((name, self.current_epoch, self.global_step, surrogate.slope))
            seen.append((name, self.current_epoch, self.global_step, surrogate.scale))
            return real(self, batch, batch_idx)

        monkeypatch.setattr(Task, name, step)

    watched("training_step")
    watched("validation_step")
    words = ("slope=exponential", "slope.end=100", "scale=linear", "scale.unit=steps")
    assert go(tmp_path, *words, "scale.end=12", "model.hidden=[8,8]", "trainer.max_epochs=3") == 0
    slopes = [25.0, 50.0, 100.0]
    steps = [1.0 + step for step in range(12)]  # 12 steps, from 1 to 12
    for name, epoch, step, value in seen[::2]:
        assert value == pytest.approx(slopes[epoch]), (name, epoch, step)
    for name, epoch, step, value in seen[1::2]:
        last = step if name == "training_step" else step - 1
        assert value == pytest.approx(steps[last]), (name, epoch, step)
    assert len(seen) == 2 * (12 + 6)
    for layer in ("hidden1", "hidden2"):
        assert column(tmp_path, f"surrogate/{layer}/slope") == pytest.approx(slopes)
        assert column(tmp_path, f"surrogate/{layer}/scale") == pytest.approx([4.0, 8.0, 12.0])
    # The window of an epoch is that of its slope.
    inside = column(tmp_path, "gradients/hidden1/window_fraction")
    assert inside[0] > inside[1] > inside[2]


def test_steps_are_those_of_the_optimizer(tmp_path):
    words = ("slope=linear", "slope.unit=steps", "slope.end=26", "trainer.max_epochs=2")
    assert go(tmp_path, *words, "trainer.accumulate_grad_batches=2") == 0
    # Two in each epoch: 25, 25 1/3; 25 2/3, 26.
    assert column(tmp_path, "surrogate/hidden1/slope") == pytest.approx([25 + 1 / 3, 26.0])


def test_what_is_constant_is_not_logged(tmp_path):
    assert go(tmp_path, "trainer.max_epochs=1") == 0
    assert "surrogate/" not in (tmp_path / "metrics.csv").read_text()
    assert "Slopes" not in saved(tmp_path)["callbacks"]


def membrane_deviations(parts):
    """Of the first validation batch, from the definition."""
    parts.data.setup()
    batch = next(iter(parts.data.val_dataloader()))
    parts.task.eval()
    with torch.no_grad():
        records = parts.task.evaluate(Batch(*batch), record=True).output.records
    return {
        name: records[name].membrane.double().flatten().std(correction=0).item()
        for name, _ in parts.task.network.hidden_layers()
    }


def test_an_adaptive_slope_follows_the_membrane(tmp_path):
    words = ("slope=adaptive", "slope.width_in_std=2", "model.hidden=[32,16]")
    assert go(tmp_path, *words, "trainer.max_epochs=1") == 0
    _, parts = load_run(RunDirectory(tmp_path), "last")
    std = membrane_deviations(parts)
    spreads = saved(tmp_path)["callbacks"]["Slopes"]["spreads"]
    assert spreads == pytest.approx(std, rel=1e-5)
    assert std["hidden1"] != pytest.approx(std["hidden2"], rel=0.05)
    assert go(tmp_path, f"resume={tmp_path}", "trainer.max_epochs=2") == 0
    for layer in std:
        # The fast sigmoid falls to 1 % of its peak at 9 / slope.
        expected = [25.0, 9 / (2 * std[layer])]
        assert column(tmp_path, f"surrogate/{layer}/slope") == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_an_adaptive_slope_takes_its_time(tmp_path):
    words = ("slope=adaptive", "slope.every_epochs=2", "trainer.max_epochs=5", "model.hidden=[16]")
    assert go(tmp_path, *words) == 0
    first, second, third, fourth, fifth = column(tmp_path, "surrogate/hidden1/slope")
    assert first == second == 25.0
    assert third == fourth != 25.0
    assert fifth != fourth


def test_padding_is_no_membrane():
    parts = build_parts(configured("slope=adaptive", "data=randman", "model.hidden=[6]"))
    task, slopes = parts.task, parts.slopes
    steps, lengths = 20, torch.tensor([20, 5, 12])
    generator = torch.Generator().manual_seed(0)
    x = 30 * torch.rand(steps, 3, *parts.data.sample_shape, generator=generator)
    x = x * (torch.arange(steps)[:, None] < lengths)[..., None]
    batch = Batch(x, torch.zeros(3, dtype=torch.int64), lengths)
    slopes.on_validation_batch_start(None, task, batch, 0)
    record = task.evaluate(batch, record=True).output.records["hidden1"]
    slopes.on_validation_batch_end(None, task, None, batch, 0)
    slopes._spread(SimpleNamespace(world_size=1), torch.device("cpu"))
    valid = [record.membrane[:length, i].flatten() for i, length in enumerate(lengths)]
    expected = torch.cat(valid).double().std(correction=0).item()
    found = slopes.state_dict()["spreads"]["hidden1"]
    assert found == pytest.approx(expected, rel=1e-5)
    assert found != pytest.approx(record.membrane.double().std(correction=0).item(), rel=0.02)
    assert not task.network.layers["hidden1"].neurons._forward_hooks


MOVING = {
    "scheduled": ("slope=cosine", "slope.end=80", "slope.unit=steps", "scale=exponential"),
    "adaptive": ("slope=adaptive", "slope.every_epochs=2", "scale=linear", "scale.unit=steps"),
    "learned": ("slope=learned", "slope.per=neuron", "scale=learned"),
}
ONE_IS_QUICK = [
    pytest.param(words, id=name, marks=[] if name == "adaptive" else [pytest.mark.slow])
    for name, words in MOVING.items()
]


def same(path, other):
    ours, theirs = saved(path), saved(other)
    assert ours["callbacks"]["Slopes"] == theirs["callbacks"]["Slopes"]
    for name, tensor in ours["state_dict"].items():
        assert torch.equal(tensor, theirs["state_dict"][name]), name
    assert run_at(path).rows == run_at(other).rows


def run_at(path):
    return Run(subprocess.CompletedProcess([], 0), path)


@pytest.mark.parametrize("words", ONE_IS_QUICK)
def test_stopped_and_resumed_equals_not_stopped(tmp_path, monkeypatch, words):
    words = (*words, "trainer.max_epochs=4", "model.hidden=[16,8]", "model.dropout=0.2")
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert go(whole, *words) == 0
    real, calls = Task.training_step, itertools.count(1)

    def stopping(self, batch, batch_idx):
        if next(calls) == 15:  # in the last epoch
            raise RuntimeError("stop")
        return real(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Task, "training_step", stopping)
        assert go(run, *words) == 1
    assert saved(run)["epoch"] == 2
    assert go(run, f"resume={run}") == 0
    same(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize("words", MOVING.values(), ids=MOVING)
def test_killed_and_resumed_equals_not_killed(program, words):
    words = (*words, "surrogate=atan", "trainer.max_epochs=6", "encoding=rate")
    whole = program.run("whole", *words)
    process = program.start("hydra.run.dir=run", "logger=none", *words)
    for line in process.stdout:
        if line.startswith("epoch 3/"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert program("resume=run").returncode == 0
    same(program.directory / "run", whole.path)


@pytest.mark.slow
@pytest.mark.parametrize("words", MOVING.values(), ids=MOVING)
def test_two_processes_agree(program, words):
    run = program.run("run", *words, "trainer=ddp_cpu", "trainer.max_epochs=3")
    best = run.rows[run.result["best_epoch"]]
    names = [name for name in best if name.startswith("surrogate/")]
    assert names
    for name in names:
        # The row is the first process's own value, the result the mean over both.
        assert run.result["metrics"][name] == pytest.approx(float(best[name]), rel=1e-6)
    values = [float(row["surrogate/hidden1/slope"]) for row in run.rows]
    assert values[-1] != values[0]


def test_the_value_that_was_in_force_is_loaded_with_a_checkpoint(tmp_path):
    assert go(tmp_path, "slope=linear", "slope.end=75", "trainer.max_epochs=3") == 0
    directory = RunDirectory(tmp_path)
    _, parts = load_run(directory, "initial")
    surrogate = parts.task.network.layers["hidden1"].neurons.surrogate
    assert surrogate.slope == 25.0
    parts.load(saved(tmp_path))
    assert surrogate.slope == 75.0


def test_a_learned_slope_moves_and_does_not_decay(tmp_path):
    words = ("slope=learned", "scale=learned", "scale.per=neuron", "model.hidden=[12]")
    words = (*words, "surrogate.slope=2", "surrogate.normalize=area", "optimizer=adamw")
    assert go(tmp_path, *words, "optimizer.weight_decay=0.5", "trainer.max_epochs=2") == 0
    config, parts = load_run(RunDirectory(tmp_path), "last")
    parameters = dict(parts.task.network.named_parameters())
    slope = parameters["layers.hidden1.neurons.neuron.spike_grad.slope"]
    scale = parameters["layers.hidden1.neurons.neuron.spike_grad.scale"]
    assert slope.shape == ()
    assert scale.shape == (12,)
    assert slope.item() != 2.0
    assert (scale != 1.0).sum() > 6  # all that had a gradient
    # Eight steps of AdamW at most: decay would show as 8 * 0.002 * 0.5 of the value.
    assert abs(slope.item() - 2.0) <= 8 * 0.002 + 1e-6
    optimizer, _ = parts.task.optimizer_factory.build(parts.task.network, 10, 5)
    decay = {
        id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]
    }
    assert decay[id(slope)] == decay[id(scale)] == 0.0
    assert decay[id(parameters["layers.hidden1.synapse.weight"])] == 0.5
    assert column(tmp_path, "surrogate/hidden1/slope")[-1] == slope.item()
    assert column(tmp_path, "surrogate/hidden1/scale_min")[-1] == scale.min().item()
    assert column(tmp_path, "surrogate/hidden1/scale_max")[-1] == scale.max().item()
    mean = scale.double().mean().item()
    assert column(tmp_path, "surrogate/hidden1/scale")[-1] == pytest.approx(mean, rel=1e-12)
    assert column(tmp_path, "gradients/hidden1/window_fraction")[-1] > 0
    assert config["scale"]["per"] == "neuron"


def test_layers_with_surrogates_of_their_own_are_as_built_by_hand():
    words = ("surrogate=fast_sigmoid", "model.hidden=[7,6]", "surrogate.slope=10")
    own = "layer_surrogates={hidden2: {option: triangle, slope: 3}}"
    network = build_parts(configured(*words, own)).task.network
    layers = dict(network.named_layers())
    assert type(layers["hidden1"].neurons.surrogate) is FastSigmoid
    assert repr(layers["hidden2"].neurons.surrogate) == repr(Triangle(3.0))
    x = 3 * torch.rand(9, 4, 64, generator=torch.Generator().manual_seed(0))
    linears, spikes = [], x
    for name, surrogate in (("hidden1", FastSigmoid(10.0)), ("hidden2", Triangle(3.0))):
        linear = nn.Linear(spikes.shape[-1], layers[name].shape[0])
        linear.load_state_dict(layers[name].synapse.state_dict())
        linears.append(linear)
        spikes = SpikingLayer(snntorch.Leaky(0.9, spike_grad=surrogate))(linear(spikes)).out
    output = network(x)
    assert torch.equal(output.hidden["hidden2"], spikes)
    assert spikes.sum() > 10
    weight = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(2))
    (spikes * weight).sum().backward()
    (output.hidden["hidden2"] * weight).sum().backward()
    for name, linear in zip(("hidden1", "hidden2"), linears, strict=True):
        ours = layers[name].synapse.weight.grad
        assert ours.abs().max() > 0
        torch.testing.assert_close(ours, linear.weight.grad)


def test_a_run_with_its_own_surrogates_writes_them_out_and_resumes(tmp_path):
    own = "layer_surrogates={hidden2: triangle, hidden1: {option: straight_through}}"
    words = (own, "model.hidden=[8,8]", "slope=linear", "slope.end=4")
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert go(whole, *words, "trainer.max_epochs=3") == 0
    assert RunDirectory(whole).read_config()["layer_surrogates"] == {
        "hidden2": {"option": "triangle", "slope": 1.0, "scale": 1.0, "normalize": "native"},
        "hidden1": {"option": "straight_through", "scale": 1.0, "normalize": "native"},
    }
    # The start is the layer's own, and a layer without a slope keeps out of it.
    assert column(whole, "surrogate/hidden2/slope") == [1.0, 2.5, 4.0]
    assert "surrogate/hidden1" not in (whole / "metrics.csv").read_text()
    assert go(run, *words, "trainer.max_epochs=1") == 0
    assert go(run, f"resume={run}", "trainer.max_epochs=2") == 0
    assert column(run, "surrogate/hidden2/slope") == [1.0, 4.0]
