"""Starts the workers of a study, starts them again when they die, and shows how it goes."""

import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from surrolab.errors import RunError, one_line
from surrolab.sweep import worker as worker_module
from surrolab.sweep.heart import AGAIN
from surrolab.sweep.launchers import (
    Handle,
    Job,
    LocalLauncher,
    make_launcher,
    share_devices,
)
from surrolab.sweep.places import Places
from surrolab.sweep.spec import Spec
from surrolab.sweep.table import Display, study_trials

log = logging.getLogger(__name__)

# Seconds that workers have to save when they are told to stop.
PATIENCE = 60.0
# A worker that dies this often within so many seconds of its start is not started again; one that
# dies of an error of its own, within so many more.
QUICK_DEATHS, QUICK, SOON = 5, 3.0, 60.0


def supervise(
    spec: Spec,
    study: optuna.Study,
    places: Places,
    job: Job,
    workers: int,
    look: Callable[[bool], None],
) -> None:
    """Have the study worked on until nothing is left to do.

    Args:
        spec: of the study.
        study: Optuna's.
        places: of the study.
        job: what a worker is to do.
        workers: how many.
        look: called when a trial has been finished, for the files; with True at the end.

    Raises:
        KeyboardInterrupt: on Ctrl-C and SIGTERM, when the workers have saved and are gone.
        RunError: too many trials failed, or workers cannot do their work.
    """
    launcher = make_launcher(job, spec.node["launcher"])
    trials = study_trials(study)
    finished = sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in trials)
    handles: dict[int, Handle] = {}
    started: dict[int, float] = {}
    quick = 0
    hindered: str | None = None
    display = Display(spec, workers, finished)
    display.skip(trials)
    with _terminable(), display:
        try:
            for index in range(workers):
                handles[index], started[index] = launcher.start(index), time.monotonic()
            shown = 0.0
            while handles:
                time.sleep(0.1)
                for index, handle in list(handles.items()):
                    status = handle.status()
                    if status is None:
                        continue
                    del handles[index]
                    if status == worker_module.FINISHED:
                        continue
                    if status == worker_module.GAVE_UP:
                        hindered = _too_many(spec, study)
                        continue
                    if status == worker_module.HINDERED:
                        hindered = no_room_in(job.directory)
                        continue
                    if status == 2:
                        hindered = _last_words(job, launcher, index)
                        continue
                    lived = time.monotonic() - started[index]
                    quick = quick + 1 if lived < (SOON if status > 0 else QUICK) else 0
                    if quick >= QUICK_DEATHS:
                        raise RunError(
                            f"workers die as soon as they are started: "
                            f"{_last_words(job, launcher, index)}"
                        )
                    handles[index], started[index] = launcher.start(index), time.monotonic()
                if hindered is not None:
                    break
                if time.monotonic() - shown >= 1:
                    _show(display, study, places)
                    look(False)
                    shown = time.monotonic()
        finally:
            _stop(handles)
            _show(display, study, places)
            look(True)
    hindered = hindered or _lost_points(spec, study)
    if hindered is not None:
        raise RunError(hindered)


def no_room_in(directory: Path) -> str:
    """What is said when nothing can be written any more."""
    return (
        f"nothing more can be written in {directory}: the disk is full, a quota used up, or it is "
        "mounted read-only; once that is mended the same command goes on"
    )


def count_workers(spec: Spec, devices: list[str]) -> int:
    """As many as asked for; by default one for each GPU, or for each core that a trial leaves."""
    wanted = spec.node["workers"]
    if wanted != "auto":
        return int(wanted)
    if devices:
        return len(devices)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    each = (spec.base.config["threads"] or 1) * max(1, spec.devices)
    return max(1, (cores or 1) // each)


def devices_of_workers(spec: Spec) -> list[str]:
    """The GPUs that each worker has; none where trials run on the CPU, or others share them out."""
    trainer = spec.base.config["trainer"]
    if spec.node["launcher"]["name"] != "local" or trainer["accelerator"] == "cpu":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        there = [name for name in visible.split(",") if name.strip()]
    else:
        there = [str(number) for number in range(_gpus())]
    return share_devices(there, spec.devices) if there else []


def _gpus() -> int:
    """How many GPUs there are, without torch, which takes seconds to import."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def _show(display: Display, study: optuna.Study, places: Places) -> None:
    try:
        display.show(study_trials(study), places.rows())
    except Exception as error:  # the database is away: the workers wait for it
        log.debug("nothing to show: %s", one_line(error))


def _too_many(spec: Spec, study: optuna.Study) -> str:
    return (
        f"{spec.node['max_failures']} trials failed{_last_failure(study)}; the same command tries "
        "again, max_failures=N lets more of them fail"
    )


def _lost_points(spec: Spec, study: optuna.Study) -> str | None:
    """What is said of a grid whose points are not all there because trials failed."""
    states = [trial.state.name for trial in study_trials(study)]
    finished = sum(state in ("COMPLETE", "PRUNED") for state in states)
    late = spec.node["time_budget"] is not None
    if spec.target is None or finished >= spec.target or late or "FAIL" not in states:
        return None
    return (
        f"{finished} of {spec.target} trials are finished, others failed{_last_failure(study)}; "
        "the same command tries again"
    )


def _last_failure(study: optuna.Study) -> str:
    failed = [trial for trial in study_trials(study) if trial.state.name == "FAIL"]
    if not failed:
        return ""
    return f", the last one (trial {failed[-1].number}): {failed[-1].user_attrs.get('error')}"


def _last_words(job: Job, launcher: Any, index: int) -> str:
    if not isinstance(launcher, LocalLauncher):
        return f"see {job.directory / 'workers'}"
    path = launcher.log(index)
    with contextlib.suppress(OSError):
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
        if lines:
            return f"{lines[-1].removeprefix('surrolab: ')} (more in {path})"
    return f"see {path}"


def _stop(handles: dict[int, Handle]) -> None:
    until = time.monotonic() + PATIENCE
    told = -math.inf
    try:
        while time.monotonic() < until and any(h.status() is None for h in handles.values()):
            if time.monotonic() - told > AGAIN:  # it may strike where Python forgets it
                told = time.monotonic()
                for handle in handles.values():
                    if handle.status() is None:
                        handle.stop()
            time.sleep(0.1)
    finally:  # a second Ctrl-C does not wait
        for handle in handles.values():
            if handle.status() is None:
                handle.stop(at_once=True)


@contextlib.contextmanager
def _terminable() -> Any:
    """Treat SIGTERM like Ctrl-C."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
