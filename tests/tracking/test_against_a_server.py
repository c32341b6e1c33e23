"""W&B's own client against a server of the tests: what arrives, and what does not stop a run."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, Program, Run, environment
from wandb_server import WandbServer, running
from wandb_server_graphql import Run as Arrived

SHORT = (
    "encoding.steps=5",
    "model.hidden=[8]",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=3",
    "trainer.log_every_n_steps=2",
)
MAX = 2  # of the summaries in W&B's protocol
STEP = "trainer/global_step"
SOON = {"WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "1", "WANDB_FINISH_TIMEOUT": "3"}


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Program(tmp_path_factory.mktemp("untracked")).run("run", *SHORT)


def online(program: Program, server: WandbServer, *words: str, **variables: str) -> Run:
    """A tracked run into ``run``, which has to end well."""
    words = (*SHORT, "hydra.run.dir=run", "logger=wandb", "logger.mode=online", *words)
    process = program(*words, **server.environment | SOON | variables)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    return Run(process, program.directory / "run")


def sync(where: Path, server: WandbServer, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from surrolab.cli import main; main()", "sync", *words],
        cwd=where,
        env=environment() | server.environment,
        capture_output=True,
        text=True,
        timeout=200,
    )


def said(run: Run) -> list[str]:
    return [line for line in run.process.stdout.splitlines() if "W&B" in line]


def same(run: Run, other: Run) -> None:
    assert run.weights.keys() == other.weights.keys()
    for name, tensor in other.weights.items():
        assert run.weights[name].equal(tensor), name
    assert run.result["metrics"] == pytest.approx(other.result["metrics"], nan_ok=True, rel=0)


def complete(arrived: Arrived, run: Run, parts: int = 1) -> None:
    """All numbers of the run's own files are there, once, in order."""
    got: dict[tuple[int, str], list[Any]] = {}
    for row in arrived.history:
        for name, value in row.items():
            got.setdefault((row[STEP], name), []).append(value)
    with (run.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    sent = {
        (int(row["step"]), name): float(value)
        for row in rows
        for name, value in row.items()
        if value and name != "step"
    }
    last = int(rows[-1]["step"])
    metrics = run.result["metrics"]
    sent |= {(last, name): value for name, value in metrics.items() if name.startswith("test/")}
    assert {key: values for key, values in got.items() if key in sent} == {
        key: [pytest.approx(value, rel=1e-12)] for key, value in sent.items()
    }
    # Nobody knows of a picture whether it got through before the disk was full.
    ours = [key for key in got if key[1][0] != "_" and key[1] not in (STEP, "surrogate")]
    assert [key for key in ours if len(got[key]) > 1] == []
    if parts == 1:  # a resume begins after all lines that came, those that came again included
        assert [row["_step"] for row in arrived.history] == list(range(len(arrived.history)))
    summary = arrived.summary
    assert summary["test/accuracy"] == {"max": pytest.approx(metrics["test/accuracy"])}
    assert summary["val/accuracy"]["max"] == max(
        got[key][0] for key in got if key[1] == "val/accuracy"
    )
    assert summary["spikes/hidden1/rate"] == {"last": got[last, "spikes/hidden1/rate"][0]}
    assert summary["surrogate"]["_type"] == "image-file"
    assert arrived.state == "finished"
    assert arrived.config["surrogate"]["_target_"] == "surrolab.surrogates.Sigmoid"
    assert arrived.config["provenance"]["seed"] == 0
    assert arrived.about["jobType"] == "train"
    defined = arrived.definitions["val/accuracy"]
    assert (defined["step"], defined["summary"]) == (STEP, [MAX])
    assert arrived.definitions["spikes/*"]["step"] == STEP
    assert any(name.startswith("media/images/surrogate") for name in arrived.files)


def artifacts(server: WandbServer) -> None:
    """The checkpoint and the report are there too, whole."""
    assert {artifact.type for artifact in server.artifacts} >= {"model", "report"}
    for artifact in server.artifacts:
        assert artifact.committed
        assert artifact.files.keys() == artifact.manifest["contents"].keys()


def test_all_of_a_run_arrives(program: Program, server: WandbServer, untracked: Run) -> None:
    run = online(program, server, "logger.group=g", "logger.tags=[a,b]")
    same(run, untracked)
    assert said(run) == []
    complete(server.run, run)
    assert (server.run.about["groupName"], server.run.about["tags"]) == ("g", ["a", "b"])
    assert server.run.project == "surrolab"
    artifacts(server)
    before = len(server.asked)
    process = sync(program.directory, server, "run")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("run: already sent [")
    assert len(server.asked) == before


@pytest.mark.slow
def test_a_server_that_dies_half_way(program: Program, server: WandbServer, untracked: Run) -> None:
    server.die_after("file_stream", 1)
    began = time.monotonic()
    run = online(program, server)
    assert time.monotonic() - began < 90
    assert not server.alive
    same(run, untracked)
    (line,) = said(run)
    assert f"surrolab sync {run.path}" in line
    assert server.run.state == "running"
    process = sync(program.directory, server, "run")  # it is still down
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "no answer from" in line
    server.start()
    process = sync(program.directory, server, ".")
    assert (process.returncode, process.stderr) == (0, "")
    complete(server.run, run)
    artifacts(server)
    assert "already sent" in sync(program.directory, server, "run").stdout


@pytest.mark.slow
def test_a_server_that_is_not_there(program: Program, server: WandbServer, untracked: Run) -> None:
    server.die()
    run = online(program, server)
    same(run, untracked)
    (line,) = said(run)
    assert "offline" in line
    assert f"surrolab sync {run.path}" in line
    server.start()
    process = sync(program.directory, server, "run", "--dry-run")
    assert process.stdout.startswith("run: would be sent (1 part)")
    assert not server.runs
    assert sync(program.directory, server, "run").returncode == 0
    complete(server.run, run)


@pytest.mark.slow
def test_two_processes_are_one_run(program: Program, server: WandbServer) -> None:
    run = online(program, server, "trainer=ddp_cpu")
    complete(server.run, run)
    assert server.run.config["provenance"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [{"delay": 2.5}, {"delay": 30.0}, {"broken": 503}])
def test_a_server_in_trouble(
    program: Program, server: WandbServer, untracked: Run, trouble: dict[str, Any]
) -> None:
    for name, value in trouble.items():
        setattr(server, name, value)
    began = time.monotonic()
    run = online(program, server)
    assert time.monotonic() - began < 150
    same(run, untracked)
    assert len(said(run)) <= 1
    server.delay, server.broken = 0.0, None
    process = sync(program.directory, server, "run")
    assert (process.returncode, process.stderr) == (0, "")
    complete(server.run, run)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "online"])
