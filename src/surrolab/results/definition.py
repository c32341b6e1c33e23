"""What it takes to make a result again: ``sweeps/results/<result>.yaml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from surrolab.errors import UserError, one_line
from surrolab.schema import suggestion
from surrolab.sweep.commands import each_once
from surrolab.sweep.yaml_text import read_yaml

FOLDER = Path("sweeps/results")
ABOUT = ("title", "paper", "shows", "taken", "filled_in")
BUDGETS = ("published", "short", "quick")
Study = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A published result.

    Args:
        name: of its file.
        about: ``title``; the ``paper``; which figure or table it ``shows``; what was ``taken`` from
            there; what was not at hand and how it was ``filled_in``.
        studies: by name, at the published budget: specs of ``surrolab sweep``, or measurements.
        budgets: what is different in the studies at other budgets.
    """

    name: str
    about: dict[str, str]
    studies: dict[str, Study]
    budgets: dict[str, dict[str, Study]]

    def at(self, budget: str) -> dict[str, Study]:
        """The studies at a budget.

        Raises:
            UserError: it has no such budget.
        """
        allowed = [name for name in BUDGETS if name == "published" or name in self.budgets]
        if budget not in allowed:
            raise UserError(
                f"budget: {budget!r} is not allowed; allowed for {self.name}: {', '.join(allowed)}"
            )
        changes = self.budgets.get(budget, {})
        return {name: merged(study, changes.get(name, {})) for name, study in self.studies.items()}


def merged(study: Study, changes: Mapping[str, Any]) -> Study:
    """A study with what a budget changes.

    Words of ``base`` take the place of those with the same key, parameters of ``space`` and of a
    measurement's ``base`` that of their namesakes, all else that of the whole.
    """
    full = dict(study)
    for name, value in changes.items():
        before = full.get(name)
        if isinstance(before, list) and name == "base":
            full[name] = each_once([*before, *value])
        elif isinstance(before, Mapping) and name in ("base", "space"):
            full[name] = {**before, **value}
        else:
            full[name] = value
    return full


def names(folder: Path = FOLDER) -> list[str]:
    """Of all results.

    Raises:
        UserError: the folder is not there: this is no checkout.
    """
    found = sorted(path.stem for path in folder.glob("*.yaml"))
    if not found:
        raise UserError(
            f"{folder}: holds no results; allowed: the directory of a checkout of surrolab"
        )
    return found


def read_result(name: str, folder: Path = FOLDER) -> Result:
    """The result of a name, or of a file.

    Raises:
        UserError: there is none, or its file is not as it should be.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        allowed = names(folder)
        raise UserError(
            f"RESULT: there is no {name}; {suggestion(name, allowed)}allowed: {', '.join(allowed)}"
        )
    try:
        node = read_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)}); allowed: YAML") from error
    return _checked(path, node)


def _checked(path: Path, node: Any) -> Result:
    keys = [*ABOUT, "studies", "budgets"]
    if not isinstance(node, dict):
        raise UserError(f"{path}: holds no keys; allowed: {', '.join(keys)}")
    for key in node:
        if key not in keys:
            hint = suggestion(str(key), keys)
            raise UserError(f"{path}: {key}: no such key; {hint}allowed: {', '.join(keys)}")
    for key in keys[:-1]:
        if not node.get(key):
            raise UserError(f"{path}: {key}: missing; allowed: {', '.join(keys)}")
    if not isinstance(node.get("budgets") or {}, dict):
        raise UserError(f"{path}: budgets: is not allowed; allowed: {', '.join(BUDGETS[1:])}")
    studies, budgets = node["studies"], node.get("budgets") or {}
    for where, found, allowed in (
        ("studies", studies, None),
        ("budgets", budgets, [*BUDGETS[1:]]),
        *((f"budgets.{name}", changes, [*studies]) for name, changes in budgets.items()),
    ):
        if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
            raise UserError(f"{path}: {where}: is not allowed; allowed: studies by name")
        for name in found:
            if allowed is not None and name not in allowed:
                raise UserError(
                    f"{path}: {where}.{name}: no such name; allowed: {', '.join(allowed)}"
                )
    return Result(
        name=path.stem,
        about={key: " ".join(str(node[key]).split()) for key in ABOUT},
        studies=studies,
        budgets=budgets,
    )
