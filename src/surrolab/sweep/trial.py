"""One trial: its runs, one per seed, and what becomes of them."""

import csv
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import Trial

from surrolab.composition import compose_run
from surrolab.errors import DivergedError, HeldError, UserError
from surrolab.files import write_text
from surrolab.run.directory import RunDirectory
from surrolab.run.execute import execute
from surrolab.run.untrained import chance, untrained_metrics
from surrolab.sweep.commands import command
from surrolab.sweep.parameter import Values
from surrolab.sweep.patience import persistently
from surrolab.sweep.spec import Spec, config_value, trial_words
from surrolab.sweep.study import FREE, flat

log = logging.getLogger(__name__)

Metrics = dict[str, float]


@dataclass
class Outcome:
    """What a trial has come to.

    Args:
        state: complete or pruned.
        values: of the objectives, means over seeds; none if pruned.
        runs: seed, directory (below that of the sweep) and metrics of each.
        reason: why a complete trial has learned nothing, or None.
    """

    state: str
    values: list[float] | None
    runs: list[dict[str, Any]]
    reason: str | None


@dataclass
class Follower:
    """Looks at the epochs of a run for the pruner, the heartbeat and the tracker.

    Args:
        spec: of the study.
        trial: Optuna's.
        index: which of the seeds this run has.
        earlier: the watched metric by epoch, of the seeds before.
        say: takes the progress.
    """

    spec: Spec
    trial: Trial
    index: int
    earlier: list[dict[int, float]]
    say: Callable[[dict[str, Any]], None]
    about: dict[str, Any] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)
    _checked: bool = False

    def epoch(self, epoch: int, metrics: Metrics) -> bool:
        if not self._checked:
            self._check(metrics)
        spec = self.spec
        metric, direction = spec.watched
        value = metrics.get(metric, math.nan)
        self.seen[epoch] = value
        finite = [one for one in self.seen.values() if math.isfinite(one)]
        best = (max if direction == "maximize" else min)(finite, default=None)
        self.say(
            {
                "epoch": epoch + 1,
                "epochs": spec.max_epochs,
                "seed": self.index + 1,
                "seeds": len(spec.seeds),
                "value": value if math.isfinite(value) else None,
                "best": best,
                "epochs_done": len(self.seen),
            }
        )
        if len(spec.objectives) > 1 or (spec.prunes and spec.pruned_on == "seed"):
            return False
        # With several seeds, the mean over those that have come as far.
        values = [value, *(seed[epoch] for seed in self.earlier if epoch in seed)]
        step = self.index * spec.max_epochs + epoch
        return report(spec, self.trial, step, sum(values) / len(values)) and spec.prunes

    def tags(self, state: str, outcome: dict[str, Any]) -> list[str]:
        if state == "interrupted":
            return []
        word = {"completed": "complete", "diverged": "complete"}.get(state, state)
        silent = silence(outcome.get("metrics", {}))
        diverged = ["diverged"] if state == "diverged" else []
        return [word, *diverged, *(["silent"] if silent else [])]

    def _check(self, metrics: Metrics) -> None:
        wanted = {name: "objectives" for name in self.spec.objectives if "/" in name}
        if self.spec.prunes:
            wanted.setdefault(self.spec.watched[0], "pruner.metric")
        for name, where in wanted.items():
            if name not in metrics:
                raise UserError(
                    f"{where}: {name} is not logged by these runs; allowed: "
                    f"{', '.join(sorted(metrics))}"
                )
        self._checked = True


def report(spec: Spec, trial: Trial, step: int, value: float) -> bool:
    """Report to the pruner and ask it; True to stop. What was reported before is not again.

    Optuna's pruners go by the direction of the objective: a metric with the other one is negated.
    """
    direction = spec.watched[1]
    if not math.isfinite(value):
        return False
    opposite = direction != next(iter(spec.objectives.values()))
    if opposite and spec.node["pruner"]["name"] != "threshold":
        value = -value

    def tell() -> bool:
        if step not in trial.storage.get_trial(trial._trial_id).intermediate_values:
            trial.report(value, step)
        return trial.should_prune()

    return persistently(tell)


