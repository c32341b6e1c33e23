"""Checks of parameters; each error is one line that begins with the parameter's name."""

import os
from collections.abc import Collection
from pathlib import Path

import platformdirs


def whole_number(name: str, value: int, low: int, high: int | None = None) -> int:
    """Return ``value`` if it is a whole number in ``[low, high]``, else raise ValueError."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= low
    if not fits or (high is not None and value > high):
        limits = f"of {low} or more" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: {value!r} is not allowed; allowed: a whole number {limits}")
    return value


def positive_number(name: str, value: float, high: float) -> float:
    """Return ``value`` as a float if it is above 0 and at most ``high``, else raise ValueError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= high:
        raise ValueError(
            f"{name}: {value!r} is not allowed; allowed: a number above 0 and at most {high:g}"
        )
    return float(value)


def fraction(name: str, value: float) -> float:
    """Return ``value`` as a float if it lies strictly between 0 and 1, else raise ValueError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < 1:
        raise ValueError(f"{name}: {value!r} is not allowed; allowed: a number between 0 and 1")
    return float(value)


def one_of(name: str, value: str, allowed: Collection[str]) -> str:
    """Return ``value`` if it is among ``allowed``, else raise ValueError."""
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is not allowed; allowed: {', '.join(allowed)}")
    return value


def folder(name: str, value: str | os.PathLike[str] | None) -> Path:
    """Return the folder ``value``, which need not exist yet; None is the user's cache folder.

    Raises:
        ValueError: ``value`` is empty, or it or something above it is there but no folder.
    """
    if value is None:
        return Path(platformdirs.user_cache_dir("surrolab"))
    path = Path(value).expanduser()
    nearest = next((p for p in (path, *path.parents) if os.path.lexists(p)), None)
    if not os.fspath(value) or (nearest is not None and not os.path.isdir(nearest)):
        raise ValueError(
            f"{name}: {os.fspath(value)!r} is not a folder; allowed: a folder (made if absent), "
            "or null for the user's cache folder"
        )
    return path


def number_from(name: str, value: float, low: float, below: float | None = None) -> float:
    """Return ``value`` as a float if it is finite, at least ``low`` and less than ``below``.

    Raises:
        ValueError: it is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    most = float("inf") if below is None else below
    if not number or not low <= value < most:
        limits = f"{low:g} or more" if below is None else f"from {low:g} to below {below:g}"
        raise ValueError(f"{name}: {value!r} is not allowed; allowed: a number {limits}")
    return float(value)
