"""Trials of several processes, and workers that a cluster's launcher starts."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import Sweep, until


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    made = Sweep(tmp_path)
    yield made
    made.end()


@pytest.mark.slow
def test_distributed_trials_of_one_warm_worker(sweep: Sweep) -> None:
    """One is pruned on both ranks, one diverges, and the worker is none the worse for it."""
    pruner = {"name": "threshold", "lower": 0.2, "n_warmup_steps": 1}
    points = [{"optimizer.lr": lr} for lr in (0.01, 1e-6, 1e37, 0.02)]
    space = {"optimizer.lr": {"low": 1e-6, "high": 1e37, "log": True}}
    sweep.spec(
        *("trainer=ddp_cpu", "trainer.max_epochs=8", "trainer.limit_train_batches=8"),
        space=space,
        pruner=pruner,
        starting_points=points,
        trials=4,
        workers=1,
    )
    process = sweep.start()
    first = sweep.wait_for_epoch(1, process)
    until(lambda: sweep.parts(3) or process.poll() is not None, 300)
    assert first in sweep.workers(), sweep.logs()
    end = sweep.wait(process)
    assert (end.status, end.err) == (0, ""), sweep.logs()
    sweep.none_left()
    trials = sweep.trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "COMPLETE", "COMPLETE"]
    assert trials[2].user_attrs["reason"] == "diverged"
    assert [trial.user_attrs["attempts"] for trial in trials] == [1] * 4
    assert sweep.parts(1) == [[1, 2]]


@pytest.mark.slow
def test_ranks_end_with_their_worker(sweep: Sweep) -> None:
    sweep.spec("trainer=ddp_cpu", "trainer.max_epochs=30", trials=1, workers=1)
    process = sweep.start()
    worker = sweep.wait_for_epoch(2, process)
    ranks = set(sweep.processes("rank"))
    assert ranks
    os.kill(worker, signal.SIGKILL)
    until(lambda: not ranks & set(sweep.processes()), 30, lambda: str(sweep.processes()))
    # Ctrl-C, and a rank that dies by itself.
    sweep.wait_for_epoch(4, process)
    process.send_signal(signal.SIGINT)
    ended = sweep.wait(process, 90)
    assert (ended.status, ended.err) == (130, "surrolab: interrupted\n")
    sweep.none_left(10)
    process = sweep.start()
    sweep.wait_for_epoch(6, process)
    for rank in sweep.processes("rank"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(rank, signal.SIGKILL)
    ended = sweep.wait(process, 300)
    assert (ended.status, ended.err) == (0, ""), sweep.logs()
    sweep.none_left(10)
    sweep.check_epochs(0, 30)
    assert len([part for part in sweep.parts(0) if part]) == 4


@pytest.mark.slow
def test_jobs_of_a_cluster(sweep: Sweep) -> None:
    """submitit's executor for this machine in place of SLURM."""
    local = ("launcher=slurm", "launcher.cluster=local", "workers=2")
    sweep.spec("trainer.max_epochs=60", trials=4)
    process = sweep.start(*local)
    os.kill(sweep.wait_for_epoch(3, process), signal.SIGKILL)
    until(lambda: any(row.attempts > 1 for row in sweep.places()), 180)
    sweep.wait_for_epoch(20, process)
    process.send_signal(signal.SIGINT)
    ended = sweep.wait(process, 60)
    assert ended.status == 130, ended
    assert ended.err.splitlines()[-1] == "surrolab: interrupted"
    sweep.none_left(10)
    sweep.finish(*local, timeout=300)
    trials = sweep.trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4
    assert max(trial.user_attrs["attempts"] for trial in trials) > 1
    for trial in trials:
        sweep.check_epochs(trial.number, 60)
    json.loads((sweep.path / "study.json").read_text())
