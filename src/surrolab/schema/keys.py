"""Kinds of values: each checks a value, converts it, and says in words what is allowed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Key:
    """What a key of the configuration may be.

    ``convert`` returns the value in its proper type, or raises ValueError or TypeError; ``allowed``
    says in words what it accepts. A :class:`RefusedError` has words of its own.
    """

    allowed: str
    convert: Callable[[Any], Any]


class RefusedError(ValueError):
    """Says itself what the value is, what is wrong with it and what is allowed."""


def _refuse() -> Any:
    raise ValueError


def number(
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> Key:
    """A finite float within bounds."""

    def convert(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        good = math.isfinite(value) and above < value < below and at_least <= value <= at_most
        return float(value) if good else _refuse()

    bounds = [
        f"{words} {bound:g}"
        for words, bound in (
            ("above", above),
            ("at least", at_least),
            ("at most", at_most),
            ("below", below),
        )
        if math.isfinite(bound)
    ]
    return Key(f"a number {' and '.join(bounds)}".rstrip(), convert)


def integer(at_least: int | None = None, odd: bool = False) -> Key:
    """A whole number."""

    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError
        good = (at_least is None or value >= at_least) and (not odd or value % 2 == 1)
        return value if good else _refuse()

    words = "an odd whole number" if odd else "a whole number"
    return Key(words if at_least is None else f"{words} of at least {at_least}", convert)


def flag() -> Key:
    """True or false."""
    return Key("true, false", lambda value: value if isinstance(value, bool) else _refuse())


def choice(*names: str) -> Key:
    """One of some words."""
    return Key(", ".join(names), lambda value: value if value in names else _refuse())


def text(allowed: str = "text", good: Callable[[str], bool] = bool) -> Key:
    """Text for which ``good`` is true; it may raise :class:`RefusedError` to say why not."""

    def convert(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError
        return str(value) if good(str(value)) else _refuse()

    return Key(allowed, convert)


def path() -> Key:
    """The path of a file or folder, which becomes absolute: a run can be repeated from anywhere."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or not value or "\0" in value:
            raise TypeError
        return str(Path(value).expanduser().absolute())

    return Key("a path", convert)


def list_of(key: Key, at_least: int = 0) -> Key:
    """A list whose items are all of one kind."""

    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or len(value) < at_least:
            raise TypeError
        return [key.convert(item) for item in value]

    some = "a list" if at_least == 0 else f"a list of {at_least} or more"
    return Key(f"{some}, each item {key.allowed}", convert)


def mapping(allowed: str) -> Key:
    """A mapping; null is an empty one."""

    def convert(value: Any) -> dict[Any, Any]:
        if value is not None and not isinstance(value, Mapping):
            raise TypeError
        return dict(value or {})

    return Key(f"{allowed}; or null", convert)


def either(*keys: Key) -> Key:
    """Whatever one of several kinds allows; the first that fits converts it."""

    def convert(value: Any) -> Any:
        for key in keys:
            try:
                return key.convert(value)
            except (TypeError, ValueError):
                continue
        return _refuse()

    return Key("; or ".join(key.allowed for key in keys), convert)


def optional(key: Key) -> Key:
    """The same, or null."""
    return Key(
        f"{key.allowed}; or null", lambda value: None if value is None else key.convert(value)
    )
