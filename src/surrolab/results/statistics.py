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


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Both ends of the interval; the value itself, twice, where there is a single one."""
    mean, half = interval(values)
    half = 0.0 if math.isnan(half) else half
    return mean - half, mean + half


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Of values that belong together, such as those of one seed: the first less the second.

    Raises:
        ValueError: they are not equally many.
    """
    return [a - b for a, b in zip(first, second, strict=True)]


def said(values: Sequence[float], digits: int = 3, times: float = 1.0, sign: str = "") -> str:
    """Mean and interval in words, ``0.950 ± 0.020``; the mean alone of a single value.

    Args:
        values: one for each seed.
        digits: behind the point.
        times: 100 for points of a hundred.
        sign: "+" to say it of positive means too.
    """
    mean, half = (times * value for value in interval(values))
    return f"{mean:{sign}.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")
