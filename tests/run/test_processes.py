"""Two processes on the CPU: metrics of all ranks, the same weights, and no process left behind."""

import json
import subprocess

import numpy as np
import pytest
import torch
from conftest import Run

SETTING = ("trainer.max_epochs=2", "model.dropout=0", "optimizer.lr=0.001")


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(program):
    """Half the batch in each of two processes is the same step as the whole batch in one.

    The numbers of samples (1258, 180 and 359) divide by nothing: the shards differ in size.
    """
    one = program.run("one", "data.batch_size=64", *SETTING)
    two = program.run("two", "trainer=ddp_cpu", "data.batch_size=32", *SETTING)
    assert two.process.stderr == ""
    facts = json.loads((two.path / "provenance.json").read_text())
    assert facts["processes"] == 2
    for a, b in zip(one.rows, two.rows, strict=True):
        assert a["step"] == b["step"]
        # Sums over all ranks: a rank alone would be off by whole samples.
        for name in ("val/accuracy", "val/loss", "train/loss", "spikes/hidden1/rate"):
            assert float(a[name]) == pytest.approx(float(b[name]), rel=2e-3, abs=2e-3), name
    for name, tensor in one.weights.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, two.weights[name], atol=2e-3), name
    accuracy = two.result["metrics"]["test/accuracy"]
    size = two.result["samples"]["test"]
    assert accuracy * size == pytest.approx(round(accuracy * size), abs=1e-3)


@pytest.mark.slow
def test_two_processes_whose_batches_differ_in_length(program):
    words = ("data=japanese_vowels", "model.norm=bntt", "trainer=ddp_cpu", "trainer.max_epochs=2")
    assert program.run("run", *words).result["metrics"]["test/accuracy"] > 0.3


# Weights stay as they are to the last bit, so that nothing but the statistics can differ.
STILL = (
    *("trainer.max_epochs=2", "optimizer.lr=1e-12", "encoding.steps=5", "model.hidden=[20,11]"),
    *("data.val_fraction=0.1007", "trainer.log_every_n_steps=20", "diagnostics.every_epochs=1"),
)


def test_statistics_of_two_processes_are_those_of_one(program):
    """1257, 181 and 359 samples: odd, so that the processes' shares and last batches differ."""
    one = program.run("one", "data.batch_size=64", *STILL)
    two = program.run("two", "trainer=ddp_cpu", "data.batch_size=32", *STILL)
    assert two.process.stderr == ""
    assert json.loads((two.path / "provenance.json").read_text())["processes"] == 2
    assert (
        one.result["samples"] == two.result["samples"] == {"train": 1257, "val": 181, "test": 359}
    )
    compared = set()
    for a, b in zip(one.rows, two.rows, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            if a[name]:
                compared.add(name)
                exact = name.endswith(("accuracy", "rate", "_fraction", "dense", "epoch"))
                close = pytest.approx(float(b[name]), rel=1e-12 if exact else 2e-6, abs=1e-12)
                assert float(a[name]) == close, name
    assert compared >= {
        *("train/loss", "train/accuracy", "val/loss", "val/accuracy", "train/loss_step"),
        *("spikes/hidden1/rate", "spikes/hidden2/silent_fraction", "gradients/hidden1/norm"),
        *("train/spikes/hidden2/rate", "synops/effective_acs", "gradients/hidden1/window_fraction"),
        *("membrane/hidden1/std", "gradients/hidden1/membrane_norm", "spikes/hidden1/isi_cv"),
    }
    for name, value in one.result["metrics"].items():
        if name.startswith("test/"):
            assert value == pytest.approx(two.result["metrics"][name], rel=2e-6), name
    for when, samples in (("epoch0001", 181), ("epoch0002", 181), ("test", 359)):
        counts = [
            np.load(run.path / "records" / f"confusion-{when}.npz")["counts"] for run in (one, two)
        ]
        assert np.array_equal(*counts)
        assert counts[0].sum() == samples
    memory = [f"system/{which}memory_mib" for which in ("", "rank0/", "rank1/")]
    for row in two.all_rows:
        most, *ranks = (float(row[name]) for name in memory)
        assert most == max(ranks)
        assert min(ranks) > 10


@pytest.mark.slow
def test_two_processes_resume(program):
    whole = program.run("whole", "trainer=ddp_cpu", *SETTING)
    process = program.start("trainer=ddp_cpu", "hydra.run.dir=run", "logger=none", *SETTING)
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    again = program("resume=run")
    assert again.returncode == 0, again.stderr
    run = Run(again, program.directory / "run")
    for name, tensor in whole.weights.items():
        assert torch.equal(tensor, run.weights[name]), name
    left = subprocess.run(["pgrep", "-f", f"rank {run.path}"], capture_output=True, text=True)
    assert left.stdout == ""


@pytest.mark.slow
def test_several_distributed_runs_in_one_command(program):
    process = program("--multirun", "trainer=ddp_cpu", "debug=smoke", "seed=0,1")
    assert process.returncode == 0, process.stderr
    results = [
        json.loads(p.read_text()) for p in program.directory.glob("outputs/runs/*/*/result.json")
    ]
    assert [result["status"] for result in results] == ["completed"] * 2
