"""Pages from the templates beside this file."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jinja2


def render(template: str, number: Callable[[Any], str], **values: Any) -> str:
    """The page; whatever is put into it is escaped, and a value that is missing is an error.

    Args:
        template: file name.
        number: the filter of this name, which puts a number for people.
        values: what the template asks for.
    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["number"] = number
    text = files("surrolab.pictures").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(**values)
