"""Run and sweep directories below the paths that were given."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SKIPPED = {"wandb", "checkpoints", "records", "node_modules", "__pycache__"}
DEEPEST = 12


@dataclass(frozen=True)
class Place:
    """A run directory, the sweep it belongs to, and the number of its trial there."""

    path: Path
    sweep: Path | None = None
    trial: int | None = None


@dataclass(frozen=True)
class Found:
    """Directories that may be runs, and those of sweeps, in order."""

    runs: list[Place]
    sweeps: list[Path]


def discover(paths: Iterable[Path]) -> Found:
    """Search below the paths. A directory that several names lead to is found once."""
    runs: dict[Path, Place] = {}
    sweeps: dict[Path, None] = {}
    seen: set[Path] = set()
    sweep_above = cache(_is_sweep)
    for path in paths:
        for directory, names in _walk(path, seen, 0):
            if "study.json" in names:
                sweeps[directory] = None
            if "config.yaml" in names or "result.json" in names:
                sweep, trial = _trial(directory)
                known = sweep is not None and sweep_above(sweep)
                runs[directory] = Place(directory, sweep, trial) if known else Place(directory)
    order = sorted(runs.values(), key=lambda place: str(place.path))
    return Found(order, sorted(sweeps, key=str))


def _walk(path: Path, seen: set[Path], depth: int) -> Iterator[tuple[Path, set[str]]]:
    """Directories under their real names, with the names of what is in them."""
    try:
        real = path.resolve()
        if real in seen:
            return
        seen.add(real)
        with os.scandir(real) as entries:
            found = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
    except (OSError, RuntimeError, ValueError):
        return
    names = {entry.name for entry in found}
    yield real, names
    # A run's own folders hold no runs.
    if depth == DEEPEST or "metrics.csv" in names:
        return
    for entry in found:
        with contextlib.suppress(OSError):
            if entry.name not in SKIPPED and not entry.name.startswith(".") and entry.is_dir():
                yield from _walk(Path(entry.path), seen, depth + 1)


def _trial(directory: Path) -> tuple[Path | None, int | None]:
    """The sweep and the trial that ``SWEEP/trials/<n>`` or ``SWEEP/trials/<n>/seed<k>`` name."""
    for trial in (directory, directory.parent):
        if trial.parent.name == "trials" and trial.name.isdecimal():
            return trial.parent.parent, int(trial.name)
    return None, None


def _is_sweep(directory: Path) -> bool:
    try:
        return (directory / "study.json").is_file()
    except OSError:
        return False
