"""``study.json``, read with forgiveness: what is missing or of the wrong kind is left out."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surrolab.files import open_file
from surrolab.report.reading import LARGEST_TABLE

STATES = ("complete", "pruned", "failed", "running", "waiting")


@dataclass(frozen=True)
class Objective:
    """What the sweep is after."""

    name: str
    maximize: bool

    @property
    def aim(self) -> str:
        return "higher is better" if self.maximize else "lower is better"

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is better than the second."""
        return one > other if self.maximize else one < other


@dataclass(frozen=True)
class Parameter:
    """What the sweep varies.

    Args:
        name: the key.
        kind: ``float``, ``int`` or ``categorical``.
        choices: of a categorical one.
        low, high: of a number.
        log: whether it was drawn on a logarithmic scale.
        when: the values of other parameters it depends on; empty where it always has a value.
    """

    name: str
    kind: str
    choices: tuple[Any, ...]
    low: float | None
    high: float | None
    log: bool
    when: dict[str, tuple[Any, ...]]

    @property
    def numeric(self) -> bool:
        return self.kind in ("float", "int")

    @property
    def fixed(self) -> bool:
        """Whether it has a single value, which there is nothing to learn about."""
        return self.low == self.high if self.numeric else len(self.choices) == 1


@dataclass(frozen=True)
class Run:
    """One training run of a trial, and where it lies (None where the file does not say)."""

    seed: Any
    directory: str | None
    metrics: dict[str, float]


@dataclass(frozen=True)
class Trial:
    """One point of the search; ``values`` has one item per objective, None where unknown."""

    number: int
    state: str
    values: tuple[float | None, ...]
    parameters: dict[str, Any]
    distributions: dict[str, str]
    intermediate: dict[int, float]
    started: str | None
    ended: str | None
    duration: float | None
    reason: str | None
    error: str | None
    starting_point: bool
    attempts: int
    runs: tuple[Run, ...]
    command: str

    def spread(self, metric: str) -> tuple[float, float] | None:
        """The lowest and highest value over seeds; None where fewer than two are known."""
        values = self.of_seeds(metric)
        return (min(values), max(values)) if len(values) > 1 else None

    def of_seeds(self, metric: str) -> list[float]:
        """The metric's final value in each run that has one."""
        return [run.metrics[metric] for run in self.runs if metric in run.metrics]


@dataclass(frozen=True)
class Study:
    """All that the page needs to know of a sweep beside the runs' own files."""

    name: str
    exported: str
    command: str
    version: str
    objectives: tuple[Objective, ...]
    sampler: dict[str, Any]
    pruner: dict[str, Any]
    pruning: dict[str, Any]
    seeds: tuple[Any, ...]
    max_epochs: int | None
    target: int | None
    base: tuple[str, ...]
    parameters: dict[str, Parameter]
    trials: tuple[Trial, ...]
    best: tuple[int, ...]

    def count(self, state: str) -> int:
        """How many trials are in this state."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def finished(self) -> list[Trial]:
        """Complete trials that have all their values."""
        return [t for t in self.trials if t.state == "complete" and None not in t.values]

    @property
    def best_trials(self) -> list[Trial]:
        by_number = {trial.number: trial for trial in self.finished}
        return [by_number[number] for number in self.best if number in by_number]


def read_study(path: Path) -> Study:
    """The study in the file. A file that is no JSON object is a ``ValueError``."""
    try:
        with open_file(path) as file:
            found = json.loads(file.read(LARGEST_TABLE).decode("utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name}: holds no study")
    objectives = tuple(
        Objective(_text(one.get("name")), one.get("direction") == "maximize")
        for one in _dicts(found.get("objectives"))
    )
    if not objectives:
        raise ValueError(f"{path.name}: names no objective")
    trials = [_trial(one, len(objectives)) for one in _dicts(found.get("trials"))]
    return Study(
        name=_text(found.get("study")),
        exported=_text(found.get("exported")),
        command=_text(found.get("command")),
        version=_text(found.get("version")),
        objectives=objectives,
        sampler=_dict(found.get("sampler")),
        pruner=_dict(found.get("pruner")),
        pruning=_dict(found.get("pruning")),
        seeds=tuple(_list(found.get("seeds"))),
        max_epochs=_count(found.get("max_epochs")),
        target=_count(found.get("target")),
        base=tuple(_text(word) for word in _list(found.get("base"))),
        parameters=_parameters(_dict(found.get("parameters")), trials),
        trials=tuple(sorted(trials, key=lambda trial: trial.number)),
        best=tuple(n for n in map(_count, _list(found.get("best"))) if n is not None),
    )


def finite(value: Any) -> float | None:
    """The number, or None where there is none: null, NaN, infinite, or no number at all."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _trial(found: dict[str, Any], objectives: int) -> Trial:
    values = [finite(value) for value in _list(found.get("values"))][:objectives]
    state = _text(found.get("state"))
    steps = {_count(step): finite(v) for step, v in _dict(found.get("intermediate")).items()}
    return Trial(
        number=_count(found.get("number")) or 0,
        state=state if state in STATES else "waiting",
        values=(*values, *[None] * (objectives - len(values))),
        parameters=_dict(found.get("parameters")),
        distributions={k: _text(v) for k, v in _dict(found.get("distributions")).items()},
        intermediate={
            k: v for k, v in sorted(steps.items(), key=str) if k is not None and v is not None
        },
        started=_text(found.get("started")) or None,
        ended=_text(found.get("ended")) or None,
        duration=finite(found.get("duration_s")),
        reason=_text(found.get("reason")) or None,
        error=_text(found.get("error")) or None,
        starting_point=found.get("starting_point") is True,
        attempts=_count(found.get("attempts")) or 1,
        runs=tuple(_run(one) for one in _dicts(found.get("runs"))),
        command=_text(found.get("command")),
    )


def _run(found: dict[str, Any]) -> Run:
    numbers = {k: finite(v) for k, v in _dict(found.get("metrics")).items()}
    metrics = {name: number for name, number in numbers.items() if number is not None}
    return Run(found.get("seed"), _text(found.get("directory")) or None, metrics)


def _parameters(found: dict[str, Any], trials: Sequence[Trial]) -> dict[str, Parameter]:
    parameters = {}
    for name, one in found.items():
        one = _dict(one)
        kind = _text(one.get("kind"))
        when = {key: tuple(_list(values)) for key, values in _dict(one.get("when")).items()}
        parameters[name] = Parameter(
            name,
            kind if kind in ("float", "int") else "categorical",
            tuple(_list(one.get("choices"))),
            finite(one.get("low")),
            finite(one.get("high")),
            one.get("log") is True,
            when,
        )
    for trial in trials:  # what the file's list lacks
        for name, value in trial.parameters.items():
            kind = "float" if finite(value) is not None else "categorical"
            parameters.setdefault(name, Parameter(name, kind, (), None, None, False, {}))
    return parameters


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _count(value: Any) -> int | None:
    try:
        return min(max(0, int(value)), 10**9)
    except (TypeError, ValueError, OverflowError):
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]
