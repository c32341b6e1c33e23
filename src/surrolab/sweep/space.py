"""The search space: which keys a trial sets, to what, and under which condition."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from optuna.distributions import (
    CategoricalDistribution,
)
from optuna.trial import Trial

from surrolab.errors import UserError
from surrolab.schema import suggestion
from surrolab.sweep.parameter import (
    FORMS,
    Parameter,
    Values,
    as_values,
    describe,
    hashable,
    is_in,
    read_parameter,
)


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
                f"space: {node!r} is not allowed; allowed: parameters by name, each {FORMS}"
            )
        read = {str(name): read_parameter(str(name), entry) for name, entry in node.items()}
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
            if not is_in(distribution, hashable(value)):
                raise UserError(
                    f"{where}.{name}: {value!r} is not in the space; allowed: "
                    f"{describe(distribution)}"
                )
            checked[name] = distribution.to_external_repr(
                distribution.to_internal_repr(hashable(value))
            )
        for name in checked:
            for parent, allowed in known[name].when.items():
                if parent in checked and checked[parent] not in allowed:
                    raise UserError(
                        f"{where}.{name}: not there where {parent} is {checked[parent]}; allowed: "
                        f"{parent} {', '.join(str(value) for value in allowed)}"
                    )
        return checked


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
    excluded = as_values(allowed[0]["not"])
    for value in excluded:
        if value not in parent.choices:
            raise UserError(
                f"space.{name}: a condition excludes {value!r}, which is none of its values; "
                f"allowed: {describe(parent)}"
            )
    return tuple(choice for choice in parent.choices if choice not in excluded)


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
                if not is_in(distribution, value):
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
