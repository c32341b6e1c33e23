"""Means over seeds, and how far they can be trusted."""

import math
from collections.abc import Sequence
from statistics import mean, stdev

from scipy.stats import t as student


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval by Student's t.

    The half width is NaN for a single value: one seed says nothing of the next.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("values: there are none")
    n = len(values)
    if n == 1:
        return float(values[0]), math.nan
    return mean(values), float(student.ppf(0.975, n - 1) * stdev(values) / math.sqrt(n))


def paired(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The same of the differences of values that belong together, such as those of one seed.

    Raises:
        ValueError: they are not equally many.
    """
    return interval([a - b for a, b in zip(first, second, strict=True)])