def run_trial(
    spec: Spec,
    trial: Trial,
    values: Values,
    directory: Path,
    say: Callable[[dict[str, Any]], None],
) -> Outcome:
    """Run every seed, or what is left of it after a kill.

    Args:
        spec: of the study.
        trial: Optuna's, with its values asked for.
        values: these.
        directory: of the sweep.
        say: takes the progress.

    Raises:
        Exception: what made a run fail, other than that its numbers were no longer finite.
        KeyboardInterrupt: it was told to stop.
    """
    folder = directory / "trials" / str(trial.number)
    runs: list[dict[str, Any]] = []
    earlier: list[dict[int, float]] = []
    reasons: list[str] = []
    several = len(spec.seeds) > 1
    if several:
        folder.mkdir(parents=True, exist_ok=True)
        lines = [command(trial_words(spec, values, seed)) for seed in spec.seeds]
        write_text(folder / "command.txt", "".join(f"{line}\n" for line in lines))
    for index, seed in enumerate(spec.seeds):
        path = folder / f"seed{seed}" if several else folder
        follower = Follower(spec, trial, index, earlier, say)
        follower.about = {
            "trial": {"study": spec.study, "number": trial.number, "parameters": values}
        }
        result, reason = _run(spec, trial, values, seed, path, follower)
        runs.append(
            {
                "seed": seed,
                "directory": str(path.relative_to(directory)),
                "metrics": result["metrics"],
            }
        )
        if result["status"] == "pruned":
            return Outcome("pruned", None, runs, None)
        if reason is not None:
            reasons.append(reason)
        earlier.append(_watched_by_epoch(path, spec) | follower.seen)
        if spec.prunes and spec.pruned_on == "seed" and index + 1 < len(spec.seeds):
            value = _for_seed_pruner(spec, [run["metrics"] for run in runs])
            if report(spec, trial, index, value):
                return Outcome("pruned", None, runs, None)
    return Outcome("complete", _objective_values(spec, values, runs), runs, _together(reasons))


def _run(
    spec: Spec, trial: Trial, values: Values, seed: int, path: Path, follower: Follower
) -> tuple[dict[str, Any], str | None]:
    """The result of a run, made now or before, and why it has learned nothing, if so."""
    words = trial_words(spec, values, seed)
    composed = compose_run(words, f"{spec.study}-{trial.number}")
    config = _tracked(composed.config, spec.study, trial.number)
    there = path.is_dir() and (path / "config.yaml").is_file()
    directory = RunDirectory(path.absolute()) if there else RunDirectory.claim(path, True)
    before = directory.read_result()
    if before or directory.last.exists():
        _refuse_another(directory, config)
    if before.get("status") not in ("completed", "pruned"):
        directory.write_config(config, words, composed.choices)
        write_text(path / "command.txt", command(words) + "\n")
        try:
            _execute(config, directory, follower, composed.notes)
        except DivergedError as error:
            log.info("diverged: %s", error)
            return {"status": "completed", "metrics": _diverged(directory, config)}, "diverged"
        before = directory.read_result()
    silent = silence(before["metrics"])
    return before, None if not silent else f"silent: {', '.join(silent)}"


def _refuse_another(directory: RunDirectory, config: dict[str, Any]) -> None:
    """Refuse to go on with, or to count, what was computed from another configuration.

    Raises:
        UserError: names the first key that differs.
    """
    was, wanted = flat(directory.read_config()), flat(config)
    for name in wanted:
        # A key that only one has may be of another release.
        if name in was and was[name] != wanted[name] and not name.startswith(FREE):
            raise UserError(
                f"output: {directory.path} holds a run with {name}={was[name]}, which is not that "
                f"of this trial ({wanted[name]}); allowed: another output=DIR, or remove it"
            )


