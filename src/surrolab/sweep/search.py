"""Optuna's samplers and pruners by name, with their options."""

import inspect
import warnings
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna import pruners, samplers

from surrolab.errors import UserError, one_line
from surrolab.schema import suggestion

# Points of these are handed out by the study's places, each once: Optuna's own may draw one twice
# where several workers ask at the same time.
FINITE = ("grid", "brute_force")

SAMPLERS: dict[str, Callable[..., samplers.BaseSampler]] = {
    "tpe": samplers.TPESampler,
    "gp": samplers.GPSampler,
    "cmaes": samplers.CmaEsSampler,
    "nsga2": samplers.NSGAIISampler,
    "nsga3": samplers.NSGAIIISampler,
    "random": samplers.RandomSampler,
    "qmc": samplers.QMCSampler,
    "grid": samplers.RandomSampler,
    "brute_force": samplers.RandomSampler,
}

PRUNERS: dict[str, Callable[..., pruners.BasePruner]] = {
    "none": pruners.NopPruner,
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "successive_halving": pruners.SuccessiveHalvingPruner,
    "hyperband": pruners.HyperbandPruner,
    "wilcoxon": pruners.WilcoxonPruner,
    "patient": pruners.PatientPruner,
    "threshold": pruners.ThresholdPruner,
}

# What a line of YAML cannot say.
_NOT_OFFERED = {
    "self",
    "seed",
    "gamma",
    "weights",
    "constraints_func",
    "independent_sampler",
    "x0",
    "source_trials",
    "mutation",
    "crossover",
    "reference_points",
    "elite_population_selection_strategy",
    "child_generation_strategy",
    "after_trial_strategy",
    "search_space",
    "wrapped_pruner",
    "warn_independent_sampling",
    "warn_asynchronous_seeding",
}


def named(node: Any, where: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """``tpe`` or ``{name: tpe, ...}`` as a mapping with a known name.

    Raises:
        UserError: neither, or a name that is none.
    """
    given = {"name": node} if isinstance(node, str) else node
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise UserError(f"{where}: {node!r} is not allowed; allowed: {', '.join(table)}")
    if given["name"] not in table:
        raise UserError(
            f"{where}: {given['name']!r} is none; {suggestion(given['name'], table)}allowed: "
            f"{', '.join(table)}"
        )
    return {str(key): value for key, value in given.items()}


def make_sampler(node: Mapping[str, Any], trial: int = 0) -> samplers.BaseSampler:
    """The sampler for a trial.

    Its random numbers come from the spec's seed and the trial's number, so that they are the same
    whichever worker has the trial, and no two workers draw the same.

    Raises:
        UserError: an option that it has not, or a value that it refuses.
    """
    name = node["name"]
    seed = node.get("seed", 0)
    # A quasi-random sequence is one for the whole study.
    own = seed if name == "qmc" else zlib.crc32(f"{seed}/{trial}".encode())
    options = {key: value for key, value in node.items() if key not in ("name", "seed")}
    quiet = {
        word: False
        for word in ("warn_independent_sampling", "warn_asynchronous_seeding")
        if name != "tpe" and word in _parameters(SAMPLERS[name])
    }
    if name == "tpe" and "multivariate" not in options:
        # Slope and scale are searched together; groups take conditional parameters by themselves.
        options = {"multivariate": True, "group": True} | options
    return _make("sampler", SAMPLERS[name], options, seed=own, **quiet)  # type: ignore[no-any-return]


def make_pruner(node: Mapping[str, Any], steps: int) -> pruners.BasePruner:
    """The pruner.

    Args:
        node: the spec's ``pruner``.
        steps: how many times a trial that is not pruned reports.

    Raises:
        UserError: an option that it has not, or a value that it refuses.
    """
    name = node["name"]
    options = {k: v for k, v in node.items() if k not in ("name", "metric", "direction", "on")}
    if name == "hyperband":
        options = {"max_resource": steps} | options
    if name == "patient":
        inner = options.pop("pruner", None)
        wrapped = None if inner is None else make_pruner(named(inner, "pruner", PRUNERS), steps)
        return _make("pruner", PRUNERS[name], options, wrapped_pruner=wrapped)  # type: ignore[no-any-return]
    return _make("pruner", PRUNERS[name], options)  # type: ignore[no-any-return]


def _make(where: str, make: Callable[..., Any], options: dict[str, Any], **others: Any) -> Any:
    offered = [name for name in _parameters(make) if name not in _NOT_OFFERED]
    for name in options:
        if name not in offered:
            raise UserError(
                f"{where}.{name}: no such option; {suggestion(name, offered)}allowed: "
                f"{', '.join(offered) or 'none'}"
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return make(**options, **others)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {one_line(error)}") from error


def _parameters(make: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(make).parameters)
