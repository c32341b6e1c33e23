"""Time series in .arff: a step a column, or a relational attribute with a channel a line."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from surrolab.data.formats.opening import lines
from surrolab.data.formats.problem import Source, shown
from surrolab.data.formats.series import Case, numbers, stacked

_NUMERIC = ("numeric", "real", "integer")
_ATTRIBUTE = re.compile(
    r"""@attribute\s+('[^']*'|"[^"]*"|[^\s{]+)(?:\s+|(?=\{))(\{.*\}|\S+)\s*""", re.I
)


@dataclass
class _Header:
    steps: int = 0
    relational: bool = False
    inside: bool = False


def arff_cases(source: Source, classes: list[str]) -> Iterator[Case]:
    """Yield the series of an .arff file with their labels; the class is the last attribute.

    Args:
        source: the file.
        classes: takes up the classes that the header names.

    Raises:
        DataFileError: see `read_series`.
    """
    rows = lines(source, comments="%")
    header = _read_header(rows, source, classes)
    for row, line in rows:
        if line.lstrip().startswith("{"):
            raise source.error("is sparse ARFF", "write all values of each row", row=row)
        if header.relational:
            text, label = _relation(line, row, source)
            series = [_cells(part, row, source) for part in re.split(r"\\n|\n", text)]
        else:
            *values, label = _cells(line, row, source)
            series = [values]
        if any(len(values) != header.steps for values in series):
            count = next(len(values) for values in series if len(values) != header.steps)
            raise source.error(
                f"has {count} values where the header has {header.steps} numeric attributes",
                "pad shorter series with '?' at their end",
                row=row,
            )
        label = _unquoted(label)
        if label not in classes:
            names = ", ".join(shown(name) for name in classes[:20])
            raise source.error(
                f"the label {shown(label)} is not in the header", f"allowed: {names}", row=row
            )
        yield row, stacked([numbers(values, row, source) for values in series], row, source), label


def _read_header(rows: Iterator[tuple[int, str]], source: Source, classes: list[str]) -> _Header:
    header = _Header()
    row = None
    for row, text in rows:
        line = text.strip()
        word = line.split(maxsplit=1)[0].lower()
        if word == "@data":
            if not classes or not header.steps or header.inside:
                raise source.error(
                    "the header has no numeric attributes followed by the classes",
                    "write '@attribute class {a,b}' last",
                    row=row,
                )
            return header
        if word == "@end" and header.inside:
            header.inside = False
        elif word == "@attribute":
            _attribute(line, header, row, source, classes)
        elif word != "@relation":
            raise source.error(f"{shown(word)} is no line of an ARFF header", "remove it", row=row)
    raise source.error("has no line '@data'", "give the whole file", row=row)


def _attribute(line: str, header: _Header, row: int, source: Source, classes: list[str]) -> None:
    match = _ATTRIBUTE.fullmatch(line)
    if match is None:
        raise source.error("is no attribute", "write '@attribute name type'", row=row)
    kind = match[2]
    if classes:
        raise source.error("the classes are not the last attribute", "put them last", row=row)
    if kind.lower() == "relational":
        if header.steps or header.relational:
            raise source.error(
                "there is more than one series in a row", "give one relational attribute", row=row
            )
        header.relational = header.inside = True
    elif kind.lower() in _NUMERIC:
        if header.relational and not header.inside:
            raise source.error("the last attribute is a number", "name the classes", row=row)
        header.steps += 1
    elif kind.startswith("{") and not header.inside:
        names = [_unquoted(name) for name in _cells(kind[1:-1], row, source)]
        if not all(names) or len(set(names)) < len(names):
            raise source.error("a class is empty or comes twice", "name each once", row=row)
        classes.extend(names)
    else:
        raise source.error(
            f"the attribute type {shown(kind)} is not supported",
            "allowed: numeric, relational, and {a,b} for the classes",
            row=row,
        )


def _relation(line: str, row: int, source: Source) -> tuple[str, str]:
    line = line.strip()
    quote = line[0]
    end = line.rfind(quote)
    if quote not in "'\"" or end == 0 or not line[end + 1 :].lstrip().startswith(","):
        # The label may be quoted in the same way.
        end = line.find(quote, 1)
    rest = line[end + 1 :].strip()
    if quote not in "'\"" or end < 1 or not rest.startswith(","):
        raise source.error(
            "is no quoted series followed by ',' and its label",
            r"write '1,2\n3,4',label",
            row=row,
        )
    return line[1:end], rest[1:].strip()


def _cells(text: str, row: int, source: Source) -> list[str]:
    if "'" not in text and '"' not in text:
        return [cell.strip() for cell in text.split(",")]
    quote = "'" if "'" in text else '"'
    try:
        cells = next(csv.reader([text], quotechar=quote, skipinitialspace=True, strict=True))
    except (csv.Error, StopIteration) as error:
        raise source.error(f"its quotation is broken ({error})", "correct it", row=row) from None
    return [cell.strip() for cell in cells]


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].strip()
    return text


__all__ = ["arff_cases"]
