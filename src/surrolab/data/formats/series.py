"""What the text formats of time series share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.problem import Source, shown

# The row, the values float64 [T, C] with NaN where missing, the label.
Case = tuple[int, NDArray[np.float64], str]
_MISSING = frozenset(("?", "nan"))


def numbers(values: Sequence[str], row: int, source: Source) -> NDArray[np.float64]:
    """Return a channel's values, ``[T]``, from their texts; ``?`` and ``NaN`` become NaN.

    Raises:
        DataFileError: a value is no finite number.
    """
    try:
        array = np.array([float(value) for value in values])
        if "_" not in "".join(values) and not np.isinf(array).any():
            return array
    except ValueError:
        pass
    return np.array([_number(value.strip(), row, source) for value in values])


def _number(value: str, row: int, source: Source) -> float:
    if value.lower() in _MISSING:
        return np.nan
    try:
        number = np.nan if "_" in value else float(value)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise source.error(f"{shown(value)} is no finite number", "correct it", row=row)
    return number


def stacked(
    channels: Sequence[NDArray[np.float64]], row: int, source: Source
) -> NDArray[np.float64]:
    """Return the channels of one series as ``[T, C]``.

    Raises:
        DataFileError: they differ in length.
    """
    lengths = {len(channel) for channel in channels}
    if len(lengths) > 1:
        raise source.error(
            f"its channels have lengths from {min(lengths)} to {max(lengths)}",
            "give all channels of a series the same steps",
            row=row,
        )
    return np.ascontiguousarray(np.stack(channels, axis=1))
