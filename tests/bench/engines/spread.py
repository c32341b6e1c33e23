"""What is said of a contender, from its rounds and the baseline's."""

from statistics import median, quantiles
from typing import NamedTuple


class Spread(NamedTuple):
    """Median and quartiles."""

    low: float
    middle: float
    high: float


def spread(values: list[float]) -> Spread:
    """Of one value, that value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(low, median(values), high)


def ratio(ours: list[float], theirs: list[float]) -> Spread:
    """``theirs`` in units of ``ours``, round by round: what slows both down drops out."""
    return spread([b / a for a, b in zip(ours, theirs, strict=True)])
