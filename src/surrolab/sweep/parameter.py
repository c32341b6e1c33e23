"""A parameter of the search space: a key of train.py, its values, and when it exists."""

import contextlib
import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from surrolab.composition import override
from surrolab.errors import UserError, one_line
from surrolab.schema import GROUPS, OPTIONAL_GROUPS, TOP, suggestion

Values = dict[str, Any]

# What is a trial's own affair, or no part of what it does.
_RESERVED = ("seed", "name", "resume", "logger", "callbacks", "debug", "hydra")
FORMS = (
    "{low: L, high: H} with log: true or step: S if need be, {choices: [...]}, or a list of values"
)


@dataclass(frozen=True)
class Parameter:
    """A key of the configuration, or a group, that the study varies.

    Args:
        name: what stands on the left of the override.
        distribution: Optuna's. Lists and mappings among categories are there as JSON.
        when: the parameter exists only where each of these has one of the given values.
    """

    name: str
    distribution: BaseDistribution
    when: Mapping[str, tuple[Any, ...]]

    def exists(self, values: Values) -> bool:
        """Whether a trial with these values has it."""
        return all(
            name in values and values[name] in allowed for name, allowed in self.when.items()
        )

    def points(self) -> list[Any] | None:
        """All its values in order; None where there is no end of them."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return list(distribution.choices)
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        if distribution.step is None or distribution.log:
            return None
        count = round((distribution.high - distribution.low) / distribution.step) + 1
        steps = [distribution.low + number * distribution.step for number in range(count)]
        # 0.1 + 2 * 0.1 is 0.3 for people.
        return [float(f"{step:.12g}") if isinstance(step, float) else step for step in steps]

    def ends(self) -> list[Any]:
        """The values at which it is tried out before the study begins."""
        if isinstance(self.distribution, CategoricalDistribution):
            return list(self.distribution.choices)
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        return [self.distribution.low, self.distribution.high]

    def suggest(self, trial: Trial) -> Any:
        """A value of the sampler's, or the one that the trial has already."""
        space = self.distribution
        if isinstance(space, CategoricalDistribution):
            return trial.suggest_categorical(self.name, space.choices)
        if isinstance(space, IntDistribution):
            return trial.suggest_int(
                self.name, space.low, space.high, step=space.step, log=space.log
            )
        assert isinstance(space, FloatDistribution)
        return trial.suggest_float(self.name, space.low, space.high, step=space.step, log=space.log)

    def override(self, value: Any) -> str:
        """The word for ``train.py``."""
        return override(self.name, plain(value))


