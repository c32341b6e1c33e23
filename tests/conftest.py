"""What all tests share: running the program as users do."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

if TYPE_CHECKING:
    from postgres import Postgres
    from wandb_server import WandbServer

CHECKOUT = Path(__file__).parent.parent


def pytest_configure() -> None:
    # A shell's background job ignores SIGINT, and so would every program that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Run:
    """A finished process and the run directory it was to fill."""

    process: subprocess.CompletedProcess[str]
    path: Path

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.path / "result.json").read_text())

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return torch.load(self.path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Of ``metrics.csv``, without times and memory, which are others in each run."""
        return [
            {name: v for name, v in row.items() if not name.startswith(("time/", "system/"))}
            for row in self.all_rows
        ]

    @property
    def all_rows(self) -> list[dict[str, str]]:
        import csv

        with (self.path / "metrics.csv").open() as file:
            return list(csv.DictReader(file))


def environment() -> dict[str, str]:
    """The environment of a user's shell: warnings are shown as Python shows them by default."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "WANDB"))}


@dataclass(frozen=True)
class Program:
    """``python train.py`` in a directory of its own."""

    directory: Path

    def __call__(
        self, *words: str, timeout: float = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(CHECKOUT / "train.py"), *words],
            cwd=self.directory,
            env=environment() | variables,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def run(self, name: str, *words: str, timeout: float = 300) -> Run:
        """Train into the directory ``name``, untracked; it has to end well."""
        process = self(f"hydra.run.dir={name}", "logger=none", *words, timeout=timeout)
        assert process.returncode == 0, process.stderr
        return Run(process, self.directory / name)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(CHECKOUT / "train.py"), *words],
            cwd=self.directory,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@dataclass(frozen=True)
class InProcess:
    """The same program in this process, where the imports have been paid for."""

    directory: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Status, standard output and standard error."""
        from surrolab.cli import train

        with pytest.raises(SystemExit) as end:
            train([f"hydra.run.dir={self.directory}/run", "logger=none", *words])
        return (int(end.value.code or 0), *self.capture.readouterr())

    @property
    def run(self) -> Run:
        return Run(subprocess.CompletedProcess([], 0), self.directory / "run")


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> InProcess:
    return InProcess(tmp_path, capsys)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One short run that several tests look at and none changes."""
    program = Program(tmp_path_factory.mktemp("trained"))
    process = program("surrogate=sigmoid", "trainer.max_epochs=3", "name=short")
    assert process.returncode == 0, process.stderr
    (path,) = program.directory.glob("outputs/runs/*/*-short")
    return Run(process, path)


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A real server; whoever takes it down need not bring it back."""
    from postgres import running_postgres

    with running_postgres() as server:
        yield server


@pytest.fixture
def server() -> Iterator["WandbServer"]:
    """A server that W&B's client takes for W&B's."""
    from wandb_server import running

    with running() as server:
        yield server
