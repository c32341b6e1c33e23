"""W&B's own client against a server of the tests: what arrives."""

import csv
import json
import time
from pathlib import Path

import pytest
from arrivals import PICTURES, SHORT, SOON, STEP, artifacts, complete, online, said, same, sync
from conftest import Program, Run
from wandb_server import WandbServer

from surrolab.tracking import Guard, WandbRun
from surrolab.tracking.segments import logged, segments_in
from surrolab.tracking.session import finish_run, start_run


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Program(tmp_path_factory.mktemp("untracked")).run("run", *SHORT)


def test_all_of_a_run_arrives(program: Program, server: WandbServer, untracked: Run) -> None:
    run = online(program, server, "logger.group=g", "logger.tags=[a,b]")
    same(run, untracked)
    assert said(run) == []
    complete(server.run, run, pictures=PICTURES)
    assert (server.run.about["groupName"], server.run.about["tags"]) == ("g", ["a", "b"])
    assert server.run.project == "surrolab"
    artifacts(server)
    before = len(server.asked)
    process = sync(program.directory, server, "run")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("run: already sent [")
    assert len(server.asked) == before


@pytest.mark.slow
def test_two_processes_are_one_run(program: Program, server: WandbServer) -> None:
    run = online(program, server, "trainer=ddp_cpu")
    complete(server.run, run, pictures=PICTURES)
    assert server.run.config["provenance"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", [pytest.param("f" * 40, id="wrong"), pytest.param("abc", id="malformed")]
)
def test_a_wrong_key(program: Program, server: WandbServer, untracked: Run, key: str) -> None:
    """The run goes on offline, and is sent with the right key."""
    server.refuse_keys = True
    run = online(program, server, WANDB_API_KEY=key)
    same(run, untracked)
    (line,) = said(run)
    assert "the key is no good" in line
    assert f"surrolab sync {run.path}" in line
    process = sync(program.directory, server, "run")
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith("surrolab: WANDB_API_KEY: ")
    server.refuse_keys = False
    process = sync(program.directory, server, "run", WANDB_MODE="offline")
    assert (process.returncode, process.stderr) == (0, "")
    complete(server.run, run, pictures=PICTURES)


def test_no_key(program: Program, server: WandbServer) -> None:
    """One line before anything is trained."""
    words = (*SHORT, "hydra.run.dir=run", "logger=wandb", "logger.mode=online")
    process = program(*words, WANDB_BASE_URL=server.url, HOME=str(program.directory))
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line == (
        f"surrolab: logger.mode: online needs a login and there is none for {server.url}; "
        "allowed: offline, disabled, or online after `wandb login`"
    )
    assert "epoch 1" not in process.stdout


PARTS = """step,epoch,val/accuracy,val/loss
3,0,0.5,0.9
6,1,0.9,0.2
9,2,0.8,0.4
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "killed"),
    [("online", False), ("offline", True)],
)
def test_the_best_of_a_run_that_goes_on_and_gets_worse(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch, mode: str, killed: bool
) -> None:
    """W&B looks for it anew in each part; one that is killed cannot say it."""
    for name in ("DATA_DIR", "CACHE_DIR", "CONFIG_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "home"))
    for name, value in (server.environment | SOON).items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "run"
    path.mkdir()
    nothing = dict.fromkeys(("entity", "group", "job_type", "notes"))
    logger = {"mode": mode, "project": "p", "tags": [], **nothing}
    (path / "config.yaml").write_text(json.dumps({"name": "n", "logger": logger}))
    (path / "provenance.json").write_text(json.dumps({"run_id": "abcdef12"}))
    (path / "metrics.csv").write_text(PARTS)
    (path / "result.json").write_text(json.dumps({"status": "completed", "metrics": {}}))
    rows = list(csv.DictReader(PARTS.splitlines()))
    for part in (rows[:2], rows[2:]):
        already = logged(segments_in(path, "abcdef12"))
        guard = Guard(path)
        run = start_run(mode, guard, name="n", dir=path, id="abcdef12", config={}, project="p")
        tracked = WandbRun(run, path, False, [], guard, already)
        for row in part:
            values = {name: float(value) for name, value in row.items() if name != "step"}
            tracked.log_metrics(values, int(row["step"]))
        tracked.save()
        if killed and part != rows[:2]:
            finish_run(run, guard, 1)
        else:
            tracked.finish(0, [])
        time.sleep(1.1)  # W&B names what it writes by the second
    assert sync(tmp_path, server, "run").returncode == 0
    assert [row[STEP] for row in server.run.history] == [3, 6, 9]
    summary = server.run.summary
    assert (summary["val/accuracy"], summary["val/loss"]) == ({"max": 0.9}, {"min": 0.2})
    assert summary["epoch"] == {"last": 2}
