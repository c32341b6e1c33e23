"""A run that is killed and resumed ends with the very weights of one that was not."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import Program, Run

from surrolab.callbacks import checkpoints
from surrolab.native import available

EPOCHS = 4
# Random encoding and dropout: every stream has to come back, not only the order of the samples.
SETTING = (
    f"trainer.max_epochs={EPOCHS}",
    "encoding=rate",
    "model.dropout=0.2",
    "optimizer.schedule=cosine",
    "callbacks.early_stopping_patience=50",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that is not killed."""
    run = Program(tmp_path_factory.mktemp("whole")).run("run", *SETTING)
    facts = json.loads((run.path / "provenance.json").read_text())
    fastest = "native" if available() is None else "torch"
    assert {layer["engine"] for layer in facts["layers"].values()} == {fastest}
    return run


def same(run, other):
    assert run.weights.keys() == other.weights.keys()
    for name, tensor in run.weights.items():
        assert torch.equal(tensor, other.weights[name]), name
    assert run.rows == other.rows
    assert run.result["metrics"] == other.result["metrics"]


def resumed(program, name):
    process = program(f"resume={name}")
    assert process.returncode == 0, process.stderr
    return Run(process, program.directory / name)


# Where the process is stopped dead: a function of the program, and after how many calls of it.
MOMENTS = {
    "in an epoch": ("surrolab.task.Task.training_step", 47),
    "in the first epoch": ("surrolab.task.Task.training_step", 9),
    "in a validation": ("surrolab.task.Task.validation_step", 8),
    "before the best is written": (
        "surrolab.callbacks.checkpoints.Checkpoints.on_validation_end",
        3,
    ),
    "in the write of a checkpoint": ("torch.save", 5),
    "between best and last": (
        "surrolab.callbacks.checkpoints.AtomicCheckpointIO.save_checkpoint",
        6,
    ),
    "in the test": ("surrolab.task.Task.test_step", 2),
}
KILLER = """
import importlib, os, signal, sys
target, calls = sys.argv[1], int(sys.argv[2])
module, _, rest = target.rpartition(".")
try:
    owner = importlib.import_module(module)
except ModuleNotFoundError:
    module, _, name = module.rpartition(".")
    owner = getattr(importlib.import_module(module), name)
real, seen = getattr(owner, rest), [0]
def dying(*args, **kwargs):
    seen[0] += 1
    if seen[0] == calls:
        if rest == "save":  # half of a checkpoint is on the disk
            args[1].write(b"half a checkpoint" * 1000)
            args[1].flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)
setattr(owner, rest, dying)
sys.argv = ["train.py", *sys.argv[3:]]
from surrolab.cli import train
train()
"""
DYING = [sys.executable, "-c", KILLER]


ALWAYS = ("between best and last",)


@pytest.mark.parametrize(
    "moment",
    [m if m in ALWAYS else pytest.param(m, marks=pytest.mark.slow) for m in MOMENTS],
)
def test_killed_and_resumed_equals_not_killed(program, whole, moment):
    target, calls = MOMENTS[moment]
    process = subprocess.run(
        [*DYING, target, str(calls), "hydra.run.dir=run", "logger=none", *SETTING],
        cwd=program.directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    same(resumed(program, "run"), whole)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.11, 0.23, 0.31, 0.47, 0.59, 0.73, 0.97])
def test_killed_at_any_time_and_again(program, whole, delay):
    """From outside, by the clock, twice."""
    process = program.start("hydra.run.dir=run", "logger=none", *SETTING)
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    time.sleep(delay)
    process.kill()
    process.wait()
    process.stdout.close()
    again = program.start("resume=run")
    for line in again.stdout:
        if line.startswith(("epoch", "run directory")):
            break
    again.kill()
    again.wait()
    again.stdout.close()
    same(resumed(program, "run"), whole)


@pytest.mark.parametrize(
    "sig", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_says_so_and_goes_on(program, whole, sig):
    process = program.start("hydra.run.dir=run", "logger=none", *SETTING)
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    process.send_signal(sig)
    process.stdout.read()
    process.stdout.close()
    assert process.wait() == 130
    result = json.loads((program.directory / "run" / "result.json").read_text())
    assert result["status"] == "interrupted"
    assert 0 < result["metrics"]["val/accuracy"] < 1  # of the last finished epoch
    same(resumed(program, "run"), whole)


@pytest.mark.slow
def test_more_epochs_for_a_completed_run(program):
    # A schedule over all steps of the run would be another one in a longer run.
    longer = program.run("longer", "trainer.max_epochs=4", "optimizer.schedule=constant")
    program.run("run", "trainer.max_epochs=2", "optimizer.schedule=constant")
    again = program("resume=run")
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert program("resume=run", "trainer.max_epochs=4").returncode == 0
    same(Run(again, program.directory / "run"), longer)


@pytest.mark.slow
def test_a_completed_run_that_goes_on_can_be_killed(program):
    whole = program.run("whole", "trainer.max_epochs=3", "optimizer.schedule=constant")
    run = program.run("run", "trainer.max_epochs=1", "optimizer.schedule=constant")
    process = program.start("resume=run", "trainer.max_epochs=3")
    for line in process.stdout:
        if line.startswith("epoch 2/"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert run.result["status"] == "interrupted"
    same(resumed(program, "run"), whole)


@pytest.mark.slow
def test_a_run_that_stopped_early_is_not_trained_further(program):
    setting = (
        "trainer.max_epochs=30",
        "callbacks.early_stopping_patience=1",
        "callbacks.early_stopping_min_delta=0.5",
    )
    whole = program.run("whole", *setting)
    assert len(whole.rows) < 10
    process = subprocess.run(
        [*DYING, "surrolab.task.Task.test_step", "1", "hydra.run.dir=run", "logger=none", *setting],
        cwd=program.directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == -signal.SIGKILL
    same(resumed(program, "run"), whole)


def test_the_write_of_a_checkpoint_is_atomic(tmp_path, monkeypatch):
    io = checkpoints.AtomicCheckpointIO()
    path = tmp_path / "last.ckpt"
    io.save_checkpoint({"state_dict": {"w": torch.ones(3)}}, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with contextlib.suppress(OSError):
            io.save_checkpoint({"state_dict": {"w": torch.zeros(3)}}, path)
    assert torch.equal(torch.load(path, weights_only=True)["state_dict"]["w"], torch.ones(3))
    assert os.listdir(tmp_path) == ["last.ckpt"]
