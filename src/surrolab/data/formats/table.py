"""Text tables for classification: .tsv, .csv and .jsonl."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surrolab.data.formats.labels import check_classes, check_split
from surrolab.data.formats.opening import lines
from surrolab.data.formats.problem import Source, shown

SUFFIXES = (".tsv", ".csv", ".jsonl")


@dataclass(frozen=True, eq=False)
class TextTable:
    """Texts with their labels.

    Attributes:
        texts: as in the file, none of them empty.
        labels: without outer white space, none of them empty.
        split: "train", "val" or "test" of each text; None where the file has no such column.
        groups: what else the texts belong to (an author, a source), None where the file is silent.
    """

    texts: list[str]
    labels: list[str]
    split: list[str] | None
    groups: list[str] | None


def read_table(
    path: str | os.PathLike[str],
    option: str,
    *,
    text: str | Sequence[str] = "text",
    label: str = "label",
    split: str = "split",
    group: str = "group",
    columns: Sequence[str] | None = None,
    least_classes: int = 2,
) -> TextTable:
    """Read a text table; its suffix says which kind.

    - .tsv: values are separated by tabs and nothing is quoted, so that a quotation mark is text.
    - .csv: as RFC 4180 has it; a value may be quoted and then hold commas, quotation marks (two)
      and line breaks. A value has 131,072 characters at most.
    - .jsonl: one JSON object a line; values are strings, those but the text also whole numbers.

    Empty lines are skipped.

    Args:
        path: the file, UTF-8.
        option: the option that gave it, for errors.
        text: column of the texts; or, of a .tsv or .csv, several whose texts are put together.
        label: column of the labels.
        split: column of the split, which need not be there.
        group: column of the groups, which need not be there.
        columns: the columns of a .tsv or .csv file without a header line.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: a column is missing or comes twice, a row is too short or too long, a value
            is empty, a split unknown, the text no UTF-8, or there are too few classes.
    """
    source = Source(option, path)
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise source.error(f"{suffix!r} is no text table", f"allowed: {', '.join(SUFFIXES)}")
    joined = [text] if isinstance(text, str) else list(text)
    wanted = {"text": joined[0], "label": label, "split": split, "group": group}
    if suffix == ".jsonl":
        rows = _objects(source, wanted)
    else:
        cells = _tabbed(source) if suffix == ".tsv" else _quoted(source)
        rows = _columns(source, cells, wanted, columns, joined[1:])
    found: dict[str, list[str]] = {key: [] for key in wanted}
    for at, row in rows:
        for key, value in row.items():
            if not value.strip():
                raise source.error(f"{shown(wanted[key])} is empty", "fill it in", row=at)
            found[key].append(value if key == "text" else value.strip())
        if "split" in row:
            check_split(found["split"][-1], at, source)
        for key in ("split", "group"):
            if found[key] and len(found[key]) != len(found["text"]):
                raise source.error(
                    f"{shown(wanted[key])} is in some rows only", "give it in all or none", row=at
                )
    check_classes(found["label"], least_classes, source)
    return TextTable(found["text"], found["label"], found["split"] or None, found["group"] or None)


Rows = Iterator[tuple[int, dict[str, str]]]
Cells = Iterator[tuple[int, list[str]]]


def _columns(
    source: Source,
    cells: Cells,
    wanted: dict[str, str],
    columns: Sequence[str] | None,
    more_text: Sequence[str],
) -> Rows:
    row = None
    if columns is None:
        row, columns = next(cells, (None, []))
        columns = [name.strip() for name in columns]
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise source.error(f"the column {shown(twice[0])} comes twice", "rename one", row=row)
    for name in (wanted["text"], *more_text, wanted["label"]):
        if name not in columns:
            raise source.error(
                f"there is no column {shown(name)}",
                f"allowed: {', '.join(shown(name) for name in columns[:20]) or 'none'}",
                row=row,
            )
    places = {key: columns.index(name) for key, name in wanted.items() if name in columns}
    for at, values in cells:
        if len(values) != len(columns):
            raise source.error(
                f"has {len(values)} values where there are {len(columns)} columns",
                "give one value a column",
                row=at,
            )
        row_values = {key: values[place] for key, place in places.items()}
        row_values["text"] = " ".join(
            [row_values["text"], *(values[columns.index(name)] for name in more_text)]
        )
        yield at, row_values


def _tabbed(source: Source) -> Cells:
    for at, line in lines(source):
        yield at, line.split("\t")


def _quoted(source: Source) -> Cells:
    at = 1

    def with_ends() -> Iterator[str]:
        nonlocal at
        for at, line in lines(source, blank=True):  # noqa: B007
            yield line + "\n"

    reader = csv.reader(with_ends(), strict=True)
    begun = at
    try:
        while (values := next(reader, None)) is not None:
            if len(values) > 1 or (values and values[0].strip()):
                yield begun, values
            begun = at + 1
    except csv.Error as error:
        raise source.error(f"is no CSV ({error})", "quote values as RFC 4180", row=begun) from None


def _objects(source: Source, wanted: dict[str, str]) -> Rows:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key comes twice")
        return found

    for at, line in lines(source):
        try:
            value = json.loads(line, object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            raise source.error(f"is no JSON ({error})", "give one object a line", row=at) from None
        if not isinstance(value, dict):
            raise source.error("is no JSON object", 'give {"text": ..., "label": ...}', row=at)
        row: dict[str, str] = {}
        for key, name in wanted.items():
            if name in value:
                row[key] = _text(value[name], name, key == "text", at, source)
            elif key in ("text", "label"):
                keys = ", ".join(shown(one) for one in list(value)[:20]) or "none"
                raise source.error(f"there is no key {shown(name)}", f"allowed: {keys}", row=at)
        yield at, row


def _text(value: Any, name: str, only_text: bool, row: int, source: Source) -> str:
    number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    if not isinstance(value, str) and (only_text or not number):
        allowed = "a string" if only_text else "a string or a whole number"
        kind = type(value).__name__
        raise source.error(f"{shown(name)} is of type {kind}", f"give {allowed}", row=row)
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise source.error(
            f"{shown(name)} holds half a surrogate pair", "give valid text", row=row
        ) from None
    return text
