"""A study as files: ``study.json`` for pages and programs, ``trials.csv`` for tables."""

import csv
import io
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.trial import FrozenTrial, TrialState

import surrolab
from surrolab.files import write_json, write_text
from surrolab.sweep.commands import command
from surrolab.sweep.parameter import Values
from surrolab.sweep.spec import Spec, trial_words
from surrolab.sweep.storage import without_password
from surrolab.sweep.study import quiet_optuna

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def export(
    spec: Spec, study: optuna.Study, directory: Path, url: str, command: str
) -> dict[str, Any]:
    """Write both files; the content of ``study.json``.

    Args:
        spec: of the study.
        study: Optuna's.
        directory: of the sweep.
        url: of the storage.
        command: the line that goes on with it.
    """
    facts = study_facts(spec, study, url, command)
    write_json(directory / "study.json", facts)
    write_text(directory / "trials.csv", _table(spec, facts))
    return facts


def study_facts(spec: Spec, study: optuna.Study, url: str, command: str) -> dict[str, Any]:
    """Plain data: the spec, every trial, and the best."""
    with quiet_optuna():
        trials = study.get_trials(deepcopy=False)
        finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        best = [trial.number for trial in study.best_trials] if finished else []
    # At equal values the first of them.
    best = best if len(spec.objectives) > 1 else best[:1]
    metric, _ = spec.watched
    return {
        "study": spec.study,
        "exported": _iso(datetime.now(UTC)),
        "command": command,
        "version": surrolab.__version__,
        "storage": without_password(url),
        "objectives": [{"name": n, "direction": d} for n, d in spec.objectives.items()],
        "sampler": spec.node["sampler"],
        "pruner": spec.node["pruner"] if spec.prunes else None,
        "pruning": {"metric": metric, "on": spec.pruned_on} if spec.prunes else None,
        "seeds": spec.seeds,
        "max_epochs": spec.max_epochs,
        "target": spec.target,
        "base": spec.overrides,
        "parameters": {
            parameter.name: {
                **_range(parameter.distribution),
                "when": {name: list(v) for name, v in parameter.when.items()} or None,
            }
            for parameter in spec.space.parameters
        },
        "trials": [_trial(spec, trial) for trial in trials],
        "best": best,
    }


def _trial(spec: Spec, trial: FrozenTrial) -> dict[str, Any]:
    known = trial.user_attrs
    complete = trial.state == TrialState.COMPLETE
    return {
        "number": trial.number,
        "state": STATES[trial.state],
        "values": list(trial.values) if complete else None,
        "parameters": dict(trial.params),
        "distributions": {
            name: distribution_to_json(space) for name, space in trial.distributions.items()
        },
        # People count epochs and seeds from 1.
        "intermediate": {
            str(step + 1): value for step, value in sorted(trial.intermediate_values.items())
        },
        "started": _local(trial.datetime_start),
        "ended": _local(trial.datetime_complete),
        "duration_s": None if trial.duration is None else trial.duration.total_seconds(),
        "reason": known.get("reason"),
        "error": known.get("error"),
        "starting_point": known.get("starting_point", False),
        "attempts": known.get("attempts", 1),
        "runs": known.get("runs") or _runs(spec, trial.number),
        "command": _command(spec, trial),
    }


def _runs(spec: Spec, number: int) -> list[dict[str, Any]]:
    several = len(spec.seeds) > 1
    return [
        {
            "seed": seed,
            "directory": f"trials/{number}" + (f"/seed{seed}" if several else ""),
            "metrics": None,
        }
        for seed in spec.seeds
    ]


def _command(spec: Spec, trial: FrozenTrial) -> str | None:
    values: Values = trial.params
    complete = all(p.name in values for p in spec.space.parameters if p.exists(values))
    # One that is finished may be older than a parameter.
    if not complete and trial.state not in (TrialState.COMPLETE, TrialState.PRUNED):
        return None  # its values are still being asked for
    return "\n".join(command(trial_words(spec, values, seed)) for seed in spec.seeds)


def _range(space: BaseDistribution) -> dict[str, Any]:
    if isinstance(space, CategoricalDistribution):
        return {"kind": "categorical", "choices": list(space.choices)}
    assert isinstance(space, FloatDistribution | IntDistribution)
    return {
        "kind": "float" if isinstance(space, FloatDistribution) else "int",
        "low": space.low,
        "high": space.high,
        "log": space.log,
        "step": space.step,
    }


def _table(spec: Spec, facts: dict[str, Any]) -> str:
    """A row per trial: state, objectives, parameters, and the metrics as means over seeds."""
    rows = []
    columns = ["trial", "state", "reason", *spec.objectives]
    columns += [name for name in facts["parameters"] if name not in columns]
    columns += ["duration_s", "attempts", "error", "directory"]
    metrics: list[str] = []
    for trial in facts["trials"]:
        found = [run["metrics"] for run in trial["runs"] if run["metrics"]]
        means = {
            name: sum(values) / len(values)
            for name in (found[0] if found else {})
            if (values := [m[name] for m in found if isinstance(m.get(name), int | float)])
            and all(math.isfinite(value) for value in values)
        }
        metrics += [name for name in means if name not in metrics and name not in columns]
        row = means | trial["parameters"]
        # A pruned trial has a metric of this name, but not the objective's value.
        row |= dict.fromkeys(spec.objectives) | dict(
            zip(spec.objectives, trial["values"] or [], strict=False)
        )
        row |= {name: trial[name] for name in ("state", "reason", "attempts", "error")}
        row |= {"trial": trial["number"], "duration_s": trial["duration_s"]}
        rows.append(row | {"directory": f"trials/{trial['number']}"})
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*columns, *metrics], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _local(moment: datetime | None) -> str | None:
    """Optuna keeps local time without a zone."""
    return None if moment is None else _iso(moment.astimezone())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
