"""Pages from the templates beside the code that fills them."""

from collections.abc import Callable
from functools import cache
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
        room: the package that the template, and those it imports, lie in.
        values: what the template asks for.
    """
    return _environment(room, number).get_template(template).render(**values)


@cache
def _environment(room: str, number: Callable[[Any], str]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(
            lambda name: files(room).joinpath(name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    return environment
