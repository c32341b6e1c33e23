"""From a node of the configuration to the object it describes."""

import importlib
from typing import Any

from surrolab.errors import UserError, one_line
from surrolab.schema import allowed_targets


def build(group: str, node: dict[str, Any], **others: Any) -> Any:
    """Make what a group's node describes; ``others`` are arguments that are no configuration.

    Raises:
        UserError: the target is not one that ``conf/`` names for the group, or refuses its values.
    """
    target = node["_target_"]
    if not isinstance(target, str) or target not in allowed_targets(group):
        raise UserError(
            f"{group}._target_: {target!r} is not on the list; allowed: "
            f"{', '.join(sorted(allowed_targets(group)))}"
        )
    module, _, name = target.rpartition(".")
    make = getattr(importlib.import_module(module), name)
    values = {key: value for key, value in node.items() if key != "_target_"}
    with blame(group, values):
        return make(**values, **others)


class blame:  # noqa: N801  (a context manager that reads like a word)
    """Turns the ValueError of a constructor into a line that names the option."""

    def __init__(self, group: str, keys: Any) -> None:
        self._group = group
        self._keys = keys

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, ValueError):
            return
        line = one_line(error)
        key = line.partition(":")[0]
        if key in self._keys:
            line = f"{self._group}.{line}"
        elif not line.startswith(f"{self._group}:"):
            line = f"{self._group}: {line}"
        raise UserError(line) from error
