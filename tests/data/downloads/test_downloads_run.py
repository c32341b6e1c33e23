"""Downloads as users ask for them: by the program, which may be killed."""

import io
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Program
from http_files import Fault, HttpFiles, serving
from user_files import words_for

from surrolab.data.downloads.progress import Progress
from surrolab.data.timeseries import Ucr

SHORT = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "model.hidden=[8]")


@pytest.fixture
def files() -> Iterator[HttpFiles]:
    with serving() as server:
        yield server


def series(root: Path) -> bytes:
    """A set in the archive's form, with noise beside it that cannot be compressed."""
    words_for("timeseries", root)
    text = (root / "own_TRAIN.ts").read_text()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("Own_TRAIN.ts", text)
        zipped.writestr("Own_TEST.ts", text)
        zipped.writestr("Own.txt", np.random.default_rng(0).bytes(1_000_000))
    return held.getvalue()


def ucr(root: Path, *words: str) -> tuple[str, ...]:
    return ("data=ucr", "data.set=Own", f"data.root={root}", "data.download=true", *SHORT, *words)


def test_a_set_is_fetched_and_trained(
    files: HttpFiles, here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.add("ucr/Own.zip", series(tmp_path))
    monkeypatch.setenv("SURROLAB_MIRROR", files.address)
    root = tmp_path / "root"
    words = [word for word in ucr(root) if "download" not in word]
    status, out, err = here(*words)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "data.set: 'Own' is not there; allowed: ACSF1, ArrowHead, " in err
    assert "Own_TEST.ts, which https://timeseriesclassification.com has; or data.download=t" in err
    status, out, err = here(*ucr(root, f"hydra.run.dir={tmp_path}/again"))
    assert status == 0, err
    lines = err.splitlines()
    assert lines[-1] == "ucr: Own.zip: 100 % of 1.0 MB"
    assert len(lines) <= 10
    # From then on it is a file like others.
    monkeypatch.delenv("SURROLAB_MIRROR")
    assert len(Ucr("Own", root=root).samples["test"]) == 60


def test_a_program_that_is_killed_goes_on(
    files: HttpFiles, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = series(program.directory)
    files.add("ucr/Own.zip", content, Fault(wait=0.05), Fault())
    monkeypatch.setenv("SURROLAB_MIRROR", files.address)
    root = program.directory / "root"
    part = root / "ucr" / ".part-Own.zip"
    process = program.start("hydra.run.dir=killed", "logger=none", *ucr(root))
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 300_000):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    kept = part.stat().st_size
    assert kept < len(content)
    assert not (root / "ucr" / "Own").exists()
    program.run("run", *ucr(root))
    assert files.requests[1:] == [("ucr/Own.zip", f"bytes={kept}-")]
    assert {path.name for path in (root / "ucr").iterdir()} == {".lock", "Own", "Own.zip.sha256"}


@pytest.mark.slow
def test_two_programs_fetch_it_once_and_one_may_be_interrupted(
    files: HttpFiles, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.add("ucr/Own.zip", series(program.directory), Fault(wait=0.5), Fault())
    monkeypatch.setenv("SURROLAB_MIRROR", files.address)
    root = program.directory / "root"
    first = program.start("hydra.run.dir=first", "logger=none", *ucr(root))
    deadline = time.monotonic() + 60
    while not files.requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    part = root / "ucr" / ".part-Own.zip"
    with program.start("hydra.run.dir=second", "logger=none", *ucr(root)) as second:
        lines = iter(second.stdout or ())
        assert next(lines) == "ucr: waiting for another process that fetches it\n"
        assert len(files.requests) == 1
        while not (part.exists() and part.stat().st_size):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        first.send_signal(signal.SIGINT)
        out, _ = first.communicate(timeout=60)
        assert first.returncode == 130
        assert out.splitlines()[-1] == "surrolab: interrupted"
        rest = "".join(lines)
        assert second.wait(timeout=120) == 0, rest
    assert len(files.requests) == 2
    assert files.requests[1][1] is not None  # the second goes on with what the first had


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("own: file")
    for done in range(0, 10_000_001, 100_000):
        progress.at(done, 10_000_000)
        time.sleep(0.003)
    progress.end()
    shown = terminal.getvalue()
    assert "\n" not in shown
    assert shown.endswith("\r\033[K")
    assert "\r\033[Kown: file: 0 % of 10.0 MB" in shown
    assert 2 < shown.count("\r") < 20
    progress.at(1_500_000, None)
    assert terminal.getvalue().endswith("own: file: 1.5 MB")
