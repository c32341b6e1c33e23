"""The search space: which keys a trial sets, to what, and under which condition."""

import contextlib
import json
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
_FORMS = (
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


class Space:
    """Parameters in an order in which conditions come after what they depend on.

    Args:
        node: the spec's ``space``.

    Raises:
        UserError: names the parameter and what is allowed.
    """

    def __init__(self, node: Any) -> None:
        if not isinstance(node, Mapping) or not node:
            raise UserError(
                f"space: {node!r} is not allowed; allowed: parameters by name, each {_FORMS}"
            )
        read = {str(name): _parameter(str(name), entry) for name, entry in node.items()}
        self.parameters = _in_order(read)

    def suggest(self, trial: Trial) -> Values:
        """The values of a trial, asked of Optuna's sampler; those it has already are kept."""
        values: Values = {}
        for parameter in self.parameters:
            if parameter.exists(values):
                values[parameter.name] = parameter.suggest(trial)
        return values

    def overrides(self, values: Values) -> list[str]:
        """The words for ``train.py``."""
        return [p.override(values[p.name]) for p in self.parameters if p.name in values]

    def grid(self) -> list[Values]:
        """Every combination, the last parameter changing fastest.

        Raises:
            UserError: a parameter has no end of values.
        """
        for parameter in self.parameters:
            if parameter.points() is None:
                raise UserError(
                    f"space.{parameter.name}: a grid needs an end of values; allowed: a list of "
                    "them, or low, high and step"
                )
        return list(self._combinations(0, {}))

    def _combinations(self, index: int, values: Values) -> Iterator[Values]:
        if index == len(self.parameters):
            yield values
            return
        parameter = self.parameters[index]
        if not parameter.exists(values):
            yield from self._combinations(index + 1, values)
            return
        for value in parameter.points() or []:
            yield from self._combinations(index + 1, {**values, parameter.name: value})

    def samples(self) -> Iterator[Values]:
        """Values that together show every category and both ends of every range, each where it
        exists: what is tried out before the study begins."""
        for lead in self.parameters:
            forced = self._forced(lead)
            for value in lead.ends():
                values: Values = {}
                for parameter in self.parameters:
                    if parameter is lead:
                        values[parameter.name] = value
                    elif parameter.exists(values):
                        values[parameter.name] = forced.get(parameter.name, parameter.ends()[0])
                yield values

    def _forced(self, lead: Parameter) -> Values:
        """Values of others that let a parameter exist."""
        forced: Values = {}
        for name, allowed in lead.when.items():
            parent = next(parameter for parameter in self.parameters if parameter.name == name)
            forced |= self._forced(parent) | {name: allowed[0]}
        return forced

    def check(self, values: Any, where: str) -> Values:
        """Values that a user gives as a starting point; what is left out is sampled.

        Raises:
            UserError: a parameter that is none, or a value outside its range.
        """
        if not isinstance(values, Mapping):
            raise UserError(f"{where}: {values!r} is not allowed; allowed: {{parameter: value}}")
        known = {parameter.name: parameter for parameter in self.parameters}
        checked: Values = {}
        for name, value in values.items():
            if name not in known:
                raise UserError(
                    f"{where}.{name}: no parameter of this space; "
                    f"{suggestion(str(name), known)}allowed: {', '.join(known)}"
                )
            distribution = known[name].distribution
            if not _is_in(distribution, _hashable(value)):
                raise UserError(
                    f"{where}.{name}: {value!r} is not in the space; allowed: "
                    f"{describe(distribution)}"
                )
            checked[name] = distribution.to_external_repr(
                distribution.to_internal_repr(_hashable(value))
            )
        for name in checked:
            for parent, allowed in known[name].when.items():
                if parent in checked and checked[parent] not in allowed:
                    raise UserError(
                        f"{where}.{name}: not there where {parent} is {checked[parent]}; allowed: "
                        f"{parent} {', '.join(str(value) for value in allowed)}"
                    )
        return checked


def plain(value: Any) -> Any:
    """A category as the spec has it: lists and mappings are JSON for Optuna."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _hashable(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _is_in(distribution: BaseDistribution, value: Any) -> bool:
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


def _parameter(name: str, entry: Any) -> Parameter:
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
        raise UserError(f"{where}: {entry!r} is not allowed; allowed: {_FORMS}")
    known = ("choices", "when") if "choices" in entry else ("low", "high", "log", "step", "when")
    for word in entry:
        if word not in known:
            raise UserError(
                f"{where}.{word}: no such word; {suggestion(str(word), known)}allowed: {_FORMS}"
            )
    when = _conditions(entry.get("when"), where)
    try:
        if "choices" in entry:
            return Parameter(name, _categories(entry["choices"]), when)
        return Parameter(name, _range(name, entry), when)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{where}: {one_line(error)}; allowed: {_FORMS}") from error


def _conditions(node: Any, where: str) -> dict[str, tuple[Any, ...]]:
    """Allowed values by parameter; what is given as ``{not: ...}`` stays a mapping in a tuple."""
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise UserError(
            f"{where}.when: {node!r} is not allowed; allowed: {{surrogate: triangle}}, or a list "
            "of values, or {not: [...]}"
        )
    return {str(name): _values(allowed) for name, allowed in node.items()}


def _values(node: Any) -> tuple[Any, ...]:
    if isinstance(node, Mapping) and set(node) == {"not"}:
        return (node,)
    return tuple(_hashable(value) for value in (node if isinstance(node, list) else [node]))


def _without(read: dict[str, Parameter], name: str, allowed: tuple[Any, ...]) -> tuple[Any, ...]:
    """``{not: [...]}`` as the other values."""
    if len(allowed) != 1 or not isinstance(allowed[0], Mapping) or set(allowed[0]) != {"not"}:
        return allowed
    parent = read[name].distribution
    if not isinstance(parent, CategoricalDistribution):
        raise UserError(
            f"space.{name}: a condition with not needs a list of values here; allowed: "
            f"{{choices: [...]}}"
        )
    excluded = _values(allowed[0]["not"])
    for value in excluded:
        if value not in parent.choices:
            raise UserError(
                f"space.{name}: a condition excludes {value!r}, which is none of its values; "
                f"allowed: {describe(parent)}"
            )
    return tuple(choice for choice in parent.choices if choice not in excluded)


def _categories(choices: Any) -> CategoricalDistribution:
    if not isinstance(choices, list) or not choices:
        raise ValueError("no values are given")
    # Optuna keeps numbers, words, true, false and null; the rest goes as JSON.
    kept = [_hashable(choice) for choice in choices]
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


def _in_order(read: dict[str, Parameter]) -> list[Parameter]:
    whens: dict[str, dict[str, tuple[Any, ...]]] = {name: {} for name in read}
    for parameter in read.values():
        for name, allowed in parameter.when.items():
            where = f"space.{parameter.name}.when"
            if name not in read:
                raise UserError(
                    f"{where}.{name}: no parameter of this space; "
                    f"{suggestion(name, read)}allowed: {', '.join(read)}"
                )
            allowed = _without(read, name, allowed)
            whens[parameter.name][name] = allowed
            distribution = read[name].distribution
            if not allowed:
                raise UserError(
                    f"{where}.{name}: no values are left; allowed: {describe(distribution)}"
                )
            for value in allowed:
                if not _is_in(distribution, value):
                    raise UserError(
                        f"{where}.{name}: {value!r} is none of its values; allowed: "
                        f"{describe(distribution)}"
                    )
    ordered: list[Parameter] = []
    waiting = [replace(parameter, when=whens[name]) for name, parameter in read.items()]
    while waiting:
        names = {parameter.name for parameter in ordered}
        ready = [p for p in waiting if set(p.when) <= names]
        if not ready:
            raise UserError(
                f"space.{waiting[0].name}.when: conditions that wait for each other; allowed: one "
                "that leads to a parameter without any"
            )
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered
