"""Time series of the UCR and UEA archives: .ts, .arff and .tsv (timeseriesclassification.com)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.arff import arff_cases
from surrolab.data.formats.labels import check_classes
from surrolab.data.formats.opening import lines
from surrolab.data.formats.problem import Source
from surrolab.data.formats.series import Case, numbers
from surrolab.data.formats.ts import ts_cases

SUFFIXES = (".ts", ".arff", ".tsv")
Missing = Literal["error", "linear"]


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """Time series with their labels.

    Attributes:
        series: float64 ``[T_i, C]`` each, finite.
        labels: one a series, as in the file.
        classes: the classes in the order of the file's header; without one, those that occur.
    """

    series: list[NDArray[np.float64]]
    labels: list[str]
    classes: list[str]


def read_series(
    path: str | os.PathLike[str],
    option: str,
    *,
    missing: Missing = "error",
    least_classes: int = 2,
) -> SeriesFile:
    """Read a file of the UCR/UEA archive; its suffix says which kind.

    - .ts: series of any length, channels separated by ``:``, missing values as ``?``. Time stamps
      are not supported.
    - .arff: one value a column, or one relational attribute that holds a channel a line. Missing
      values are ``?``.
    - .tsv: the label and then the values of one channel. Missing values are ``NaN``.

    Rows of .arff and .tsv have one length: missing values (in all channels) at their end are the
    padding of a shorter series, as the archive has it, and dropped. In .ts they are missing values.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        missing: "error", or "linear" for what lies between a channel's known values on a line
            and goes on with the first and the last of them at the ends.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: the file is damaged or of another kind; a row has another number of
            channels or steps than the header or its other channels, a value is missing (with
            "error"; with "linear", all of a channel) or no finite number, or a label unknown.
        ValueError: ``missing`` is none of the two.
    """
    if missing not in ("error", "linear"):
        raise ValueError(f"missing: {missing!r} is not allowed; allowed: error, linear")
    source = Source(option, path)
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise source.error(
            f"{suffix!r} is no file of time series", f"allowed: {', '.join(SUFFIXES)}"
        )
    classes: list[str] = []
    if suffix == ".ts":
        cases = ts_cases(source, classes)
    else:
        cases = _shortened(arff_cases(source, classes) if suffix == ".arff" else _tsv_cases(source))
    series: list[NDArray[np.float64]] = []
    labels: list[str] = []
    for row, values, label in cases:
        if series and values.shape[1] != series[0].shape[1]:
            raise source.error(
                f"has {values.shape[1]} channels where the first series has {series[0].shape[1]}",
                "give all series the same channels",
                row=row,
            )
        series.append(_known(values, missing, row, source))
        labels.append(label)
    check_classes(labels, least_classes, source)
    return SeriesFile(series, labels, classes or list(dict.fromkeys(labels)))


def _tsv_cases(source: Source) -> Iterator[Case]:
    columns = None
    for row, line in lines(source):
        label, *values = line.strip().split("\t")
        if not values:
            raise source.error("has no values", "separate label and values by tabs", row=row)
        if not label.strip():
            raise source.error("has no label", "give the label first", row=row)
        columns = columns or len(values)
        if len(values) != columns:
            raise source.error(
                f"has {len(values)} values where the first row has {columns}",
                "pad shorter series with NaN at their end",
                row=row,
            )
        yield row, numbers(values, row, source)[:, None], label.strip()


def _shortened(cases: Iterator[Case]) -> Iterator[Case]:
    for row, values, label in cases:
        known = np.flatnonzero(~np.isnan(values).all(axis=1))
        yield row, values[: known[-1] + 1 if len(known) else 1], label


def _known(
    values: NDArray[np.float64], missing: Missing, row: int, source: Source
) -> NDArray[np.float64]:
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if missing == "error":
        step, channel = np.argwhere(gaps)[0].tolist()
        raise source.error(
            f"step {step} of channel {channel} is missing (counted from 0)",
            "fill it in, or set missing=linear to interpolate",
            row=row,
        )
    steps = np.arange(len(values))
    for channel in np.flatnonzero(gaps.any(axis=0)).tolist():
        gap = gaps[:, channel]
        if gap.all():
            raise source.error(
                f"channel {channel} (counted from 0) has no value", "leave the series out", row=row
            )
        values[gap, channel] = np.interp(steps[gap], steps[~gap], values[~gap, channel])
    return values


__all__ = ["SUFFIXES", "Missing", "SeriesFile", "read_series"]
