"""What no study can be, found before anything runs."""

import re
from collections.abc import Mapping
from typing import Any

from surrolab.composition import compose_run
from surrolab.errors import UserError
from surrolab.sweep.search import SAMPLERS, make_pruner, make_sampler
from surrolab.sweep.spec import Spec, config_value, with_threads

DIRECTIONS = ("maximize", "minimize")
# The families of names that a run logs at the end of every epoch.
_LOGGED = re.compile(r"(val|train|spikes|synops|gradients|membrane|surrogate|alignment)/[\w/]+")
_SINGLE = ("cmaes",)


def try_out(spec: Spec) -> None:
    """Compose what the space can give: every category, and both ends of every range.

    Raises:
        UserError: a value that no run can have, with the parameter it comes from.
    """
    seen: set[tuple[str, ...]] = set()
    for values in spec.space.samples():
        words = spec.space.overrides(values)
        if tuple(words) in seen:
            continue
        seen.add(tuple(words))
        try:
            compose_run(with_threads([*spec.overrides, *words]), spec.study)
        except UserError as error:
            key = str(error).partition(":")[0].partition("=")[0]
            hint = (
                "; a parameter for some values of another only says so: when: {surrogate: ...}"
                if "." in key and key.partition(".")[0] in values and "no such" in str(error)
                else ""
            )
            raise UserError(f"space: {' '.join(words)} cannot be: {error}{hint}") from error


def checked_objectives(node: Any) -> dict[str, str]:
    """Directions by name.

    Raises:
        UserError: a direction that is none, or a name that no run logs.
    """
    given = {node: None} if isinstance(node, str) else node
    if not isinstance(given, Mapping) or not given:
        raise UserError(
            f"objectives: {node!r} is not allowed; allowed: {{val/accuracy: maximize, ...}}"
        )
    objectives = {}
    for name, direction in given.items():
        _check_metric(str(name), "objectives")
        if direction not in DIRECTIONS:
            raise UserError(
                f"objectives.{name}: {direction!r} is not allowed; allowed: {', '.join(DIRECTIONS)}"
            )
        objectives[str(name)] = str(direction)
    return objectives


def _check_metric(name: str, where: str) -> None:
    if name.startswith("test/"):
        raise UserError(
            f"{where}: {name} is of the test samples, which no choice may see; allowed: "
            f"val/{name.removeprefix('test/')} and other metrics of validation"
        )
    is_key = where == "objectives" and re.fullmatch(r"\w+\.\w+", name)
    if not is_key and _LOGGED.fullmatch(name) is None:
        raise UserError(
            f"{where}: {name} is nothing that a run logs; allowed: names such as val/accuracy, "
            "val/loss, train/loss, spikes/mean_rate, synops/effective_acs, gradients/hidden1/norm"
            + (
                ", or a number of the configuration such as encoding.steps"
                if where == "objectives"
                else ""
            )
        )


def check_spec(spec: Spec) -> None:
    """Refuse parts that do not go together.

    Raises:
        UserError: with what is allowed.
    """
    node, several = spec.node, len(spec.objectives) > 1
    sampler, pruner = node["sampler"]["name"], node["pruner"]
    if spec.prunes and several:
        raise UserError(
            "pruner: not with several objectives, as no single number says which trial is worse; "
            "allowed: pruner: none, or one objective"
        )
    if several and sampler in _SINGLE:
        raise UserError(
            f"sampler: {sampler} searches for one objective, here are several; allowed: "
            f"{', '.join(name for name in SAMPLERS if name not in _SINGLE)}"
        )
    if sampler == "cmaes":
        always = [p for p in spec.space.parameters if not p.when and len(p.ends()) == 2]
        numbers = [p for p in always if type(p.distribution).__name__ != "CategoricalDistribution"]
        if len(numbers) < 2:
            raise UserError(
                "sampler: cmaes needs two numbers that every trial has; allowed: tpe, gp, random"
            )
    if spec.points is not None and spec.starting_points:
        raise UserError(
            f"starting_points: not with sampler: {sampler}, which runs every point; allowed: none"
        )
    make_sampler(node["sampler"])
    if spec.prunes:
        _check_pruner(spec)
    make_pruner(pruner, spec.steps)
    if spec.points is None and node["trials"] is None and node["time_budget"] is None:
        raise UserError("trials: missing; allowed: trials: N, or time_budget: 2h, or sampler: grid")
    for name in spec.objectives:
        if "/" not in name:
            value = config_value(spec.base.config, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(
                    f"objectives: {name} is no number of the configuration; allowed: one, such as "
                    "encoding.steps, or a metric such as val/accuracy"
                )


def _check_pruner(spec: Spec) -> None:
    pruner = spec.node["pruner"]
    on = pruner.get("on")
    if on not in (None, "epoch", "seed"):
        raise UserError(f"pruner.on: {on!r} is not allowed; allowed: epoch, seed")
    if spec.pruned_on == "seed" and len(spec.seeds) < 2:
        raise UserError(
            "pruner.on: seed needs several seeds; allowed: on: epoch, or seeds: [0,1,2]"
        )
    if pruner["name"] == "wilcoxon" and spec.pruned_on != "seed":
        raise UserError("pruner.on: wilcoxon compares seed by seed; allowed: on: seed")
    direction = pruner.get("direction")
    if direction not in (None, *DIRECTIONS):
        raise UserError(
            f"pruner.direction: {direction!r} is not allowed; allowed: {', '.join(DIRECTIONS)}"
        )
    metric = pruner.get("metric", next(iter(spec.objectives)))
    if not isinstance(metric, str):
        raise UserError(f"pruner.metric: {metric!r} is not allowed; allowed: a name as val/loss")
    _check_metric(metric, "pruner.metric")
    known = metric in spec.objectives or metric.endswith(("loss", "mse", "mae", "accuracy"))
    if direction is None and not known and pruner["name"] != "threshold":
        raise UserError(f"pruner.direction: missing for {metric}; allowed: {', '.join(DIRECTIONS)}")
