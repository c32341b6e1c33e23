"""The directory of a run: what lies where, and the first and last files in it."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from surrolab.errors import HeldError, UserError
from surrolab.files import write_json, write_text
from surrolab.locks import hold
from surrolab.schema import with_later_keys


@dataclass(frozen=True)
class RunDirectory:
    """Names in a run directory. ``path`` is absolute."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def overrides(self) -> Path:
        """What was given on the command line, an override a line."""
        return self.path / "overrides.txt"

    @property
    def provenance(self) -> Path:
        """Versions, commit, seed, devices."""
        return self.path / "provenance.json"

    @property
    def metrics(self) -> Path:
        """A row per logged step."""
        return self.path / "metrics.csv"

    @property
    def result(self) -> Path:
        """How the run ended."""
        return self.path / "result.json"

    @property
    def log(self) -> Path:
        """What was said."""
        return self.path / "train.log"

    @property
    def surrogate(self) -> Path:
        """Picture of the surrogates it trains with."""
        return self.path / "surrogate.png"

    @property
    def records(self) -> Path:
        """Folder of the arrays that diagnostics leave."""
        return self.path / "records"

    @property
    def best(self) -> Path:
        """Checkpoint of the epoch that was best on validation."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """Checkpoint of the last finished epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @staticmethod
    def claim(wanted: Path, must_be_new: bool) -> "RunDirectory":
        """Take a directory that no other run has, ``wanted`` or one with a number behind its name.

        Args:
            wanted: the directory, which may exist and be empty.
            must_be_new: refuse a directory that is taken, instead of numbering.

        Raises:
            UserError: it is taken, or cannot be written.
        """
        path = wanted.absolute()
        for number in range(2, 10_000):
            try:
                path.mkdir(parents=True, exist_ok=True)
                # Whoever creates this file has the directory, also between processes.
                os.close(os.open(path / "config.yaml", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                break
            except FileExistsError as error:
                if must_be_new:
                    raise UserError(
                        f"hydra.run.dir: {path} already holds a run; allowed: a new directory, "
                        f"or resume={path}"
                    ) from error
                path = wanted.absolute().with_name(f"{wanted.name}-{number}")
            except OSError as error:
                raise UserError(
                    f"hydra.run.dir: {path} cannot be written ({error.strerror}); allowed: a "
                    "directory that can"
                ) from error
        directory = RunDirectory(path)
        directory._point_latest_here()
        return directory

    @staticmethod
    def existing(path: Path, option: str = "resume", writable: bool = True) -> "RunDirectory":
        """The directory of a run that is there already.

        ``option`` is what messages name.

        Raises:
            UserError: it is not there, or is not a run's.
        """
        try:
            directory = RunDirectory(path.resolve())
            if not path.is_dir():
                raise UserError(
                    f"{option}: {path} is no directory; allowed: the directory of a run"
                )
            if not directory.config.is_file():
                raise UserError(
                    f"{option}: {path} has no config.yaml; allowed: the directory of a run"
                )
        except (OSError, RuntimeError) as error:
            raise UserError(f"{option}: {path} cannot be read ({_first(error)})") from error
        if writable and not os.access(directory.path, os.W_OK):
            raise UserError(f"{option}: {path} cannot be written; allowed: a directory that can")
        return directory

    def write_config(
        self, config: dict[str, Any], overrides: Iterable[str], choices: dict[str, Any]
    ) -> None:
        """Write what the run is to be."""
        header = "".join(
            f"#   {group}={option}\n" for group, option in choices.items() if option is not None
        )
        body = yaml.safe_dump(config, sort_keys=False)
        write_text(self.config, f"# Resolved configuration; the options chosen:\n{header}{body}")
        write_text(self.overrides, "".join(f"{override}\n" for override in overrides))

    def reopen(self) -> None:
        """Say that a completed run is to go on, so that a kill from now on does not hide it."""
        result = self.read_result()
        if result.get("status") == "completed":
            self.write_result({**result, "status": "interrupted"})

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from running in this directory; a killed one keeps nobody out.

        Raises:
            HeldError: another process runs there.
            UserError: the directory cannot be written.
        """
        try:
            file = (self.path / ".lock").open("w")
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written ({error.strerror}); allowed: a directory that can"
            ) from error
        with file:
            try:
                hold(file)
            except BlockingIOError as error:
                raise HeldError(
                    f"resume: the run in {self.path} is still going on; allowed: wait for it, or "
                    "stop it first"
                ) from error
            except OSError:
                pass  # a file system without locks
            # What a kill left half written.
            for folder in (self.path, self.path / "checkpoints"):
                for name in (
                    *(self.config, self.result, self.metrics),
                    *(self.surrogate, self.best, self.last),
                ):
                    for rest in folder.glob(f".{name.name}.*"):
                        rest.unlink(missing_ok=True)
            for rest in self.records.glob(".*.npz.*"):
                rest.unlink(missing_ok=True)
            yield

    def rewrite_config(self, config: dict[str, Any]) -> None:
        """Write a configuration that a resume has changed, under the header it had."""
        lines = self.config.read_text().splitlines(keepends=True)
        header = "".join(line for line in lines if line.startswith("#"))
        write_text(self.config, header + yaml.safe_dump(config, sort_keys=False))

    def read_config(self) -> dict[str, Any]:
        """The configuration as plain data, not yet checked, with keys that are newer than it.

        Raises:
            UserError: it cannot be read.
        """
        try:
            with self.config.open() as file:
                config = yaml.safe_load(file)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"resume: {self.config} cannot be read: {_first(error)}") from error
        if not isinstance(config, dict):
            raise UserError(f"resume: {self.config} is no configuration; allowed: that of a run")
        return with_later_keys(config)

    def read_result(self) -> dict[str, Any]:
        """``result.json``, or nothing where there is none yet."""
        with contextlib.suppress(OSError, ValueError):
            result = json.loads(self.result.read_text())
            if isinstance(result, dict):
                return result
        return {}

    def write_result(self, result: dict[str, Any]) -> None:
        """Write how the run ended."""
        write_json(self.result, result)

    def write_failure(self, status: str, seed: int, error: str) -> None:
        """Write that the run ended before it began."""
        self.write_result(
            {
                "status": status,
                "metrics": {},
                "seed": seed,
                "duration_s": 0.0,
                "run_dir": str(self.path),
                "error": error,
            }
        )

    def _point_latest_here(self) -> None:
        """``outputs/runs/latest`` shows the newest run, where runs lie in ``runs/<date>/``."""
        runs = self.path.parent.parent
        if runs.name != "runs":
            return
        link = runs / f".latest-{os.getpid()}"
        # A file system without links does without the convenience.
        with contextlib.suppress(OSError):
            link.unlink(missing_ok=True)
            link.symlink_to(self.path.relative_to(runs))
            os.replace(link, runs / "latest")


def _first(error: Exception) -> str:
    return " ".join(str(error).split())