def _execute(
    config: dict[str, Any], directory: RunDirectory, follower: Follower, notes: Sequence[str]
) -> None:
    try:
        _when_free(config, directory, follower, notes)
    except UserError as error:
        # A checkpoint that a full disk or a failing one has spoiled: start over.
        if not str(error).startswith("checkpoint:"):
            raise
        log.warning("%s; the run starts over", error)
        directory.best.unlink(missing_ok=True)
        directory.last.unlink(missing_ok=True)
        _when_free(config, directory, follower, notes)


def _when_free(
    config: dict[str, Any], directory: RunDirectory, follower: Follower, notes: Sequence[str]
) -> None:
    while True:
        try:
            execute(config, directory, resume=True, watch=follower, notes=notes)
            return
        except HeldError:
            # By a worker that only hung when it was taken for dead: it ends when it sees that.
            log.warning("another process is still in %s; waiting for it to end", directory.path)
            time.sleep(1)


def _tracked(config: dict[str, Any], study: str, number: int) -> dict[str, Any]:
    """The same, with the group, job type and tag under which the tracker shows a trial."""
    logger = dict(config["logger"])
    if "group" in logger:
        logger["group"] = logger["group"] or study
        logger["job_type"] = logger["job_type"] or "trial"
        logger["tags"] = [*logger["tags"], f"trial-{number}"]
    return config | {"logger": logger}


def _diverged(directory: RunDirectory, config: dict[str, Any]) -> Metrics:
    """Scores at chance; the rest as it was last, or before training."""
    metrics: Metrics = {
        name: value
        for name, value in directory.read_result().get("metrics", {}).items()
        if isinstance(value, float) and math.isfinite(value)
    }
    if "val/loss" not in metrics:
        metrics = untrained_metrics(config) | metrics
    return metrics | chance(config, metrics)


def silence(metrics: Mapping[str, float]) -> list[str]:
    """Layers that no sample of validation makes spike."""
    return [
        name.split("/")[1]
        for name, value in metrics.items()
        if name.startswith("spikes/") and name.endswith("/silent_fraction") and value == 1
    ]


def _together(reasons: list[str]) -> str | None:
    return "; ".join(dict.fromkeys(reasons)) or None


def _objective_values(spec: Spec, values: Values, runs: list[dict[str, Any]]) -> list[float]:
    found = []
    for name in spec.objectives:
        if "/" in name:
            missing = [run for run in runs if name not in run["metrics"]]
            if missing:
                raise UserError(
                    f"objectives: {name} is not logged by these runs; allowed: "
                    f"{', '.join(sorted(missing[0]['metrics']))}"
                )
            per_seed = [run["metrics"][name] for run in runs]
            if None in per_seed:  # as JSON has what is not finite
                raise UserError(
                    f"objectives: {name} is not finite in this trial; allowed: a metric that is "
                    "a number in every run, such as val/accuracy"
                )
            found.append(sum(per_seed) / len(per_seed))
        else:
            words = trial_words(spec, values, spec.seeds[0])
            value = config_value(compose_run(words, spec.study).config, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(
                    f"objectives: {name} is no number in every trial; allowed: one that is, or a "
                    "metric such as val/accuracy"
                )
            found.append(float(value))
    return found


def _for_seed_pruner(spec: Spec, metrics: list[Metrics]) -> float:
    """Wilcoxon's test takes each seed by itself; the others the mean so far."""
    found = [seed.get(spec.watched[0]) for seed in metrics]
    values = [math.nan if value is None else value for value in found]  # JSON has no nan
    return values[-1] if spec.node["pruner"]["name"] == "wilcoxon" else sum(values) / len(values)


def _watched_by_epoch(path: Path, spec: Spec) -> dict[int, float]:
    """The watched metric of a run that was finished before."""
    seen: dict[int, float] = {}
    try:
        with (path / "metrics.csv").open() as file:
            for row in csv.DictReader(file):
                if row.get("val/loss") and row.get(spec.watched[0]):
                    seen[int(row["epoch"])] = float(row[spec.watched[0]])
    except (OSError, ValueError, KeyError):
        pass
    return seen
