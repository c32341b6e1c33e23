"""What a sweep shows while it runs: a live table on a terminal, a line per trial elsewhere."""

import json
import sys
import time
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from surrolab.sweep.export import STATES
from surrolab.sweep.spec import Spec

ROWS = 14  # finished trials that are shown above the running ones


class Display:
    """Shows a study. Use as a context.

    Args:
        spec: of the study.
        workers: how many there are to be.
        begun: how many trials were finished before.
    """

    def __init__(self, spec: Spec, workers: int, begun: int) -> None:
        self._spec = spec
        self._workers = workers
        self._begun = begun
        self._started = time.monotonic()
        self._told: set[int] = set()
        self._console = Console()
        self._live = (
            Live(console=self._console, refresh_per_second=2, transient=False)
            if sys.stdout.isatty()
            else None
        )

    def __enter__(self) -> "Display":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._live is not None:
            self._live.stop()

    def skip(self, trials: list[FrozenTrial]) -> None:
        """Do not tell of these, which were finished before."""
        self._told |= {trial.number for trial in trials if trial.state.is_finished()}

    def show(self, trials: list[FrozenTrial], places: list[Any]) -> None:
        """Show how things stand."""
        if self._live is not None:
            self._live.update(self._picture(trials, places))
            return
        for trial in trials:
            if trial.state.is_finished() and trial.number not in self._told:
                self._told.add(trial.number)
                print(self._line(trial, trials), flush=True)

    def _line(self, trial: FrozenTrial, trials: list[FrozenTrial]) -> str:
        words = [f"trial {trial.number}: {STATES[trial.state]}"]
        if trial.state == TrialState.COMPLETE:
            words += [
                f"{n}={v:.4g}" for n, v in zip(self._spec.objectives, trial.values, strict=True)
            ]
        words += [f"({self._parameters(trial)})"]
        if trial.user_attrs.get("reason"):
            words.append(f"[{trial.user_attrs['reason']}]")
        if trial.duration is not None:
            words.append(f"{trial.duration.total_seconds():.0f} s")
        done = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)
        return " ".join(
            [*words, f"- {done} of {self._spec.target or 'as many as the time allows'}"]
        )

    def _picture(self, trials: list[FrozenTrial], places: list[Any]) -> Group:
        table = Table(title=f"study {self._spec.study}", title_justify="left", expand=False)
        for name in ("trial", "state", "parameters"):
            table.add_column(name, justify="right" if name == "trial" else "left", overflow="fold")
        for name in ("epoch", "now", "best so far", *self._spec.objectives, "time"):
            table.add_column(name, justify="right", overflow="fold")
        progress = {row.trial_id: row for row in places if row.state == "open"}
        best = _best(self._spec, trials)
        finished = [trial for trial in trials if trial.state.is_finished()]
        shown = sorted(finished, key=lambda t: str(t.datetime_complete))[-ROWS:]
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in [*shown, *running]:
            self._row(table, trial, progress.get(trial._trial_id), trial.number in best)
        return Group(table, Text(self._summary(trials)))

    def _row(self, table: Table, trial: FrozenTrial, place: Any, best: bool) -> None:
        state = STATES[trial.state]
        style = {"pruned": "dim", "failed": "red"}.get(state, "bold green" if best else "")
        told = json.loads(place.progress) if place is not None and place.progress else None
        if state == "running" and (place is None or place.worker is None):
            state = "waits"
        elif trial.user_attrs.get("reason"):
            state = trial.user_attrs["reason"]
        cells = ["", "", ""]
        if told:
            seed = f" seed {told['seed']}/{told['seeds']}" if told["seeds"] > 1 else ""
            cells = [f"{told['epoch']}/{told['epochs']}{seed}", *map(_cell, _now(told))]
        elif state == "pruned" and trial.last_step is not None:
            cells = [
                str(trial.last_step + 1),
                _cell(trial.intermediate_values[trial.last_step]),
                "",
            ]
        complete = trial.state == TrialState.COMPLETE
        values = trial.values if complete else [None] * len(self._spec.objectives)
        end = trial.datetime_complete or datetime.now()
        spent = None if trial.datetime_start is None else end - trial.datetime_start
        table.add_row(
            str(trial.number),
            state,
            self._parameters(trial),
            *cells,
            *map(_cell, values),
            "" if spent is None else _time(spent.total_seconds()),
            style=style,
        )

    def _parameters(self, trial: FrozenTrial) -> str:
        """What is not the same for all, without the group where that leaves no doubt."""
        names = [p.name for p in self._spec.space.parameters if len(set(p.ends())) > 1]
        short = [name.rpartition(".")[2] for name in names]
        return " ".join(
            f"{last if short.count(last) == 1 else name}={_short(trial.params[name])}"
            for name, last in zip(names, short, strict=True)
            if name in trial.params
        )

    def _summary(self, trials: list[FrozenTrial]) -> str:
        counts = dict.fromkeys(("complete", "pruned", "failed", "running"), 0)
        for trial in trials:
            if STATES[trial.state] in counts:
                counts[STATES[trial.state]] += 1
        done = counts["complete"] + counts["pruned"]
        words = [f"{counts[state]} {state}" for state in counts]
        best = _best(self._spec, trials)
        if len(self._spec.objectives) == 1 and best:
            value = next(t.value for t in trials if t.number == best[0])
            words.append(f"best {value:.4g} (trial {best[0]})")
        left = None
        if self._spec.target is not None and done > self._begun:
            each = (time.monotonic() - self._started) / (done - self._begun)
            left = each * max(0, self._spec.target - done)
        of = "" if self._spec.target is None else f" of {self._spec.target}"
        words.insert(0, f"{done}{of} finished")
        return ", ".join(words) + ("" if left is None else f"; about {_time(left)} left")


def _best(spec: Spec, trials: list[FrozenTrial]) -> list[int]:
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len(spec.objectives) > 1 or not complete:
        return []
    sign = 1 if next(iter(spec.objectives.values())) == "maximize" else -1
    return [max(complete, key=lambda trial: sign * (trial.value or 0.0)).number]


def _now(told: dict[str, Any]) -> tuple[float | None, float | None]:
    return told["value"], told.get("best")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02} min"
        if hours
        else f"{minutes} min {rest:02} s"
        if minutes
        else f"{rest} s"
    )


def study_trials(study: optuna.Study) -> list[FrozenTrial]:
    """All trials; not copied, to be looked at only."""
    return study.get_trials(deepcopy=False)
