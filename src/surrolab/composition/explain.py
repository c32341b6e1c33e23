"""Hydra's errors, each in one line that names the option and what is allowed."""

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from surrolab.errors import UserError, one_line
from surrolab.schema import CONF, GROUPS, OPTIONAL_GROUPS, TOP, options
from surrolab.schema.validate import suggestion

_GROUP_NAMES = [*GROUPS, *OPTIONAL_GROUPS]


def check_flags(words: list[str]) -> None:
    """Refuse flags that Hydra does not know and words that are no override.

    Raises:
        UserError: with what is allowed.
    """
    parser = get_args_parser()

    def error(message: str) -> NoReturn:
        raise UserError(
            f"{message}; allowed: group=option, key=value and the flags in `train.py --help`"
        )

    parser.error = error  # type: ignore[method-assign]
    arguments = parser.parse_args(words)
    for override in arguments.overrides:
        if "=" not in override and not override.startswith("~"):
            raise UserError(
                f"{override}: not an override; allowed: group=option or key=value, for example "
                "surrogate=sigmoid"
            )
        key = override.split("=")[0].lstrip("+~").split("@")[0]
        head = key.split(".")[0]
        if head not in (*TOP, *_GROUP_NAMES, "hydra") and not head.startswith("hydra/"):
            raise UserError(
                f"{key}: no such option; {suggestion(head, [*TOP, *_GROUP_NAMES])}allowed: "
                f"{', '.join([*TOP, *_GROUP_NAMES, 'hydra'])}"
            )
        _check_value(override, arguments.multirun)


def _check_value(text: str, multirun: bool) -> None:
    """Refuse what is no override at all, an option that a group has not, and a bad name."""
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        name, _, given = text.partition("=")
        form = f"'{name}=\"{given}\"', in quotes" if set(given) & set("()*") else "key=value"
        raise UserError(
            f"{text}: cannot be read ({one_line(error).split(' See ')[0]}); allowed: {form}"
        ) from error
    key: str = override.key_or_group
    if override.is_sweep_override() and not multirun:
        raise UserError(
            f"{text}: several values for one run; allowed: one, or all of them with --multirun "
            "(a list is written [a,b])"
        )
    if override.is_delete() or override.is_sweep_override():
        return
    value = override.value()
    if key in _GROUP_NAMES:
        names = _option_names(key)
        nothing = key in OPTIONAL_GROUPS and value is None
        if not nothing and (not isinstance(value, str) or value not in names):
            hint = suggestion(str(value), names)
            if key in GROUPS["surrogate"] and not isinstance(value, str):
                hint = f"its value is surrogate.{key}; "
            raise UserError(f"{key}={value}: no such option; {hint}allowed: {', '.join(names)}")
    if key == "name":
        # Checked here already: Hydra makes a directory of this name before anything else runs.
        try:
            TOP["name"].convert(value)
        except (TypeError, ValueError):
            raise UserError(
                f"name: {value!r} is not allowed; allowed: {TOP['name'].allowed}"
            ) from None


def explain(error: Exception, words: list[str]) -> UserError | None:
    """A line for an error of Hydra's or OmegaConf's; None for any other."""
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    text = one_line(error)
    missing_option = re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']+)'", text)
    if missing_option and "/" in missing_option[1]:
        group, option = missing_option[1].rsplit("/", 1)
        if group in _GROUP_NAMES:
            names = _option_names(group)
            return UserError(
                f"{group}={option}: no such option; {suggestion(option, names)}allowed: "
                f"{', '.join(names)}"
            )
    unknown_key = re.search(r"Key '([^']+)' is not in struct full_key: (\S+)", text)
    if unknown_key is None:
        # A value is written over a whole group, or below something that is no group.
        unknown_key = re.search(r"Could not override '(([^']+))'", text)
    if unknown_key:
        return _unknown_key(unknown_key[2], words)
    return UserError(text)


def _option_names(group: str) -> list[str]:
    if group in OPTIONAL_GROUPS:
        return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    return list(options(group))


def _unknown_key(full_key: str, words: list[str]) -> UserError:
    parent, _, key = full_key.rpartition(".")
    node = OmegaConf.select(_chosen(words), parent) if parent else None
    if parent == "layer_surrogates":
        return UserError(
            f"{full_key}: not with a dot; allowed: 'layer_surrogates={{{key}: triangle}}'"
        )
    if not isinstance(node, DictConfig):
        return UserError(f"{full_key}: no such option; `train.py --help` lists them")
    allowed = [str(name) for name in _own(parent, node) if name != "_target_"]
    what = ", ".join(allowed) or f"nothing, this {parent} has no settings"
    return UserError(f"{full_key}: no such option; {suggestion(key, allowed)}allowed: {what}")


def _own(group: str, node: DictConfig) -> Iterable[Any]:
    """The keys of the group's option; an experiment may have added some for another one."""
    target = node.get("_target_")
    having = options(group).values() if group in GROUPS else ()
    return next((option for option in having if option["_target_"] == target), node)


def _chosen(words: list[str]) -> DictConfig:
    """The configuration with the groups' options as chosen and no other override."""
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    chosen: list[str] = []
    for override in OverridesParser.create().parse_overrides(overrides):
        key: Any = override.key_or_group
        if key in _GROUP_NAMES and not override.is_sweep_override():
            chosen.append(str(override.input_line))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", chosen)
