"""How workers are started: as processes here, or as jobs of a cluster."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from surrolab.errors import UserError, one_line
from surrolab.schema import suggestion
from surrolab.schema.keys import Key, choice, integer, optional, text
from surrolab.sweep.storage import without_password

# Seconds that the file with a job's result may take to be seen from here.
LATE = 10.0


@dataclass(frozen=True)
class Job:
    """What a worker is to do.

    Args:
        url: of the storage.
        study: its name.
        directory: of the sweep.
        deadline: after which no trial is begun.
        devices: GPUs by worker, as `CUDA_VISIBLE_DEVICES` has them; none: as it finds them.
    """

    url: str
    study: str
    directory: Path
    deadline: float | None
    devices: list[str] = field(default_factory=list)


class Handle(Protocol):
    """A worker that has been started."""

    def status(self) -> int | None:
        """None while it is there, else its exit status."""
        ...

    def stop(self, at_once: bool = False) -> None:
        """Tell it to save and end; ``at_once`` without saving."""
        ...


class Launcher(Protocol):
    """Starts workers."""

    def start(self, index: int) -> Handle:
        """Start the worker number ``index``, from 0."""
        ...


class LocalHandle:
    """A process of this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def status(self) -> int | None:
        return self.process.poll()

    def stop(self, at_once: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)


class LocalLauncher:
    """Processes of this machine, each in a session of its own: Ctrl-C is for the supervisor, which
    tells them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._logs = job.directory / "workers"
        self._logs.mkdir(exist_ok=True)

    def start(self, index: int) -> LocalHandle:
        job = self._job
        words = [sys.executable, "-m", "surrolab.sweep.worker", job.study, str(job.directory)]
        # The worker asks who its parent is only after seconds of imports, when it may be gone.
        words += ["--parent", str(os.getpid())]
        if job.deadline is not None:
            words += ["--deadline", repr(job.deadline)]
        variables = dict(os.environ) | {"SURROLAB_STORAGE": job.url, "PYTHONUNBUFFERED": "1"}
        if job.devices:
            variables["CUDA_VISIBLE_DEVICES"] = job.devices[index % len(job.devices)]
        with self.log(index).open("ab") as log:
            return LocalHandle(
                subprocess.Popen(
                    words,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def log(self, index: int) -> Path:
        """What a worker says."""
        return self._logs / f"{index}.log"


class ClusterHandle:
    """A job of a cluster."""

    def __init__(self, job: Any) -> None:
        self._job = job
        self._ended: float | None = None
        self._status: int | None = None

    def status(self) -> int | None:
        if self._status is None and self._job.done():
            # submitit itself would sit and wait for the result of a job that was killed.
            self._ended = self._ended or time.monotonic()
            if self._job.paths.result_pickle.exists():
                self._status = self._result()
            elif time.monotonic() - self._ended > LATE:
                self._status = -1
        return self._status

    def _result(self) -> int:
        try:
            return int(self._job.result())
        except Exception:  # whatever it died of: another takes its place
            return -1

    def stop(self, at_once: bool = False) -> None:
        # Clusters send SIGTERM and wait a while before they kill.
        self._job.cancel()


class ClusterLauncher:
    """Jobs through submitit: SLURM, or its executor for this machine."""

    def __init__(self, job: Job, node: Mapping[str, Any]) -> None:
        import submitit

        self._job = job
        folder = job.directory / "workers"
        folder.mkdir(exist_ok=True)
        if without_password(job.url) != job.url:
            folder.chmod(0o700)  # submitit writes the arguments of its jobs there
        options = {k: v for k, v in node.items() if k not in ("name", "cluster") and v is not None}
        try:
            executor = submitit.AutoExecutor(folder, cluster=node["cluster"])
            executor.update_parameters(name=f"surrolab-{job.study}", **options)
        except (NameError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(
                f"launcher: {one_line(error)}; allowed: a machine with SLURM, launcher=local, or "
                f"other values of {', '.join(_SLURM)}"
            ) from error
        self._executor = executor

    def start(self, index: int) -> ClusterHandle:
        from surrolab.sweep.worker import work

        job = self._job
        return ClusterHandle(
            self._executor.submit(work, job.url, job.study, job.directory, job.deadline, None)
        )


_SLURM: dict[str, Key] = {
    "cluster": choice("slurm", "local"),
    "timeout_min": integer(at_least=1),
    "cpus_per_task": optional(integer(at_least=1)),
    "gpus_per_node": optional(integer(at_least=0)),
    "mem_gb": optional(integer(at_least=1)),
    "slurm_partition": optional(text()),
    "slurm_account": optional(text()),
    "slurm_qos": optional(text()),
    "slurm_constraint": optional(text()),
}
_DEFAULTS: dict[str, Any] = {"cluster": "slurm", "timeout_min": 24 * 60}
NAMES = ("local", "slurm")


def launcher_node(node: Any) -> dict[str, Any]:
    """``local``, ``slurm`` or ``{name: slurm, ...}``, checked.

    Raises:
        UserError: names the key and what is allowed.
    """
    given = {"name": node} if isinstance(node, str) else node
    if not isinstance(given, Mapping) or given.get("name") not in NAMES:
        raise UserError(f"launcher: {node!r} is not allowed; allowed: {', '.join(NAMES)}")
    keys = _SLURM if given["name"] == "slurm" else {}
    checked: dict[str, Any] = {"name": given["name"]}
    if keys:
        checked |= dict.fromkeys(keys) | _DEFAULTS
    for word, value in given.items():
        if word == "name":
            continue
        if word not in keys:
            raise UserError(
                f"launcher.{word}: no such option; {suggestion(str(word), keys)}allowed: "
                f"{', '.join(keys) or 'none'}"
            )
        try:
            checked[word] = keys[word].convert(value)
        except (TypeError, ValueError):
            raise UserError(
                f"launcher.{word}: {value!r} is not allowed; allowed: {keys[word].allowed}"
            ) from None
    return checked


def make_launcher(job: Job, node: Mapping[str, Any]) -> Launcher:
    """The launcher of a spec.

    Raises:
        UserError: the cluster refuses its options.
    """
    return LocalLauncher(job) if node["name"] == "local" else ClusterLauncher(job, node)


def share_devices(devices: list[str], per_trial: int) -> list[str]:
    """GPUs by worker: as many for each as a trial uses, none for two workers.

    Args:
        devices: of this machine.
        per_trial: how many a trial uses; 0 for all of them.
    """
    size = per_trial or len(devices)
    groups = [devices[start : start + size] for start in range(0, len(devices), size or 1)]
    return [",".join(group) for group in groups if len(group) == size]
