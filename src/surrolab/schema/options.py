"""The options that ``conf/`` offers, and with them everything that a configuration may build."""

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

CONF = Path(__file__).parent.parent / "conf"


@cache
def options(group: str) -> dict[str, dict[str, Any]]:
    """The options of a group by name: their keys and default values, ``_target_`` included."""
    return {path.stem: _load(path) for path in sorted((CONF / group).glob("*.yaml"))}


def _load(path: Path) -> dict[str, Any]:
    loaded = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(loaded, dict)
    node: dict[str, Any] = {}
    for parent in loaded.pop("defaults", []):
        if isinstance(parent, str) and parent != "_self_":
            node.update(_load(path.with_name(f"{parent}.yaml")))
    node.update({str(key): value for key, value in loaded.items()})
    return node


@cache
def allowed_targets(group: str) -> frozenset[str]:
    """What a configuration may build in this group: the targets of the files in ``conf/``.

    A configuration read from a run directory is held to the same list.
    """
    return frozenset(option["_target_"] for option in options(group).values())
