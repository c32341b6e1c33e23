"""Delays in whole runs: what only they can learn, and a width that survives a stop."""

import itertools

import numpy as np
import pytest
import torch
from conftest import Run

from surrolab.cli import train
from surrolab.run.directory import RunDirectory
from surrolab.run.load import load_run
from surrolab.task import Task

LATE = (3, 8)  # steps between two spikes, by class


@pytest.fixture(scope="module")
def lags(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A spike of one input, then one of the other: what differs is the time in between."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2
    first = rng.integers(0, 18, len(y))
    x = np.zeros((len(y), 30, 2), np.float32)
    x[np.arange(len(y)), first, 0] = x[np.arange(len(y)), first + np.take(LATE, y), 1] = 1
    path = tmp_path_factory.mktemp("lags") / "lags.npz"
    np.savez(path, x=x, y=y)
    return f"data=arrays data.path={path} data.batch_size=32 neuron.beta=0.1 surrogate=atan"


@pytest.mark.parametrize(
    ("words", "learns"), [("model.max_delay=10", True), ("model.max_delay=null", False)]
)
def test_a_lag_is_told_by_delays_that_are_learned(here, lags, words, learns):
    """Neurons forget within a step or two: only spikes that are made to meet make them fire."""
    size = "model.hidden=[16] model.init_gain=2 optimizer.lr=0.005 trainer.max_epochs=16 threads=1"
    status, _, err = here(*lags.split(), *size.split(), *words.split(), "diagnostics=none")
    assert status == 0, err
    accuracy = here.run.result["metrics"]["test/accuracy"]
    assert accuracy > 0.95 if learns else accuracy < 0.65
    if learns:  # by the same factor over the first quarter of the epochs
        sigmas = [float(w) for row in here.run.rows if (w := row["delays/hidden1/sigma"])]
        assert sigmas == pytest.approx([5 * 0.1 ** (n / 4) for n in range(4)] + [0.5] * 12)
        # Both inputs of a neuron arrive together for one of the two lags.
        _, parts = load_run(RunDirectory(here.run.path), "best")
        layer = parts.task.network.layers["hidden1"]
        gaps = (layer.synapse.delay[:, 0] - layer.synapse.delay[:, 1]).round().int().tolist()
        assert set(LATE) & set(gaps)
    else:
        assert not any(name.startswith("delays/") for name in here.run.result["metrics"])


WORDS = (
    "model.hidden=[12]",
    "model.max_delay=6",
    "encoding=rate",
    "encoding.steps=10",
    "trainer.max_epochs=8",
    "trainer.limit_train_batches=4",
    "trainer.limit_val_batches=2",
    "trainer.limit_test_batches=1",
    "threads=1",
    "logger=none",
)


def go(*words):
    with pytest.raises(SystemExit) as end:
        train(list(words))
    return int(end.value.code or 0)


def saved(path, which="last"):
    return torch.load(path / "checkpoints" / f"{which}.ckpt", weights_only=True)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("model=mlp", marks=pytest.mark.slow),
        "model=recurrent checkpoint_steps=4",
    ],
)
def test_stopped_and_resumed_equals_not_stopped(tmp_path, monkeypatch, words):
    whole, run = tmp_path / "whole", tmp_path / "run"
    given = (*words.split(), *WORDS)
    assert go(f"hydra.run.dir={whole}", *given) == 0
    real, calls = Task.training_step, itertools.count(1)

    def stopping(self, batch, batch_idx):
        if next(calls) == 7:  # in the second epoch, of two with wider kernels
            raise RuntimeError("stop")
        return real(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Task, "training_step", stopping)
        assert go(f"hydra.run.dir={run}", *given) == 1
    sigma = "network.layers.hidden1.synapse.sigma"
    assert saved(run)["epoch"] == 0
    assert saved(run)["state_dict"][sigma] == 3.0
    assert go(f"resume={run}") == 0
    ours, theirs = saved(run)["state_dict"], saved(whole)["state_dict"]
    assert ours[sigma] == 0.5
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    rows, others = Run(None, run).rows, Run(None, whole).rows
    assert rows == others
    widths = [float(row["delays/hidden1/sigma"]) for row in rows]
    assert widths[:3] == pytest.approx([3.0, 3.0 * (0.5 / 3.0) ** 0.5, 0.5])
    best = saved(run, "best")
    state = next(state for key, state in best["callbacks"].items() if key.startswith("Check"))
    assert float(best["state_dict"][sigma]) == pytest.approx(widths[state["best_epoch"]])
