"""Two processes on the CPU: metrics of all ranks, the same weights, and no process left behind."""

import json
import subprocess

import pytest
import torch
from conftest import Run

SETTING = ("trainer.max_epochs=2", "model.dropout=0", "optimizer.lr=0.001")


def test_two_processes_report_what_one_reports(program):
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
