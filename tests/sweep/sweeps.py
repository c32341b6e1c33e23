"""Sweeps as users start them: real processes, found again by a mark in their environment."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import yaml
from conftest import environment
from optuna.trial import FrozenTrial

from surrolab.sweep.places import Places
from surrolab.sweep.storage import open_storage, storage_url
from surrolab.sweep.study import quiet_optuna

START = [sys.executable, "-c", "from surrolab.cli import main; main()", "sweep"]
MARK = "SURROLAB_TEST_MARK"
FINISHED = ("COMPLETE", "PRUNED")

BASE = ["data=digits", "logger=none", "model.hidden=[16]", "trainer.limit_train_batches=4"]
SPEC: dict[str, Any] = {
    "base": BASE,
    "space": {"surrogate.slope": {"low": 0.5, "high": 100, "log": True}},
    "objectives": {"val/accuracy": "maximize"},
    "sampler": "random",
}


@dataclass
class Ended:
    """How a sweep ended."""

    status: int
    out: str
    err: str


@dataclass
class Sweep:
    """A spec in a directory of its own, and the processes that work on it."""

    directory: Path
    storage: str | None = None
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.directory / "outputs" / "sweeps" / "study"

    @property
    def url(self) -> str:
        return storage_url(self.storage, self.path)

    def spec(self, *base: str, **keys: Any) -> None:
        """Write the spec: that of :data:`SPEC` with words behind its base, and other keys."""
        node = SPEC | keys
        if base:
            node = node | {"base": [*node["base"], *base]}
        (self.directory / "study.yaml").write_text(yaml.safe_dump(node, sort_keys=False))

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        where = [] if self.storage is None else [f"storage={self.storage}"]
        process = subprocess.Popen(
            [*START, "study.yaml", *where, *words],
            cwd=self.directory,
            env=environment() | {MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.started.append(process)
        return process

    def wait(self, process: subprocess.Popen[str], timeout: float = 300) -> Ended:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on after {timeout} s\n{self.logs()}") from None
        return Ended(process.returncode, out, err)

    def run(self, *words: str, timeout: float = 300) -> Ended:
        return self.wait(self.start(*words), timeout)

    def finish(self, *words: str, timeout: float = 300) -> Ended:
        """Run it; it has to end well, and leave no process."""
        ended = self.run(*words, timeout=timeout)
        assert ended.status == 0, f"{ended}\n{self.logs()}"
        assert ended.err == ""
        self.none_left()
        return ended

    def logs(self) -> str:
        files = sorted((self.path / "workers").glob("*.log"))
        return "\n".join(f"{file.name}:\n{file.read_text()[-3000:]}" for file in files)

    def trials(self) -> list[FrozenTrial]:
        with self._opened() as (study, _):
            return study.get_trials()

    def places(self) -> list[Any]:
        with self._opened() as (_, places):
            return places.rows()

    @contextlib.contextmanager
    def _opened(self) -> Any:
        storage = open_storage(self.url, make=False)
        try:
            with quiet_optuna():
                study = optuna.load_study(storage=storage, study_name="study")
            yield study, Places(storage.engine, study._study_id)
        finally:
            storage.remove_session()
            storage.engine.dispose()

    def working(self) -> dict[int, Any]:
        """Places that somebody has been training for, by the process that does it."""
        with contextlib.suppress(Exception):
            rows = [row for row in self.places() if row.state == "open" and row.worker]
            return {int(row.worker.split("/")[-2]): row for row in rows}
        return {}

    def processes(self, *words: str) -> dict[int, str]:
        """Command lines of processes that are of this sweep, and hold the words, by number."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if wanted not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if line and all(word in line for word in words):
                    found[int(entry.name)] = line
        return found

    def workers(self) -> list[int]:
        return sorted(self.processes("surrolab.sweep.worker"))

    def none_left(self, within: float = 10) -> None:
        until(lambda: not self.processes(), within, lambda: f"left: {self.processes()}")

    def result(self, trial: int, seed: int | None = None) -> dict[str, Any]:
        return json.loads((self.folder(trial, seed) / "result.json").read_text())

    def folder(self, trial: int, seed: int | None = None) -> Path:
        return self.path / "trials" / str(trial) / ("" if seed is None else f"seed{seed}")

    def parts(self, trial: int, seed: int | None = None) -> list[list[int]]:
        """The epochs that each process made of a run, counted from 1, as its log tells."""
        parts: list[list[int]] = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder(trial, seed) / "train.log").read_text().splitlines():
                words = line.split()[3:5]
                if words[:1] == ["engine:"]:
                    parts.append([])
                elif words[:1] == ["epoch"] and "/" in words[1]:
                    parts[-1].append(int(words[1].partition("/")[0]))
        return parts

    def _parts_of(self, numbers: dict[int, int], row: Any) -> list[list[int]]:
        number = numbers.get(row.trial_id)
        if number is None:
            return []
        seeds = [int(path.name[4:]) for path in self.folder(number).glob("seed*")]
        return self.parts(number, seeds[-1] if seeds else None)

    def check_epochs(self, trial: int, epochs: int, seed: int | None = None) -> None:
        """Each epoch is in ``metrics.csv`` once."""
        with (self.folder(trial, seed) / "metrics.csv").open() as file:
            found = [int(row["epoch"]) for row in csv.DictReader(file) if row["val/loss"]]
        assert found == list(range(epochs)), f"trial {trial}"

    def wait_for_epoch(self, epoch: int, process: subprocess.Popen[str]) -> int:
        """Wait until some trial is that far, and is being worked on; its process."""

        def far() -> int | None:
            working = self.working()
            numbers = {trial._trial_id: trial.number for trial in self.trials()} if working else {}
            for pid, row in working.items():
                # Told by its log: the database hears of epochs once a second.
                if any(epoch <= made for part in self._parts_of(numbers, row) for made in part):
                    return pid
            assert process.poll() is None, self.logs()
            return None

        return until(far, 180, self.logs)

    def end(self) -> None:
        """Kill what is left of it."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.kill()
            process.communicate()


def until(ask: Callable[[], Any], seconds: float, why: Callable[[], str] = lambda: "") -> Any:
    """Ask until the answer is true; the answer."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, why()
        time.sleep(0.1)
