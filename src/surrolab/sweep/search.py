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
from surrolab.schema.keys import Key, choice, either, flag, integer, number, optional

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

# Of all samplers and pruners; an option that Optuna has given up is left out. A name with a dot is
# of one of them alone.
OPTIONS: dict[str, Key] = {
    "seed": integer(at_least=0),
    "n_startup_trials": integer(at_least=0),
    "n_ei_candidates": integer(at_least=1),
    "multivariate": flag(),
    "group": flag(),
    "constant_liar": flag(),
    "deterministic_objective": flag(),
    "popsize": optional(integer(at_least=2)),
    "consider_pruned_trials": flag(),
    "use_separable_cma": flag(),
    "with_margin": flag(),
    "lr_adapt": flag(),
    "population_size": integer(at_least=2),
    "mutation_prob": optional(number(at_least=0, at_most=1)),
    "crossover_prob": number(at_least=0, at_most=1),
    "swapping_prob": number(at_least=0, at_most=1),
    "dividing_parameter": integer(at_least=1),
    "qmc_type": choice("sobol", "halton"),
    "scramble": flag(),
    "percentile": number(at_least=0, at_most=100),
    "n_warmup_steps": integer(at_least=0),
    "interval_steps": integer(at_least=1),
    "n_min_trials": integer(at_least=1),
    "min_resource": either(choice("auto"), integer(at_least=1)),
    "hyperband.min_resource": integer(at_least=1),
    "max_resource": integer(at_least=1),
    "reduction_factor": integer(at_least=2),
    "min_early_stopping_rate": integer(at_least=0),
    "bootstrap_count": integer(at_least=0),
    "p_threshold": number(at_least=0, at_most=1),
    "n_startup_steps": integer(at_least=0),
    "patience": integer(at_least=0),
    "min_delta": number(at_least=0),
    "lower": optional(number()),
    "upper": optional(number()),
}
_REQUIRED = ("percentile", "patience")
# By patience: those that go by the direction of the study.
_WRAPPED = ("median", "percentile", "successive_halving", "hyperband")


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
    options = _options("sampler", name, SAMPLERS[name], node, others=("seed",))
    seed = options.pop("seed", 0)
    own = zlib.crc32(f"{seed}/{trial}".encode())
    quiet: dict[str, Any] = {
        word: False
        for word in ("warn_independent_sampling", "warn_asynchronous_seeding")
        if name != "tpe" and word in inspect.signature(SAMPLERS[name]).parameters
    }
    if name == "tpe" and "multivariate" not in options:
        # Slope and scale are searched together; groups take conditional parameters by themselves.
        options = {"multivariate": True, "group": True} | options
    if name == "qmc":
        # The sequence is one for the whole study; what it leaves out is drawn for each trial.
        return _make(  # type: ignore[no-any-return]
            "sampler",
            SAMPLERS[name],
            options,
            seed=seed,
            independent_sampler=samplers.RandomSampler(seed=own),
            **quiet,
        )
    return _make("sampler", SAMPLERS[name], options, seed=own, **quiet)  # type: ignore[no-any-return]


def make_pruner(node: Mapping[str, Any], steps: int, where: str = "pruner") -> pruners.BasePruner:
    """The pruner.

    Args:
        node: the spec's ``pruner``.
        steps: how many times a trial that is not pruned reports.
        where: what an error names.

    Raises:
        UserError: an option that it has not, or a value that it refuses.
    """
    name = node["name"]
    given = {k: v for k, v in node.items() if k not in ("metric", "direction", "on")}
    more: dict[str, Any] = {}
    if name == "patient":
        inner = given.pop("pruner", None)
        more["wrapped_pruner"] = None
        if inner is not None:
            inner = named(inner, f"{where}.pruner", {key: PRUNERS[key] for key in _WRAPPED})
            more["wrapped_pruner"] = make_pruner(inner, steps, f"{where}.pruner")
    options = _options(where, name, PRUNERS[name], given)
    if name == "hyperband":
        options = {"max_resource": steps} | options
        least = options.get("min_resource", 1)
        if least > options["max_resource"]:
            raise UserError(
                f"{where}.min_resource: {least} is more than a trial has; allowed: up to "
                f"{options['max_resource']}"
            )
    return _make(where, PRUNERS[name], options, **more)  # type: ignore[no-any-return]


def _options(
    where: str,
    name: str,
    make: Callable[..., Any],
    node: Mapping[str, Any],
    others: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What ``node`` gives beside its name, checked."""
    has = inspect.signature(make).parameters
    keys = {
        option: OPTIONS.get(f"{name}.{option}", key)
        for option, key in OPTIONS.items()
        if option in others or (option in has and option != "seed")
    }
    options = {}
    for option, value in node.items():
        if option == "name":
            continue
        if option not in keys:
            raise UserError(
                f"{where}.{option}: no such option; {suggestion(option, keys)}allowed: "
                f"{', '.join(keys) or 'none'}"
            )
        try:
            options[option] = keys[option].convert(value)
        except (TypeError, ValueError):
            raise UserError(
                f"{where}.{option}: {value!r} is not allowed; allowed: {keys[option].allowed}"
            ) from None
    for option in _REQUIRED:
        if option in keys and option not in options:
            raise UserError(f"{where}.{option}: missing; allowed: {keys[option].allowed}")
    return options


def _make(where: str, make: Callable[..., Any], options: dict[str, Any], **others: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return make(**options, **others)
    except (ValueError, TypeError) as error:
        has = [name for name in inspect.signature(make).parameters if name in OPTIONS]
        what = one_line(error).rstrip(".")
        raise UserError(f"{where}: {what}; allowed: other values of {', '.join(has)}") from error
