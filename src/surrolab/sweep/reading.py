"""A spec from YAML and the command line, checked before anything runs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from surrolab.composition import compose_run, override
from surrolab.errors import UserError, one_line
from surrolab.schema import suggestion
from surrolab.schema.keys import Key, choice, either, integer, list_of, optional, text
from surrolab.sweep.checks import check_spec, checked_objectives
from surrolab.sweep.commands import each_once
from surrolab.sweep.launchers import launcher_node
from surrolab.sweep.search import PRUNERS, SAMPLERS, named
from surrolab.sweep.space import Space
from surrolab.sweep.spec import Spec, with_threads
from surrolab.sweep.yaml_text import read_yaml


def _is_study_name(name: str) -> bool:
    return re.fullmatch(r"[\w][\w.+-]*", name) is not None


def _seconds(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value))
    if match is None or float(match[1]) == 0:
        raise ValueError
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


KEYS: dict[str, Key] = {
    "study": text("a name of letters, digits, . + - and _", _is_study_name),
    "seeds": list_of(integer(at_least=0), at_least=1),
    "trials": optional(integer(at_least=1)),
    "time_budget": optional(Key("a time such as 90s, 30m, 2h", _seconds)),
    "workers": either(choice("auto"), integer(at_least=1)),
    "storage": optional(text("sqlite:/// or postgresql:// and so on")),
    "max_failures": integer(at_least=1),
}
_DEFAULTS: dict[str, Any] = {
    "base": [],
    "sampler": "tpe",
    "pruner": "none",
    "seeds": [0],
    "trials": None,
    "time_budget": None,
    "workers": "auto",
    "storage": None,
    "starting_points": [],
    "max_failures": 5,
    "launcher": "local",
}
_REQUIRED = ("space", "objectives")
# Those that a command line may give.
WORDS = (
    *("study", "trials", "workers", "storage", "time_budget", "launcher", "sampler"),
    *("pruner", "seeds", "max_failures"),
)


def read_spec(path: Path, given: Mapping[str, Any], overrides: list[str]) -> Spec:
    """The spec in a file, with words of the command line in place of its own.

    Args:
        path: YAML.
        given: of :data:`WORDS`, what the command line says.
        overrides: words for ``train.py`` behind those of the file.

    Raises:
        UserError: names the file or the key, and what is allowed.
    """
    try:
        node = read_yaml(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such file; allowed: a spec such as sweeps/slope.yaml"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)}); allowed: YAML") from error
    if not isinstance(node, dict):
        raise UserError(f"{path}: holds no keys; allowed: {', '.join([*_REQUIRED, *_DEFAULTS])}")
    full = {"study": path.stem, **node, **given}
    ours, theirs = given.get("launcher"), node.get("launcher")
    # launcher.KEY=VALUE changes that key alone.
    if (
        isinstance(ours, Mapping)
        and isinstance(theirs, Mapping)
        and ours.get("name") == theirs.get("name")
    ):
        full["launcher"] = {**theirs, **ours}
    return make_spec(full, overrides)


def make_spec(node: Mapping[str, Any], overrides: list[str] = []) -> Spec:  # noqa: B006
    """The same from plain data.

    Raises:
        UserError: names the key and what is allowed.
    """
    allowed = ["study", *_REQUIRED, *_DEFAULTS]
    for word in node:
        if word not in allowed:
            raise UserError(
                f"{word}: no such key of a spec; {suggestion(str(word), allowed)}allowed: "
                f"{', '.join(allowed)}"
            )
    for word in ("study", *_REQUIRED):
        if word not in node:
            raise UserError(
                f"{word}: missing; allowed: a spec with {', '.join(('study', *_REQUIRED))}"
            )
    full = {**_DEFAULTS, **node}
    for word, key in KEYS.items():
        try:
            full[word] = key.convert(full[word])
        except (TypeError, ValueError):
            raise UserError(
                f"{word}: {full[word]!r} is not allowed; allowed: {key.allowed}"
            ) from None
    if len(set(full["seeds"])) < len(full["seeds"]):
        raise UserError("seeds: a seed is given twice; allowed: each once")
    full["base"] = each_once([*_base(full["base"]), *_base(overrides)])
    full["objectives"] = checked_objectives(full["objectives"])
    full["sampler"] = named(full["sampler"], "sampler", SAMPLERS)
    full["pruner"] = named("none" if full["pruner"] is None else full["pruner"], "pruner", PRUNERS)
    full["launcher"] = launcher_node(full["launcher"])
    space = Space(full["space"])
    points = full["starting_points"]
    if not isinstance(points, list):
        raise UserError("starting_points: no list; allowed: a list of {parameter: value}")
    checked = [space.check(point, f"starting_points[{n}]") for n, point in enumerate(points)]
    composed = compose_run(with_threads(full["base"]), full["study"])
    spec = Spec(full, space, checked, composed)
    check_spec(spec)
    return spec


def _base(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        words = [override(str(key), value) for key, value in node.items()]
    elif isinstance(node, list) and all(isinstance(word, str) for word in node):
        words = list(node)
    else:
        raise UserError(
            f"base: {node!r} is not allowed; allowed: words for train.py, as a list "
            "[data=digits, ...] or a mapping {data: digits, ...}"
        )
    for word in words:
        if word.startswith("-"):
            raise UserError(f"base: {word} is a flag; allowed: group=option, key=value")
        key = word.partition("=")[0].lstrip("+~")
        if key in ("seed", "name", "resume") or re.match(r"hydra\b", key):
            remedy = {"seed": "seeds=[0,1,2]", "name": "study=NAME"}.get(key, "other words")
            raise UserError(f"{key}: set for each trial by the sweep; allowed: {remedy}")
    return words
