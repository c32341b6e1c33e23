"""What each epoch of a trial ended with, from the ``metrics.csv`` of its runs."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from surrolab.report.reading import LARGEST_TABLE, read_text
from surrolab.report.study_file import Study, Trial

MEAN_RATE = "spikes/mean_rate"
MOST = 100_000  # an epoch beyond is a damaged file
Curve = list[float | None]


@dataclass(frozen=True)
class Epochs:
    """The learning of one trial.

    Args:
        curves: by metric, the mean over seeds at the end of each epoch, as far as all seeds got.
        trained: epochs of all seeds together; None where nothing says how many there were.
    """

    curves: Mapping[str, Curve]
    trained: int | None


def read_epochs(directory: Path, study: Study, metrics: Sequence[str]) -> dict[int, Epochs]:
    """The epochs of all trials, by number; run directories that are not there are left out."""
    return {trial.number: _of_trial(directory, study, trial, metrics) for trial in study.trials}


def run_directory(directory: Path, name: str | None) -> Path | None:
    """The run directory below the sweep's; None where it is not there, or not below."""
    if not name:
        return None
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        return None
    path = directory / relative
    try:
        return path if path.is_dir() else None
    except (OSError, ValueError):
        return None


def _of_trial(directory: Path, study: Study, trial: Trial, metrics: Sequence[str]) -> Epochs:
    paths = [run_directory(directory, run.directory) for run in trial.runs]
    seeds = [read_ends(path / "metrics.csv", metrics) for path in paths if path is not None]
    seeds = [seed for seed in seeds if seed]
    if not seeds:
        if study.pruning.get("on") == "epoch" and trial.intermediate:
            name = str(study.pruning.get("metric"))
            last = max(trial.intermediate)
            curve = [trial.intermediate.get(epoch) for epoch in range(1, min(last, MOST) + 1)]
            return Epochs({name: curve} if name in metrics else {}, last)
        return Epochs({}, None if trial.state in ("complete", "pruned") else 0)
    shared = min(len(seed) for seed in seeds)
    curves = {
        name: [_mean([seed[epoch].get(name) for seed in seeds]) for epoch in range(shared)]
        for name in metrics
    }
    curves = {name: curve for name, curve in curves.items() if any(v is not None for v in curve)}
    return Epochs(curves, sum(len(seed) for seed in seeds))


def read_ends(path: Path, metrics: Sequence[str] | None = None) -> list[dict[str, float]]:
    """The wanted metrics at the end of each epoch; empty for one that was not validated.

    Args:
        path: of ``metrics.csv``, of which what is whole is read.
        metrics: their names; all that are finite where it is None.
    """
    try:
        # A last line without an end is still being written.
        whole = read_text(path, most=LARGEST_TABLE).rpartition("\n")[0]
        rows = list(csv.DictReader(whole.splitlines()))
    except csv.Error:
        return []
    ends: dict[int, dict[str, float]] = {}
    for row in rows:
        epoch = _number(row.get("epoch"))
        # A diverged run's loss is there too, and not finite.
        if epoch is None or not 0 <= epoch < MOST or not row.get("val/loss"):
            continue
        wanted = [name for name in row if name] if metrics is None else metrics
        found = {name: _number(row.get(name)) for name in wanted}
        if MEAN_RATE in found and found[MEAN_RATE] is None:
            found[MEAN_RATE] = _mean([_number(row[name]) for name in row if _is_rate(name)])
        ends[int(epoch)] = {name: value for name, value in found.items() if value is not None}
    return [ends.get(epoch, {}) for epoch in range(max(ends, default=-1) + 1)]


def _is_rate(name: str | None) -> bool:
    return name is not None and name.startswith("spikes/") and name.endswith("/rate")


def _number(cell: object) -> float | None:
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
