"""Quantiles of Student's t distribution, for the confidence intervals of a few numbers."""

from scipy.special import stdtrit


def student_quantile(confidence: float, freedom: int) -> float:
    """Half width of the two-sided interval, in standard errors.

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
    return float(stdtrit(freedom, 0.5 + confidence / 2))