@pytest.mark.parametrize("size", [4, 20, 120])
def test_a_disk_that_is_full(
    program: Program, server: WandbServer, untracked: Run, mode: str, size: int
) -> None:
    """A file system of so many KiB holds W&B's folder."""
    folder = program.directory / "run" / "wandb"
    folder.mkdir(parents=True)
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(folder)]
    try:
        done = subprocess.run(mounted, capture_output=True, check=False)
    except OSError:
        pytest.skip("no mount")
    if done.returncode:
        pytest.skip("only root can mount")
    try:
        run = online(program, server, f"logger.mode={mode}")
        same(run, untracked)
        (line,) = said(run)
        assert "surrolab sync" in line
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        process = sync(program.directory, server, "run")
        assert (process.returncode, process.stderr) == (0, "")
        complete(server.run, run)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["UpsertBucket", "file_stream"])
def test_wandbs_own_process_is_killed(
    program: Program, server: WandbServer, untracked: Run, when: str
) -> None:
    words = (*SHORT, "hydra.run.dir=run", "logger=wandb", "logger.mode=online")
    process = subprocess.Popen(
        [sys.executable, str(CHECKOUT / "train.py"), *words],
        cwd=program.directory,
        env=environment() | server.environment | SOON,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server.wait_for(when)
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if "wandb-core" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(int(child), signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    run = Run(subprocess.CompletedProcess([], 0, out, err), program.directory / "run")
    same(run, untracked)
    assert len(said(run)) == 1
    sent = sync(program.directory, server, "run")
    assert (sent.returncode, sent.stderr) == (0, "")
    complete(server.run, run)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_run_that_is_killed_and_resumed(program: Program, server: WandbServer, mode: str) -> None:
    """Killed outright, sent, resumed, sent: each step is there once."""
    words = (*SHORT[:2], "trainer.max_epochs=40", "hydra.run.dir=run", f"logger.mode={mode}")
    process = subprocess.Popen(
        [sys.executable, str(CHECKOUT / "train.py"), *words],
        cwd=program.directory,
        env=environment() | server.environment | SOON,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 4/"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert sync(program.directory, server, "run").returncode == 0
    assert server.run.state == "failed"
    assert len(server.run.history) >= 3
    resumed = program("resume=run", **server.environment | SOON)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert sync(program.directory, server, "run").returncode == 0
    complete(server.run, Run(resumed, program.directory / "run"), parts=2)
