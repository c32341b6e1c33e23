"""Pages from the templates beside the code that fills them."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jinja2


def render(
    template: str, number: Callable[[Any], str], room: str = "surrolab.pictures", **values: Any
) -> str:
    """The page; whatever is put into it is escaped, and a value that is missing is an error.

    Args:
        template: file name.
        number: the filter of this name, which puts a number for people.
        room: the package that the template lies in.
        values: what the template asks for.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["number"] = number
    text = files(room).joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(**values)
