"""Specs of studies for the tests, and the command that runs them."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import environment

from surrolab.sweep.reading import make_spec
from surrolab.sweep.spec import Spec
from surrolab.sweep.storage import open_storage
from surrolab.sweep.yaml_text import read_yaml, write_yaml

# One epoch of three batches: what a trial costs beside it is the program's start.
QUICK = [
    *("data=digits", "logger=none", "model.hidden=[16]", "encoding.steps=5"),
    *("trainer.max_epochs=1", "trainer.limit_train_batches=3"),
]


def node(changes: str = "", **more: Any) -> dict[str, Any]:
    """A spec as plain data; ``changes`` is YAML that takes the place of its keys."""
    return {
        "study": "widths",
        "base": QUICK,
        "space": {"surrogate.slope": {"low": 1, "high": 100, "log": True}},
        "objectives": {"val/accuracy": "maximize"},
        "trials": 3,
        **(read_yaml(changes) or {}),
        **more,
    }


def spec(changes: str = "", **more: Any) -> Spec:
    return make_spec(node(changes, **more))


@dataclass(frozen=True)
class Sweep:
    """``surrolab sweep`` of a file in a directory of its own, and what it leaves."""

    directory: Path

    def write(self, changes: str = "", **more: Any) -> None:
        (self.directory / "widths.yaml").write_text(write_yaml(node(changes, **more)))

    def __call__(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        program = "from surrolab.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, "sweep", "widths.yaml", *words],
            cwd=self.directory,
            env=environment() | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def good(self, *words: str) -> str:
        """Standard output of a sweep that has to end well."""
        process = self(*words)
        assert process.returncode == 0, process.stderr
        return process.stdout

    @property
    def path(self) -> Path:
        return self.directory / "outputs/sweeps/widths"

    @property
    def facts(self) -> dict[str, Any]:
        return json.loads((self.path / "study.json").read_text())

    @property
    def table(self) -> list[dict[str, str]]:
        with (self.path / "trials.csv").open() as file:
            return list(csv.DictReader(file))

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """As Optuna itself reads them."""
        storage = open_storage(f"sqlite:///{self.path}/study.db", make=False)
        trials = optuna.load_study(study_name="widths", storage=storage).get_trials()
        storage.remove_session()
        storage.engine.dispose()
        return trials

    def result(self, run: str) -> dict[str, Any]:
        return json.loads((self.path / "trials" / run / "result.json").read_text())

    def rows(self, run: str) -> list[dict[str, str]]:
        with (self.path / "trials" / run / "metrics.csv").open() as file:
            return list(csv.DictReader(file))


class Command:
    """The same in this process, for what is refused before anything runs."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capture = capture

    def refused(self, *words: str) -> str:
        """The one line that a refused command says; it leaves nothing behind."""
        from surrolab.cli import main

        before = sorted(self.directory.rglob("*"))
        with pytest.raises(SystemExit) as end:
            main(["sweep", *words])
        out, err = self._capture.readouterr()
        assert end.value.code == 2, err
        assert out == ""
        assert err.startswith("surrolab: ")
        assert err.count("\n") == 1
        assert sorted(self.directory.rglob("*")) == before, "something was left behind"
        return err
