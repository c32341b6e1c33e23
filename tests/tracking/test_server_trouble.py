"""W&B, its server or its disk in trouble: the run ends as it would, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from arrivals import SHORT, SOON, artifacts, complete, online, said, same, sync
from conftest import CHECKOUT, Program, Run, environment
from wandb_server import WandbServer


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Program(tmp_path_factory.mktemp("untracked")).run("run", *SHORT)


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
