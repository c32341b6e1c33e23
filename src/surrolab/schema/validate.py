"""Check a composed configuration and return it as plain data in its proper types."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from surrolab.errors import UserError
from surrolab.schema.groups import GROUPS, TOP
from surrolab.schema.keys import Key, RefusedError
from surrolab.schema.options import allowed_targets, options


def validate(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with every value converted to its type.

    Args:
        config: plain containers, all interpolations resolved.

    Raises:
        UserError: an unknown or missing key, a wrong type or value, a target that ``conf/`` does
            not name, or keys that contradict each other; with what is allowed.
    """
    _known(config, [*TOP, *GROUPS], prefix="")
    valid: dict[str, Any] = {name: _convert(name, config[name], key) for name, key in TOP.items()}
    for group, table in GROUPS.items():
        valid[group] = _validate_group(group, config[group], table)
    valid["layer_surrogates"] = {
        str(layer): _layer_surrogate(f"layer_surrogates.{layer}", node)
        for layer, node in valid["layer_surrogates"].items()
    }
    _consistent(valid)
    return valid


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """``did you mean 'x'? `` where something allowed is close to ``name``, else nothing."""
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _validate_group(group: str, node: Any, table: dict[str, Key]) -> dict[str, Any]:
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise UserError(f"{group}: no option is chosen; allowed: {', '.join(options(group))}")
    target = node["_target_"]
    if not isinstance(target, str) or target not in allowed_targets(group):
        raise UserError(
            f"{group}._target_: {target!r} is not on the list; allowed: "
            f"{', '.join(sorted(allowed_targets(group)))}"
        )
    keys = next(
        [key for key in option if key != "_target_"]
        for option in options(group).values()
        if option["_target_"] == target
    )
    _known({key: value for key, value in node.items() if key != "_target_"}, keys, f"{group}.")
    valid: dict[str, Any] = {"_target_": target}
    for key in keys:
        valid[key] = _convert(f"{group}.{key}", node[key], table[key])
    return valid


def _layer_surrogate(where: str, node: Any) -> dict[str, Any]:
    """A layer's own surrogate: ``option`` and all its keys, from the option where not given."""
    names = options("surrogate")
    given = dict(node) if isinstance(node, Mapping) else {"option": node}
    if "option" not in given:
        raise UserError(f"{where}.option: missing; allowed: {', '.join(names)}")
    option = given.pop("option")
    if not isinstance(option, str) or option not in names:
        raise UserError(
            f"{where}: {option!r} is no surrogate; {suggestion(str(option), names)}allowed: "
            f"{', '.join(names)}, or {{option: one of them, slope: ...}}"
        )
    defaults = {key: value for key, value in names[option].items() if key != "_target_"}
    node = defaults | given
    _known(node, list(defaults), f"{where}.")
    keys = GROUPS["surrogate"]
    return {
        "option": option,
        **{key: _convert(f"{where}.{key}", node[key], keys[key]) for key in defaults},
    }


def _known(node: Mapping[str, Any], allowed: list[str], prefix: str) -> None:
    what = ", ".join(allowed) or f"none, this {prefix.rstrip('.')} has no settings"
    for name in node:
        if name not in allowed:
            raise UserError(
                f"{prefix}{name}: no such option; {suggestion(str(name), allowed)}allowed: {what}"
            )
    for name in allowed:
        if name not in node:
            raise UserError(f"{prefix}{name}: missing; it has to be there")


def _convert(name: str, value: Any, key: Key) -> Any:
    if isinstance(value, str) and "${" in value:
        raise UserError(f"{name}: {value!r} is not resolved; allowed: {key.allowed}")
    try:
        return key.convert(value)
    except RefusedError as error:
        raise UserError(f"{name}: {error}") from None
    except (TypeError, ValueError):
        raise UserError(f"{name}: {value!r} is not allowed; allowed: {key.allowed}") from None


def _consistent(valid: dict[str, Any]) -> None:
    neuron = valid["neuron"]
    for decay, tau in (("beta", "tau"), ("alpha", "tau_syn")):
        if neuron.get(decay) is not None and neuron.get(tau) is not None:
            raise UserError(
                f"neuron.{decay}: given together with neuron.{tau}; allowed: one of the two"
            )
    for name in ("checkpoint_steps", "truncate_steps"):
        if valid[name] is not None and valid["model"]["norm"] != "none":
            raise UserError(
                f"{name}: model.norm={valid['model']['norm']} normalises over the whole sequence; "
                f"allowed: {name}=null, or model.norm=none"
            )
    surrogates = [valid["surrogate"], *valid["layer_surrogates"].values()]
    for group in ("slope", "scale"):
        constant = valid[group]["_target_"] == options(group)["constant"]["_target_"]
        if not constant and not any(group in surrogate for surrogate in surrogates):
            having = [name for name, node in options("surrogate").items() if group in node]
            raise UserError(
                f"{group}: this surrogate has no {group}; allowed: {group}=constant, or one of "
                f"surrogate={', '.join(having)}"
            )
    objective = valid["objective"]
    if objective["lower_rate"] > objective["upper_rate"]:
        raise UserError(
            f"objective.lower_rate: {objective['lower_rate']} is above objective.upper_rate; "
            f"allowed: at most {objective['upper_rate']}"
        )
