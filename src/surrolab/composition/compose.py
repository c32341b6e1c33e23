"""The configuration of one run from a list of overrides, as `train.py` would have it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from surrolab.composition.explain import check_flags, explain
from surrolab.composition.leftovers import without_leftovers
from surrolab.errors import UserError, one_line
from surrolab.schema import CONF, validate


@dataclass(frozen=True)
class Composed:
    """A checked configuration, which option each group has, and what is to be said of it."""

    config: dict[str, Any]
    choices: dict[str, Any]
    notes: tuple[str, ...] = ()


def compose_run(overrides: Sequence[str], name: str) -> Composed:
    """Compose and check.

    Args:
        overrides: as on the command line of ``train.py``.
        name: of the run, which is not among them.

    Raises:
        UserError: in one line that names the option and what is allowed.
    """
    check_flags(list(overrides))
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            composed = compose(
                "train", [*overrides, override("name", name)], return_hydra_config=True
            )
        choices = {
            group: option
            for group, option in composed.hydra.runtime.choices.items()
            if "/" not in group
        }
        del composed.hydra
        container: Any = OmegaConf.to_container(composed, resolve=True)
        container, notes = without_leftovers(container, overrides, choices)
        return Composed(validate(container), choices, tuple(notes))
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, list(overrides)) or UserError(one_line(error)) from error


def override(key: str, value: Any) -> str:
    """``key=value`` in Hydra's grammar, for numbers, words, lists and mappings.

    Numbers are written so that they come back to the last digit.
    """
    if isinstance(value, str) and not _is_plain(key, value):
        return f"{key}={_quoted(value)}"
    return f"{key}={_written(value)}"


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(_inside(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_inside(item)}" for key, item in value.items()) + "}"
    return repr(value) if isinstance(value, float) else str(value)


def _inside(value: Any) -> str:
    if isinstance(value, str) and not (value and _is_plain("x", value)):
        return _quoted(value)
    return _written(value)


def _quoted(value: str) -> str:
    # In Hydra's grammar a backslash is one, but for those before a quote.
    return "'" + re.sub(r"(\\*)('|\Z)", _escaped, value) + "'"


def _escaped(found: re.Match[str]) -> str:
    return 2 * found[1] + ("\\'" if found[2] else "")


def _is_plain(key: str, value: str) -> bool:
    if set(value) & set(",[]{}()'\"\\ $"):
        return False
    try:
        parsed = OverridesParser.create().parse_override(f"{key}={value}")
        return bool(parsed.value() == value)
    except HydraException:
        return False
