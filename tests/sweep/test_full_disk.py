"""A disk that is full: the sweep says so in one line, and goes on when there is room."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import Sweep, until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(path)], capture_output=True
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def sweep(disk: Path) -> Iterator[Sweep]:
    made = Sweep(disk)
    yield made
    made.end()


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)


@pytest.mark.slow
def test_a_full_disk(sweep: Sweep, disk: Path) -> None:
    sweep.spec("trainer.max_epochs=60", trials=2, workers=2)
    process = sweep.start()
    sweep.wait_for_epoch(3, process)
    fill(disk / "filler")
    ended = sweep.wait(process, 60)
    assert ended.status == 1, ended
    line = ended.err.splitlines()[-1]
    assert line.startswith("surrolab: nothing more can be written in ")
    assert len(ended.err.splitlines()) <= 2
    sweep.none_left()
    # It is no fault of the trials.
    assert {trial.state.name for trial in sweep.trials()} == {"RUNNING"}
    (disk / "filler").write_bytes((disk / "filler").read_bytes()[:-8192])
    again = sweep.run(timeout=60)
    assert again.status in (1, 2)
    assert again.err.splitlines()[-1].startswith("surrolab: ")
    assert "fault of surrolab" not in again.err
    (disk / "filler").unlink()
    sweep.spec("trainer.max_epochs=60", trials=3, workers=2)
    sweep.finish()
    trials = sweep.trials()
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    for trial in trials:
        sweep.check_epochs(trial.number, 60)
    until(lambda: not list(disk.rglob(".*.tmp*")), 1)
