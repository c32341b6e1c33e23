"""What of a run's configuration is not as ``conf/`` has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from surrolab.report.drawing import exact
from surrolab.schema import CONF, GROUPS, options


@dataclass(frozen=True)
class Setting:
    """A key, its value, and what it would be by default.

    Args:
        key: as it is typed.
        value: the run's, in words.
        default: the option's own, in words; None where nothing says.
        differs: whether the two are not the same.
    """

    key: str
    value: str
    default: str | None
    differs: bool


def settings(config: Mapping[str, Any], chosen: Mapping[str, str]) -> list[Setting]:
    """The options of all groups, then every key beside the default of its option.

    Args:
        config: keys joined by dots.
        chosen: by group, its option.
    """
    first, top = _defaults()
    found = []
    for group, option in chosen.items():
        usual = first.get(group)
        if group in first or option != "null":
            differs = option != (usual or "null")
            found.append(Setting(group, option, usual or DEFAULT_OF_NONE, differs))
    defaults: dict[str, Any] = dict(top)
    for group, option in chosen.items():
        # A configuration of another release may have options that are not there now.
        node = options(group).get(option, {}) if group in GROUPS else {}
        defaults |= {f"{group}.{key}": value for key, value in _joined(node)}
    for key, value in config.items():
        if key.endswith("_target_"):
            continue
        known = key in defaults and "${" not in str(defaults[key])
        default = defaults[key] if known else None
        differs = known and not same(value, default)
        found.append(Setting(key, exact(value), exact(default) if known else None, differs))
    return found


DEFAULT_OF_NONE = "none"


def options_of(header: str, config: Mapping[str, Any]) -> dict[str, str]:
    """By group, the option that the header of ``config.yaml`` names, or that has the target."""
    chosen = {}
    for line in header.splitlines():
        if not line.startswith("#"):
            break
        group, equals, option = line.lstrip("# ").partition("=")
        if equals and group.isidentifier():
            chosen[group] = option.strip()
    for group in GROUPS:
        target = config.get(f"{group}._target_")
        if group not in chosen and isinstance(target, str):
            names = [n for n, node in options(group).items() if node.get("_target_") == target]
            chosen |= {group: names[0]} if len(names) == 1 else {}
    order = {group: place for place, group in enumerate(_defaults()[0])}
    return dict(sorted(chosen.items(), key=lambda item: order.get(item[0], len(order))))


@cache
def _defaults() -> tuple[dict[str, str], dict[str, Any]]:
    """The default option of each group, and the keys outside groups."""
    from omegaconf import OmegaConf

    found: Any = OmegaConf.to_container(OmegaConf.load(CONF / "train.yaml"))
    first: dict[str, str] = {}
    for item in found.pop("defaults", []):
        if isinstance(item, dict):
            first |= {k: v for k, v in item.items() if " " not in k and v is not None}
    found.pop("hydra", None)
    # The empty mapping says the same as none.
    return first, {key: {} if key == "layer_surrogates" else v for key, v in found.items()}


def _joined(node: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            found += _joined(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def same(one: Any, other: Any) -> bool:
    """Whether they are equal, numbers by value: 1 is 1.0, but no switch; NaN is NaN."""
    if one is other or (one != one and other != other):
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
