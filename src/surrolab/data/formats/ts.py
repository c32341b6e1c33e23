"""The .ts format: an ``@`` header, then channels separated by ``:`` and the label."""

from collections.abc import Iterator

from surrolab.data.formats.opening import lines
from surrolab.data.formats.problem import Source, shown
from surrolab.data.formats.series import Case, numbers, stacked

_FLAGS = ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel")
_COUNTS = ("dimensions", "dimension", "serieslength")
_KNOWN = ("problemname", *_FLAGS, *_COUNTS, "data")


def ts_cases(source: Source, classes: list[str]) -> Iterator[Case]:
    """Yield the series of a .ts file with their labels.

    Args:
        source: the file.
        classes: takes up the classes that the header names.

    Raises:
        DataFileError: see `read_series`.
    """
    rows = lines(source, comments="#%")
    header = _header(rows, source, classes)
    channels = header.get("dimensions", header.get("dimension"))
    if header.get("univariate"):
        channels = 1
    steps = header.get("serieslength") if header.get("equallength") else None
    for row, line in rows:
        *texts, label = line.split(":")
        label = label.strip()
        if not texts:
            raise source.error("has no label", "write values, then ':' and the label", row=row)
        if channels is not None and len(texts) != channels:
            raise source.error(
                f"has {len(texts)} channels where the header says {channels}",
                "separate channels by ':', the label last",
                row=row,
            )
        if label not in classes:
            names = ", ".join(shown(name) for name in classes[:20])
            raise source.error(
                f"the label {shown(label)} is not in the header", f"allowed: {names}", row=row
            )
        values = [numbers(_split(text, row, source), row, source) for text in texts]
        if steps is not None and len(values[0]) != steps:
            raise source.error(
                f"has {len(values[0])} steps where the header says {steps}",
                "correct the row, or the header to '@equalLength false'",
                row=row,
            )
        yield row, stacked(values, row, source), label


def _split(text: str, row: int, source: Source) -> list[str]:
    if not text.strip():
        raise source.error("a channel has no values", "fill it in", row=row)
    if "(" in text:
        raise source.error("has time stamps", "resample it at equal steps", row=row)
    return text.split(",")


def _header(rows: Iterator[tuple[int, str]], source: Source, classes: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    row = None
    for row, line in rows:
        key, *values = line.split()
        name = key[1:].lower()
        if not key.startswith("@") or name not in _KNOWN:
            raise source.error(
                f"{shown(key)} is no line of a .ts header",
                "begin the values with a line '@data'",
                row=row,
            )
        if name == "data":
            if not classes:
                raise source.error(
                    "the header names no classes",
                    "add '@classLabel true ' and the classes",
                    row=row,
                )
            return found
        if name in found or (name == "classlabel" and classes):
            raise source.error(f"{shown(key)} comes twice", "keep one", row=row)
        if name in _FLAGS:
            found[name] = _flag(key, values, row, source)
        elif name in _COUNTS:
            found[name] = _count(key, values, row, source)
        if found.get("timestamps"):
            raise source.error("has time stamps", "resample it at equal steps", row=row)
        if found.get("targetlabel"):
            raise source.error("is a regression problem", "give a file with classes", row=row)
        if name == "classlabel":
            classes.extend(values[1:])
            if len(set(classes)) < len(classes):
                raise source.error("a class comes twice in the header", "keep one", row=row)
    raise source.error("has no line '@data'", "give the whole file", row=row)


def _flag(key: str, values: list[str], row: int, source: Source) -> int:
    value = values[0].lower() if values else ""
    if value not in ("true", "false"):
        raise source.error(f"{shown(key)} is {shown(value)}", "allowed: true, false", row=row)
    return int(value == "true")


def _count(key: str, values: list[str], row: int, source: Source) -> int:
    value = values[0] if values else ""
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0):
        raise source.error(
            f"{shown(key)} is {shown(value)}", "allowed: a whole number from 1", row=row
        )
    return int(value)
