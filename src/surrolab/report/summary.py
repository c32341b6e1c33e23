"""What the head of the page says, and the rows of its table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from surrolab.report.drawing import DASH, label, number
from surrolab.report.epochs import Epochs, run_directory
from surrolab.report.study_file import STATES, Objective, Study, Trial, finite


@dataclass(frozen=True)
class Cell:
    """A cell of the table: what is read, and what it is sorted by."""

    text: str
    key: float | str | None
    link: str | None = None


@dataclass(frozen=True)
class Table:
    """The table of all trials: its heads, which columns are numbers, and a row per trial."""

    heads: list[str]
    numeric: list[bool]
    rows: list[tuple[Trial, list[Cell]]]


def facts(study: Study, epochs: Mapping[int, Epochs]) -> list[tuple[str, str]]:
    """Names and what there is to say of each."""
    states = ", ".join(f"{study.count(s)} {s}" for s in STATES if study.count(s)) or "none yet"
    if study.target is not None:
        states += f"; {study.target} asked for"
    found = [("Trials", states)]
    reasons = [t.reason.split(":")[0] for t in study.trials if t.reason]
    if reasons:
        counts = ", ".join(f"{reasons.count(r)} {r}" for r in dict.fromkeys(reasons))
        found.append(("Of these", counts))
    found.append(("Objectives", "; ".join(f"{o.name} ({o.aim})" for o in study.objectives)))
    found.append(("Time", _times(study)))
    found.append(("Epochs", _trained(study, epochs)))
    found.append(("Sampler", _options(study.sampler)))
    found.append(("Pruner", _options(study.pruner) + _pruned_on(study)))
    found.append(("Seeds", ", ".join(map(label, study.seeds)) or DASH))
    if study.base:
        found.append(("All trials", " ".join(study.base)))
    return found


def when(exported: str) -> str:
    """A time for people, in the zone it was written in."""
    try:
        return datetime.fromisoformat(exported).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return exported or "at an unknown time"


def value(trial: Trial, index: int, objective: Objective) -> str:
    """A trial's value with what its seeds reached."""
    spread = trial.spread(objective.name)
    text = number(trial.values[index])
    if spread is None:
        return text
    seeds = len(trial.of_seeds(objective.name))
    return f"{text} ({seeds} seeds: {number(spread[0])} to {number(spread[1])})"


def table(
    directory: Path,
    study: Study,
    epochs: Mapping[int, Epochs],
    page_of: Callable[[Path], str | None] | None = None,
) -> Table:
    """All trials, as far as they are known.

    Args:
        directory: the sweep's.
        study: in it.
        epochs: by trial.
        page_of: from a run's directory to what its trial's row leads to; without it, to the
            directory itself.
    """
    heads = ["trial", "state", *(o.name for o in study.objectives), *study.parameters]
    heads += ["epochs", "duration", "why", "run directory"]
    rows = []
    for trial in study.trials:
        cells = [Cell(_number(trial), float(trial.number)), Cell(trial.state, trial.state)]
        for index, objective in enumerate(study.objectives):
            cells.append(Cell(value(trial, index, objective), trial.values[index]))
        for name in study.parameters:
            known = name in trial.parameters
            setting = trial.parameters.get(name)
            place = finite(setting)
            key = label(setting) if place is None else place
            cells.append(Cell(label(setting), key) if known else Cell(DASH, None))
        trained = epochs[trial.number].trained
        cells.append(Cell(number(trained), None if trained is None else float(trained)))
        cells.append(Cell(duration(trial.duration), trial.duration))
        why = "; ".join(word for word in (trial.reason, trial.error) if word)
        cells.append(Cell(why, why or None))
        cells.append(_place(directory, trial, page_of))
        rows.append((trial, cells))
    numeric = [any(isinstance(cells[i].key, float) for _, cells in rows) for i in range(len(heads))]
    return Table(heads, numeric, rows)


def duration(seconds: float | None) -> str:
    """A duration for people."""
    if seconds is None:
        return DASH
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _number(trial: Trial) -> str:
    attempts = f" ({trial.attempts} attempts)" if trial.attempts > 1 else ""
    return f"{trial.number}{attempts}{' (starting point)' if trial.starting_point else ''}"


def _place(
    directory: Path, trial: Trial, page_of: Callable[[Path], str | None] | None = None
) -> Cell:
    names = [run.directory for run in trial.runs if run.directory]
    if not names:
        return Cell(DASH, None)
    name = names[0] if len(names) == 1 else names[0].rpartition("/")[0] or names[0]
    if page_of is None:
        there = run_directory(directory, name) is not None
        return Cell(name, name, f"{quote(name)}/" if there else None)
    path = run_directory(directory, names[0])
    return Cell(name, name, page_of(path) if path else None)


def _times(study: Study) -> str:
    known = [t.duration for t in study.trials if t.duration is not None]
    text = f"{duration(sum(known))} of training" if known else DASH
    starts = [at for t in study.trials if (at := _moment(t.started)) is not None]
    ends = [at for t in study.trials if (at := _moment(t.ended)) is not None]
    if starts and ends and max(ends) > min(starts):
        text += f"; {duration(max(ends) - min(starts))} from the first start to the last end"
    return text


def _moment(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError, OSError):
        return None


def _trained(study: Study, epochs: Mapping[int, Epochs]) -> str:
    known = {number: e.trained for number, e in epochs.items() if e.trained is not None}
    unknown = len(epochs) - len(known)
    trained = sum(known.values())
    text = f"{trained} trained"
    pruned = [t.number for t in study.trials if t.state == "pruned" and t.number in known]
    if study.max_epochs and pruned:
        whole = study.max_epochs * max(1, len(study.seeds))
        saved = sum(max(0, whole - known[n]) for n in pruned)
        share = saved / max(1, trained + saved)
        text += f"; {trained + saved} without pruning, which saved {saved} ({share:.0%})"
    elif study.pruner:
        text += "; pruning has stopped no trial"
    if unknown:
        text += f"; of {unknown} trials nothing says how many"
    return text


def _options(found: Mapping[str, Any]) -> str:
    name = label(found.get("name", "none"))
    options = ", ".join(
        f"{k} {label(v)}" for k, v in found.items() if k != "name" and v is not None
    )
    return f"{name} ({options})" if options else name


def _pruned_on(study: Study) -> str:
    if not study.pruner or not study.pruning:
        return ""
    return f", on {label(study.pruning.get('metric'))} after each {label(study.pruning.get('on'))}"
