"""A study as one run of Weights & Biases, beside the runs of its trials."""

import logging
import math
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrolab.errors import one_line
from surrolab.files import write_text
from surrolab.tracking.guard import Guard
from surrolab.tracking.segments import segments_in
from surrolab.tracking.session import finish_run, record_artifacts, start_run

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

ID_FILE = "wandb-run.txt"
REPORT = "report.html"
STATES = ("complete", "pruned", "failed", "running", "waiting")
FINISHED = STATES[:3]
DESCRIPTION = ("objectives", "sampler", "pruner", "pruning", "seeds", "max_epochs", "base")


def track_study(study: dict[str, Any], directory: Path, logger_config: dict[str, Any]) -> None:
    """Bring the study's summary run up to date, in the group that has the study's name.

    Where the logger is not W&B, or is disabled, nothing happens. Nothing that goes wrong here
    ends a sweep: it is a warning in the log.

    Args:
        study: what ``study.json`` holds.
        directory: the sweep directory; keeps the run and its id, so that a study that goes on
            goes on in the same run.
        logger_config: the ``logger`` node of the trials' configuration.
    """
    if logger_config.get("mode") not in ("offline", "online"):
        return
    guard = Guard(directory)
    try:
        run = _started(study, directory, logger_config, guard)
        try:
            _fill(run, study, directory)
        finally:
            finish_run(run, guard, 0)
    except Exception as error:
        log.warning(
            "the study's summary run did not get to W&B (%s: %s); the sweep directory has it all",
            type(error).__name__,
            one_line(error),
        )


def _started(
    study: dict[str, Any], directory: Path, logger_config: dict[str, Any], guard: Guard
) -> "wandb.Run":
    run = start_run(
        logger_config["mode"],
        guard,
        name=study["study"],
        group=study["study"],
        job_type="study",
        dir=directory,
        id=_run_id(directory),
        config={"space": study["parameters"], **{key: study.get(key) for key in DESCRIPTION}},
        project=logger_config.get("project"),
        entity=logger_config.get("entity"),
        tags=logger_config.get("tags"),
        notes=logger_config.get("notes"),
        reinit="create_new",  # beside whatever run this process has
    )
    record_artifacts(run)
    return run


def _run_id(directory: Path) -> str:
    path = directory / ID_FILE
    kept = path.read_text().strip() if path.exists() else ""
    if not kept:
        kept = secrets.token_hex(4)
        write_text(path, kept + "\n")
    return kept


def _fill(run: "wandb.Run", study: dict[str, Any], directory: Path) -> None:
    import wandb

    run.define_metric("trial", hidden=True)
    run.define_metric("best/*", step_metric="trial")
    best: dict[str, float] = {}
    # W&B refuses steps that lie behind those it knows of; offline it knows of none.
    already = run.step
    parts = segments_in(directory, run.id)
    told = {row["trial"] for part in parts for row in part.history if "trial" in row}
    for number, best in _best_so_far(study):
        if number >= already and number not in told:
            run.log({"trial": number, **best}, step=number, commit=True)
    columns, rows = _table(study)
    states = [trial["state"] for trial in study["trials"]]
    run.summary.update(
        {
            **{f"trials/{state}": states.count(state) for state in STATES},
            **best,
            **_best_trials(study),
            "trials": wandb.Table(columns=columns, data=rows),
        }
    )
    if (directory / REPORT).is_file():
        name = re.sub(r"[^\w.-]+", "-", study["study"], flags=re.ASCII)[:100]
        report = wandb.Artifact(f"{name}-report", type="report")
        report.add_file(str(directory / REPORT))
        run.log_artifact(report)


def _best_so_far(study: dict[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
    """After each finished trial: its number, and the best value of each objective until then."""
    best: dict[str, float] = {}
    for trial in sorted(study["trials"], key=lambda trial: int(trial["number"])):
        if trial["state"] not in FINISHED:
            continue
        values = trial["values"] if trial["state"] == "complete" else None
        for objective, value in zip(study["objectives"], values or [], strict=False):
            key = f"best/{objective['name']}"
            better = max if objective["direction"] == "maximize" else min
            if value is not None and math.isfinite(value):
                best[key] = better(best.get(key, value), value)
        if best:
            yield trial["number"], dict(best)


def _best_trials(study: dict[str, Any]) -> dict[str, Any]:
    """The best trial and its parameters; those of the Pareto front where objectives are several."""
    parameters = {trial["number"]: trial["parameters"] for trial in study["trials"]}
    best = [number for number in study["best"] if number in parameters]
    if len(study["objectives"]) == 1 and best:
        return {"best/trial": best[0], "best/parameters": parameters[best[0]]}
    return {
        "best/trials": best,
        "best/parameters": {str(number): parameters[number] for number in best},
    }


def _table(study: dict[str, Any]) -> tuple[list[str | int], list[list[Any]]]:
    """A row per trial; a column per objective and parameter, each of one type as W&B wants it."""
    trials = study["trials"]
    names = list(
        dict.fromkeys([*study["parameters"], *(n for t in trials for n in t["parameters"])])
    )
    columns: dict[str, list[Any]] = {
        "number": [trial["number"] for trial in trials],
        "state": [trial["state"] for trial in trials],
        "reason": [trial.get("reason") or trial.get("error") for trial in trials],
    }
    for index, objective in enumerate(study["objectives"]):
        values = [trial["values"] or [] for trial in trials]
        columns[objective["name"]] = _uniform(
            [row[index] if index < len(row) else None for row in values]
        )
    for name in names:
        columns[name] = _uniform([trial["parameters"].get(name) for trial in trials])
    columns["duration_s"] = _uniform([trial.get("duration_s") for trial in trials])
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _uniform(values: list[Any]) -> list[Any]:
    given = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in given):
        return values
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]