def plain(value: Any) -> Any:
    """A category as the spec has it: lists and mappings are JSON for Optuna."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def hashable(value: Any) -> Any:
    """The value as Optuna keeps it: lists and mappings as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def is_in(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a trial could have the value."""
    if not isinstance(distribution, CategoricalDistribution) and (
        isinstance(value, bool) or not isinstance(value, int | float)
    ):
        return False
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except (ValueError, TypeError, OverflowError):
        return False


def describe(distribution: BaseDistribution) -> str:
    """A range in words."""
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(str(choice) for choice in distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    step = "" if distribution.step in (None, 1) else f" in steps of {distribution.step:g}"
    return f"{distribution.low:g} to {distribution.high:g}{step}"


def read_parameter(name: str, entry: Any) -> Parameter:
    """A parameter from its entry in the spec.

    Raises:
        UserError: names the parameter and what is allowed.
    """
    where = f"space.{name}"
    group, _, key = name.partition(".")
    if group in _RESERVED:
        raise UserError(f"{where}: not to be varied; allowed: other keys and groups of train.py")
    if group not in (*TOP, *GROUPS, *OPTIONAL_GROUPS) or (key and group not in GROUPS):
        raise UserError(
            f"{where}: no such option; {suggestion(group, [*TOP, *GROUPS])}allowed: group or "
            "group.key, as in `train.py --help`"
        )
    if key and key not in GROUPS[group]:
        raise UserError(
            f"{where}: no such option; {suggestion(key, GROUPS[group])}allowed: "
            f"{', '.join(GROUPS[group])}"
        )
    if isinstance(entry, list):
        entry = {"choices": entry}
    if not isinstance(entry, Mapping):
        raise UserError(f"{where}: {entry!r} is not allowed; allowed: {FORMS}")
    known = ("choices", "when") if "choices" in entry else ("low", "high", "log", "step", "when")
    for word in entry:
        if word not in known:
            raise UserError(
                f"{where}.{word}: no such word; {suggestion(str(word), known)}allowed: {FORMS}"
            )
    when = _conditions(entry.get("when"), where)
    try:
        if "choices" in entry:
            return Parameter(name, _categories(entry["choices"]), when)
        return Parameter(name, _range(name, entry), when)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{where}: {one_line(error)}; allowed: {FORMS}") from error


def _conditions(node: Any, where: str) -> dict[str, tuple[Any, ...]]:
    """Allowed values by parameter; what is given as ``{not: ...}`` stays a mapping in a tuple."""
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise UserError(
            f"{where}.when: {node!r} is not allowed; allowed: {{surrogate: triangle}}, or a list "
            "of values, or {not: [...]}"
        )
    return {str(name): as_values(allowed) for name, allowed in node.items()}


def as_values(node: Any) -> tuple[Any, ...]:
    """One value or a list of them; ``{not: ...}`` stays as it is."""
    if isinstance(node, Mapping) and set(node) == {"not"}:
        return (node,)
    return tuple(hashable(value) for value in (node if isinstance(node, list) else [node]))


def _categories(choices: Any) -> CategoricalDistribution:
    if not isinstance(choices, list) or not choices:
        raise ValueError("no values are given")
    # Optuna keeps numbers, words, true, false and null; the rest goes as JSON.
    kept = [hashable(choice) for choice in choices]
    if len(set(kept)) < len(kept):  # 1 and 1.0 are one
        raise ValueError("a value is given twice")
    return CategoricalDistribution(kept)


def _range(name: str, entry: Mapping[str, Any]) -> FloatDistribution | IntDistribution:
    missing = [word for word in ("low", "high") if word not in entry]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    low, high = entry["low"], entry["high"]
    for word in ("low", "high"):
        value = entry[word]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{word} is {value!r}, which is no number")
        if not math.isfinite(value):
            raise ValueError(f"{word} is {value}, which is no end")
    if low > high:
        raise ValueError(f"low is {low}, above high, which is {high}")
    log, step = entry.get("log", False), entry.get("step")
    if not isinstance(log, bool):
        raise TypeError(f"log is {log!r}, which is neither true nor false")
    if step is not None and (isinstance(step, bool) or not isinstance(step, int | float)):
        raise TypeError(f"step is {step!r}, which is no number")
    if log and step is not None:
        raise ValueError("log and step do not go together")
    # 0.3 - 0.1 is less than 0.2.
    if step is not None and (step <= 0 or (low < high and step > (high - low) * (1 + 1e-9))):
        raise ValueError(f"step is {step}, which is not between 0 and high - low")
    if log and low <= 0:
        raise ValueError(f"low is {low}, which has no logarithm")
    with warnings.catch_warnings():
        # A range that ends between two steps ends at the lower one.
        warnings.filterwarnings("ignore", message=".*not divisible by `step`")
        if _is_whole(name, low, high) and (step is None or isinstance(step, int)):
            return IntDistribution(low, high, log=log, step=1 if step is None else step)
        return FloatDistribution(low, high, log=log, step=step)


def _is_whole(name: str, low: Any, high: Any) -> bool:
    """Whether the key is a whole number, which the schema knows; ``1`` may stand for 1.0."""
    group, _, key = name.partition(".")
    kind = GROUPS[group].get(key) if key else TOP.get(group)
    if kind is None:
        return isinstance(low, int) and isinstance(high, int)
    try:
        return isinstance(kind.convert(low), int) and isinstance(high, int)
    except (TypeError, ValueError):
        return isinstance(low, int) and isinstance(high, int)  # the range is refused later
