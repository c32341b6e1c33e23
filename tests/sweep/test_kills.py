"""Workers, supervisors and servers that are killed: nothing is lost, and nothing made twice."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import environment
from postgres import Postgres
from sweeps import FINISHED, Sweep, until


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    made = Sweep(tmp_path)
    yield made
    made.end()


def went_on(parts: list[list[int]]) -> bool:
    """Whether a process went on with a run that another had begun, and none began it anew."""
    begun = [part for part in parts if part]
    later = [part[0] for part in begun[1:]]
    return bool(later) and all(
        first in (before[-1], before[-1] + 1) for before, first in zip(begun, later, strict=False)
    )


def check(sweep: Sweep, trials: int, epochs: int) -> None:
    """The storage and the directories tell the same of so many finished trials."""
    found = sweep.trials()
    finished = [trial for trial in found if trial.state.name in FINISHED]
    assert len(finished) == len(found) == trials
    places = [row for row in sweep.places() if row.state == "done"]
    assert sorted(row.place for row in places) == list(range(trials))
    assert {row.trial_id for row in places} == {trial._trial_id for trial in found}
    assert len({trial.user_attrs["place"] for trial in found}) == trials
    for trial in found:
        result = sweep.result(trial.number)
        assert result["status"] == {"COMPLETE": "completed", "PRUNED": "pruned"}[trial.state.name]
        assert trial.user_attrs["runs"][0]["metrics"] == result["metrics"]
        if trial.state.name == "COMPLETE":
            assert trial.values == [result["metrics"]["val/accuracy"]]
            sweep.check_epochs(trial.number, epochs)
    with (sweep.path / "trials.csv").open() as file:
        assert [int(row["trial"]) for row in csv.DictReader(file)] == list(range(trials))


def test_a_killed_worker_s_trial_goes_on_from_its_checkpoint(sweep: Sweep) -> None:
    sweep.spec("trainer.max_epochs=16", trials=2, workers=1)
    process = sweep.start()
    os.kill(sweep.wait_for_epoch(3, process), signal.SIGKILL)
    ended = sweep.wait(process)
    assert (ended.status, ended.err) == (0, "")
    sweep.none_left()
    check(sweep, 2, 16)
    assert [trial.user_attrs["attempts"] for trial in sweep.trials()] == [2, 1]
    assert went_on(sweep.parts(0))
    # Once more does nothing; a larger number does what is missing.
    before = {path: path.stat().st_mtime_ns for path in (sweep.path / "trials").rglob("*")}
    assert "trial 0: " not in sweep.finish().out
    sweep.finish("trials=3")
    check(sweep, 3, 16)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items() if path.is_file())
    # The line that is shown for a trial makes the same run, from anywhere.
    best = max(sweep.trials(), key=lambda trial: trial.value)
    elsewhere = sweep.directory / "elsewhere"
    elsewhere.mkdir()
    line = (sweep.folder(best.number) / "command.txt").read_text()
    done = subprocess.run(["bash", "-c", line], cwd=elsewhere, env=environment(), timeout=120)
    assert done.returncode == 0
    again = json.loads((elsewhere / "outputs/runs/latest/result.json").read_text())
    assert again["metrics"] == sweep.result(best.number)["metrics"]


@pytest.mark.slow
def test_what_was_stopped_goes_on(sweep: Sweep) -> None:
    """By Ctrl-C at a terminal, which goes to the whole group; and when the supervisor is killed."""
    sweep.spec("trainer.max_epochs=60", trials=2, workers=2)
    process = sweep.start(process_group=0)
    sweep.wait_for_epoch(2, process)
    os.killpg(process.pid, signal.SIGINT)
    ended = sweep.wait(process, 60)
    assert (ended.status, ended.err) == (130, "surrolab: interrupted\n")
    sweep.none_left()
    assert all(row.worker is None for row in sweep.places())
    assert any((sweep.folder(n) / "checkpoints" / "last.ckpt").is_file() for n in (0, 1))
    # As a shell's background job it ignores SIGINT, and so would its workers.
    process = sweep.start(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    sweep.wait_for_epoch(3, process)
    process.kill()
    sweep.none_left(10)
    sweep.finish()
    check(sweep, 2, 60)
    assert any(went_on(sweep.parts(n)) for n in (0, 1))


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_of_the_tracker(sweep: Sweep) -> None:
    sweep.spec("trainer.max_epochs=200", "logger=wandb", trials=2, workers=2)
    for _ in range(3):
        process = sweep.start()
        sweep.wait_for_epoch(2, process)
        process.send_signal(signal.SIGINT)
        ended = sweep.wait(process, 60)
        assert (ended.status, ended.err) == (130, "surrolab: interrupted\n")
        sweep.none_left()
    process = sweep.start()
    sweep.wait_for_epoch(2, process)
    process.kill()
    sweep.none_left(20)
    sweep.finish()
    check(sweep, 2, 200)


def kill_each(sweep: Sweep, every: float, processes: list[subprocess.Popen[str]]) -> int:
    """Kill each worker so many seconds after its first step, until the sweeps end; how many."""
    kills, begun = 0, {}
    while any(process.poll() is None for process in processes):
        time.sleep(0.25)
        for pid, row in sweep.working().items():
            if pid not in begun and row.progress not in (None, "null"):
                begun[pid] = time.monotonic()
        for pid in [pid for pid, since in begun.items() if time.monotonic() - since > every]:
            del begun[pid]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_sixty_trials_whose_workers_are_killed_every_twenty_seconds(
    sweep: Sweep, storage: str, request: pytest.FixtureRequest, recwarn: pytest.WarningsRecorder
) -> None:
    several = storage == "postgresql"
    if several:
        server: Postgres = request.getfixturevalue("postgres")
        sweep.storage = server.database()
    pruner = {"name": "median", "n_startup_trials": 5, "n_warmup_steps": 20}
    sweep.spec("trainer.max_epochs=60", trials=60, workers=1 if several else 2, pruner=pruner)
    processes = [sweep.start()]
    if several:  # as a second machine would, which shares the storage only
        until(lambda: sweep.working(), 60)
        processes.append(sweep.start("output=other"))
    kills = kill_each(sweep, 20, processes)
    ends = [sweep.wait(process) for process in processes]
    assert [(end.status, end.err) for end in ends] == [(0, "")] * len(ends), sweep.logs()
    sweep.none_left()
    assert kills >= 5
    attempts = [trial.user_attrs["attempts"] for trial in sweep.trials()]
    assert max(attempts) > 1
    if not several:
        check(sweep, 60, 60)
    assert any(went_on(sweep.parts(n)) for n, tries in enumerate(attempts) if tries > 1)
    study = optuna.load_study(study_name="study", storage=sweep.url)
    states = [trial.state.name for trial in study.trials]
    backend: Any = study._storage
    backend._backend.remove_session()
    backend._backend.engine.dispose()
    assert len(states) == 60
    assert set(states) <= set(FINISHED)
    places = [row.place for row in sweep.places() if row.state == "done"]
    assert sorted(places) == list(range(60))
    assert not recwarn.list


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while(sweep: Sweep, postgres: Postgres) -> None:
    sweep.storage = postgres.database()
    sweep.spec("trainer.max_epochs=60", trials=3, workers=1)
    process = sweep.start()
    sweep.wait_for_epoch(3, process)
    postgres.stop()
    time.sleep(10)
    assert process.poll() is None
    postgres.start()
    ended = sweep.wait(process)
    assert ended.status == 0, ended
    said = ended.err.splitlines()
    assert len(said) <= 2
    assert all(line.startswith("the sweep's files were not written: ") for line in said)
    sweep.none_left()
    check(sweep, 3, 60)
    assert [trial.user_attrs["attempts"] for trial in sweep.trials()] == [1, 1, 1]
