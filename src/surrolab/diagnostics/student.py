"""Quantiles of Student's t distribution, for the confidence intervals of a few numbers."""

import math


def student_quantile(confidence: float, freedom: int) -> float:
    """Half width of the two-sided interval, in standard errors.

    By bisection on the distribution function, which is elementary for whole degrees of freedom
    (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).

    Args:
        confidence: probability of the interval, in (0, 1).
        freedom: degrees of freedom, at least 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: {confidence} is not allowed; allowed: between 0 and 1")
    if freedom < 1:
        raise ValueError(f"freedom: {freedom} is not allowed; allowed: at least 1")
    low, high = 0.0, 1.0
    while _within(high, freedom) < confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < confidence else (low, middle)
    return high


def _within(t: float, freedom: int) -> float:
    """Probability of ``[-t, t]``."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    if freedom % 2 == 0:
        term = total = 1.0
        for k in range(2, freedom, 2):
            term *= (k - 1) / k * cosine**2
            total += term
        return sine * total
    term, total = cosine, 0.0
    for k in range(3, freedom + 2, 2):
        total += term
        term *= (k - 1) / k * cosine**2
    return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
