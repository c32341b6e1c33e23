"""YAML as people mean it: ``1e-3`` is a number, ``on`` a word, and no key is there twice.

PyYAML reads YAML 1.1, where it is the other way round; this is the core schema of YAML 1.2.
"""

import re
from typing import Any, ClassVar

import yaml


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise yaml.constructor.ConstructorError(problem=f"{name} is there twice")
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes what either version of YAML would not read as words."""


def _whole_number(loader: Any, node: Any) -> int:
    return int(loader.construct_scalar(node))


for _kind, _form, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?\d+(_\d+)*", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.\d+|\d+(_\d+)*(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", "<<", ["<"]),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_form})\Z"), _first
        )
_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def read_yaml(text: str) -> Any:
    """The content of a document.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.load(text, _Loader)  # a SafeLoader


def write_yaml(node: Any) -> str:
    """The document of plain data."""
    return str(yaml.dump(node, Dumper=_Dumper, sort_keys=False))
