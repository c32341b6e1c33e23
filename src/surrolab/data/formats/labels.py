"""Labels, split and group of samples, as text."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.problem import Source, shown

SPLITS = ("train", "val", "test")
_DIGITS = re.compile("([0-9]+)")


def class_names(labels: Iterable[str]) -> list[str]:
    """Return the classes that occur, in natural order: numbers in text by their value."""
    return sorted(set(labels), key=natural)


def natural(text: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts "2" before "10" and "user2" before "user10"."""
    # Text and digits take turns. Digits are compared by how many there are first, as int() refuses
    # thousands of them.
    parts = (
        part.lstrip("0") if at % 2 else part for at, part in enumerate(re.split(_DIGITS, text))
    )
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(parts)], text


def check_classes(labels: Sequence[str], least: int, source: Source) -> None:
    """Raise `DataFileError` unless ``labels`` has ``least`` classes or more, and a sample."""
    if not labels:
        raise source.error("holds no sample", "give a file with samples")
    found = set(labels)
    if len(found) < least:
        raise source.error(
            f"has only {len(found)} class ({shown(labels[0])})",
            f"give samples of {least} classes or more",
        )


def check_split(value: str, row: int, source: Source) -> str:
    """Return the name of a split, or raise `DataFileError`."""
    if value not in SPLITS:
        raise source.error(f"{shown(value)} is no split", f"allowed: {', '.join(SPLITS)}", row=row)
    return value


def text_column(array: NDArray[np.generic], key: str, rows: int, source: Source) -> list[str]:
    """Return a vector of whole numbers or text as ``rows`` strings without outer white space.

    Args:
        array: bool, integer, text, or bytes that are UTF-8.
        key: what the file calls it.
        rows: how many there are to be.
        source: the file.

    Raises:
        DataFileError: another type or shape; a value that is empty or no text.
    """
    if array.ndim != 1 or array.shape[0] != rows:
        raise source.error(
            f"{key} has the shape {list(array.shape)}", f"give one value for each of {rows} samples"
        )
    if array.dtype.kind not in "biuUS":
        raise source.error(
            f"{key} has the type {array.dtype}", "give whole numbers or text (no objects)"
        )
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    values: list[str] = []
    for row in range(rows):
        try:
            value = array[row]
            text = value.decode("utf-8") if isinstance(value, bytes) else str(value)
            text.encode("utf-8")
        except ValueError:  # no UTF-8, or no code point
            raise source.error(f"{key} is no text", "give UTF-8 text", row=row) from None
        if not text.strip():
            raise source.error(f"{key} is empty", "give each sample a value", row=row)
        values.append(text.strip())
    return values
