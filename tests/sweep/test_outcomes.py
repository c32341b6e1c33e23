"""Trials that crash, diverge, stay silent, or are several runs: what the study makes of them.

The worker is this process, in which the imports have been paid for.
"""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from sweeps import Sweep

from surrolab.cli import main
from surrolab.sweep import supervise as supervise_module
from surrolab.sweep.worker import work


class Here:
    """A worker that has done its work before it is asked how it is."""

    def __init__(self, status: int) -> None:
        self._status = status

    def status(self) -> int:
        return self._status

    def stop(self, at_once: bool = False) -> None:
        pass


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    """Its command works in this process."""

    class Launcher:
        def __init__(self, job: Any) -> None:
            self._job = job

        def start(self, index: int) -> Here:
            job = self._job
            return Here(work(job.url, job.study, job.directory, job.deadline, None))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervise_module, "make_launcher", lambda job, _: Launcher(job))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield Sweep(tmp_path)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Status of the sweep, and the last line of standard error."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["sweep", "study.yaml", "workers=1", *words])
    err = capsys.readouterr().err.splitlines()
    return int(end.value.code or 0), err[-1] if err else ""


def test_trials_that_crash_do_not_count(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    # A layer that only the deeper networks have: nobody sees it before the network is built.
    space = {"model.hidden": [[8], [8, 8]]}
    sweep.spec("trainer.max_epochs=1", "model.freeze=[hidden2]", space=space, trials=3)
    status, err = told(capsys)
    assert (status, err.count("trial")) == (0, 1) if err else (0, 0)
    trials = sweep.trials()
    states = [trial.state.name for trial in trials]
    assert states.count("COMPLETE") == 3
    assert "FAIL" in states
    failed = trials[states.index("FAIL")]
    assert "hidden2" in failed.user_attrs["error"]
    assert sweep.result(failed.number)["status"] == "failed"
    # A grid says which point is missing, and tries it again.
    grid = {"sampler": "grid", "study": "grid"}
    sweep.spec("trainer.max_epochs=1", "model.freeze=[hidden2]", space=space, **grid)
    for _ in range(2):
        status, err = told(capsys)
        assert status == 1
        assert "1 of 2 trials are finished" in err
        assert "hidden2" in err


def test_a_trial_says_what_it_left_out_of_an_experiment(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["experiment=randman_zenke2021", "debug=smoke", "data.samples_per_class=10"]
    sweep.spec(base=base, space={"surrogate": ["none"]}, sampler="grid")
    assert told(capsys) == (0, "")
    log = (sweep.path / "trials" / "0" / "train.log").read_text()
    assert log.count("left out of experiment=randman_zenke2021: surrogate.slope=10.0") == 1


def test_where_all_crash_the_sweep_gives_up(
    sweep: Sweep, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from surrolab.data.digits import Digits

    def gone(self: Digits) -> None:
        raise RuntimeError("the samples are gone")

    sweep.spec("trainer.max_epochs=1", trials=2, max_failures=3)
    with monkeypatch.context() as broken:
        broken.setattr(Digits, "setup", lambda self, stage=None: gone(self))
        status, err = told(capsys)
    assert status == 1
    assert err.startswith("surrolab: 3 trials failed")
    assert "the samples are gone" in err
    assert [trial.state.name for trial in sweep.trials()] == ["FAIL"] * 3
    assert told(capsys) == (0, "")
    assert [trial.state.name for trial in sweep.trials()[3:]] == ["COMPLETE"] * 2


@pytest.mark.parametrize("objective", ["val/accuracy", "several"])
def test_trials_that_learn_nothing_are_complete(
    sweep: Sweep, capsys: pytest.CaptureFixture[str], objective: str
) -> None:
    goals = {"val/accuracy": "maximize"}
    if objective == "several":
        goals |= {"val/loss": "minimize", "train/loss": "minimize"}
        goals |= {"synops/effective_acs": "minimize"}
    points = [
        {"optimizer.lr": 1e37, "neuron.threshold": 1.0, "model.init_gain": 1.0},
        {"optimizer.lr": 1e37, "neuron.threshold": 1.0, "model.init_gain": 1e38},
        {"optimizer.lr": 1e-3, "neuron.threshold": 1e3, "model.init_gain": 1.0},
    ]
    space = {name: {"low": 1e-3, "high": 1e38, "log": True} for name in points[0]}
    sweep.spec(
        "trainer.max_epochs=2", space=space, trials=3, objectives=goals, starting_points=points
    )
    assert told(capsys) == (0, "")
    later, first, silent = sweep.trials()
    assert [t.state.name for t in (later, first, silent)] == ["COMPLETE"] * 3
    for trial in (later, first):
        assert trial.user_attrs["reason"] == "diverged"
        assert trial.values[0] == 0.1
        if objective == "several":
            assert trial.values[1:3] == pytest.approx([2.302585] * 2)
            assert trial.values[3] > 0
    assert silent.user_attrs["reason"] == "silent: hidden1"
    assert silent.values[0] == sweep.result(2)["metrics"]["val/accuracy"]
    if objective == "several":
        assert silent.values[3] == 0


def test_a_seed_that_is_finished_is_not_run_again(
    sweep: Sweep, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from surrolab.sweep.trial import Follower

    sweep.spec("trainer.max_epochs=3", trials=1, seeds=[4, 5])
    epoch = Follower.epoch

    def stopped(self: Follower, number: int, metrics: dict[str, float]) -> bool:
        epoch(self, number, metrics)
        if self.index == 1 and number == 1:
            # In the middle of a query, whose lock would keep everybody from writing.
            backend: Any = self.trial.storage
            connection = backend._backend.engine.connect()
            cursor = connection.execute(sql.text("SELECT name FROM sqlite_master"))
            raise KeyboardInterrupt(cursor)
        return False

    with monkeypatch.context() as broken, contextlib.suppress(KeyboardInterrupt):
        broken.setattr(Follower, "epoch", stopped)
        broken.setattr(supervise_module, "QUICK_DEATHS", 1)
        told(capsys)
    assert sweep.result(0, 5)["status"] == "interrupted"
    assert [row.worker for row in sweep.places()] == [None]
    log = (sweep.folder(0, 4) / "train.log").read_bytes()
    assert told(capsys) == (0, "")
    assert (sweep.folder(0, 4) / "train.log").read_bytes() == log
    assert sweep.parts(0, 5) == [[1, 2], [3]]
    (trial,) = sweep.trials()
    results = [sweep.result(0, seed)["metrics"] for seed in (4, 5)]
    assert [run["metrics"] for run in trial.user_attrs["runs"]] == results
    assert trial.value == sum(result["val/accuracy"] for result in results) / 2
    assert [run["seed"] for run in trial.user_attrs["runs"]] == [4, 5]
    assert sorted(trial.intermediate_values) == [0, 1, 2, 3, 4, 5]
    assert trial.user_attrs["attempts"] == 2


def test_runs_of_another_study_are_not_taken_for_its_own(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    """The directory is there already when the study begins in another storage."""
    sweep.spec("trainer.max_epochs=1", trials=1)
    assert told(capsys) == (0, "")
    there = sweep.result(0)
    refused = f"surrolab: output: {sweep.path / 'trials'} holds trials that study study of this"
    for words in (["storage=sqlite:///other.db"], [f"output={sweep.path}", "study=other"]):
        status, line = told(capsys, *words)
        assert (status, line.startswith(refused)) == (2, True), line
        assert "(0); allowed: another output=DIR or study=NAME" in line
        refused = refused.replace("study study", "study other")
    assert not (sweep.directory / "other.db").exists()
    # Its number alone does not make a run that of a trial.
    sweep.folder(0).rename(sweep.directory / "kept")
    points = [{"surrogate.slope": 7.0}]
    sweep.spec("trainer.max_epochs=1", trials=1, starting_points=points, max_failures=1)
    other = Sweep(sweep.directory, "sqlite:///other.db")
    with pytest.MonkeyPatch.context() as late:
        late.setattr(
            supervise_module,
            "_terminable",
            lambda: _moved(sweep.directory / "kept", sweep.folder(0)),
        )
        status, line = told(capsys, "storage=sqlite:///other.db")
    assert status == 1
    assert f"output: {sweep.folder(0)} holds a run with surrogate.slope=" in line
    assert [trial.state.name for trial in other.trials()] == ["FAIL"]
    assert sweep.result(0) == there


@contextlib.contextmanager
def _moved(there: Path, to: Path) -> Iterator[None]:
    there.rename(to)
    yield
