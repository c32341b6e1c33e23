"""The catalogue that the tests here go through, and the literature's formulas once more."""

import itertools
import math

import numpy as np
from scipy import stats

from surrolab.surrogates import (
    ATan,
    Boxcar,
    Circular,
    Dspike,
    Exponential,
    FastSigmoid,
    Gaussian,
    LeakySpikeOperator,
    MultiGaussian,
    NoSurrogate,
    PiecewiseLeaky,
    QPseudoSpike,
    Sigmoid,
    SparseFastSigmoid,
    SpikeRateEscape,
    StochasticSpikeOperator,
    StraightThrough,
    Tanh,
    Trapezoid,
    Triangle,
)

# With a slope, and its default.
SLOPED = {
    Sigmoid: 25.0,
    FastSigmoid: 25.0,
    ATan: 2.0,
    Boxcar: 1.0,
    Triangle: 1.0,
    Trapezoid: 1.0,
    Gaussian: 2.0,
    MultiGaussian: math.sqrt(2),
    Exponential: 1.0,
    Tanh: 1.0,
    Circular: 1 / 0.3,
    QPseudoSpike: 1.0,
    Dspike: 3.0,
    SparseFastSigmoid: 100.0,
    PiecewiseLeaky: 1.0,
    SpikeRateEscape: 1.0,
}
WITHOUT_SLOPE = (StraightThrough, LeakySpikeOperator, StochasticSpikeOperator)
ALL = (*SLOPED, *WITHOUT_SLOPE, NoSurrogate)
RANDOM = (StochasticSpikeOperator,)
# Without a finite area above 0: no `area`, no `smooth_step`.
NO_AREA = (PiecewiseLeaky, *WITHOUT_SLOPE, NoSurrogate)
WITH_AREA = tuple(cls for cls in SLOPED if cls not in NO_AREA)
SYMMETRIC = tuple(SLOPED)
# What stands between slope, scale and normalize and the end of a signature, with the defaults.
EXTRA = {
    MultiGaussian: {"height": 0.15, "spread": 6.0},
    QPseudoSpike: {"tail": 2.0},
    SparseFastSigmoid: {"cutoff": 0.2},
    PiecewiseLeaky: {"leak": 0.01},
    LeakySpikeOperator: {"leak": 0.1},
    StochasticSpikeOperator: {"mean": 0.0, "variance": 0.2},
}
# Other values of the same, that a test uses beside the defaults.
OTHER = {
    MultiGaussian: {"height": 0.6, "spread": 1.5},
    QPseudoSpike: {"tail": 1.4},
    SparseFastSigmoid: {"cutoff": 0.7},
    PiecewiseLeaky: {"leak": 0.8},
    LeakySpikeOperator: {"leak": 2.0},
}
MODES = ("native", "peak", "area")
SLOPES = (0.5, 4.0, 25.0)
SCALES = (1.0, 0.3)


def modes(cls):
    if cls is NoSurrogate:
        return ()
    return MODES[:2] if cls in NO_AREA else MODES


EVERY_SETTING = [
    *(
        cls(slope, scale, mode, **extra)
        for cls in SLOPED
        for extra in ({}, *([OTHER[cls]] if cls in OTHER else []))
        for slope, scale, mode in itertools.product(SLOPES, SCALES, modes(cls))
    ),
    *(
        cls(scale, mode, **extra)
        for cls in WITHOUT_SLOPE
        for extra in ({}, *([OTHER[cls]] if cls in OTHER else []))
        for scale, mode in itertools.product(SCALES, MODES[:2])
    ),
    NoSurrogate(),
]


def customized(cls):
    """One with no value at its default."""
    if cls is NoSurrogate:
        return NoSurrogate()
    extra = OTHER.get(cls, {})
    if cls in WITHOUT_SLOPE:
        return cls(0.5, "peak", **extra)
    return cls(3.5, 0.25, modes(cls)[-1], **extra)


def away_from_kinks(surrogate, x, margin):
    """The ``x`` that are at least ``margin``, in units of ``1/slope``, off every kink."""
    for kink in surrogate.shape_kinks:
        x = x[(surrogate.slope * x - kink).abs() > margin]
    return x


def normal(x, mean, deviation):
    return stats.norm.pdf(x, mean, deviation)


def _multi_gaussian(k, x, height=0.15, spread=6.0):
    sigma = 1 / (math.sqrt(2) * k)
    lobes = normal(x, sigma, spread * sigma) + normal(x, -sigma, spread * sigma)
    return (1 + height) * normal(x, 0, sigma) - height * lobes


def _dspike(k, x):
    inside = np.abs(x) <= 0.5
    return np.where(inside, k / np.cosh(k * x * inside) ** 2 / (2 * np.tanh(k / 2)), 0)


# Native h(x) at scale 1, k slope, x membrane minus threshold.
LITERATURE = {
    Sigmoid: lambda k, x: k * np.exp(-k * np.abs(x)) / (1 + np.exp(-k * np.abs(x))) ** 2,
    FastSigmoid: lambda k, x: 1 / (k * np.abs(x) + 1) ** 2,
    ATan: lambda k, x: k / 2 / (1 + (np.pi / 2 * k * x) ** 2),
    Boxcar: lambda k, x: k * (np.abs(x) < 1 / k / 2),
    Triangle: lambda k, x: np.maximum(0, 1 - k * np.abs(x)),
    Trapezoid: lambda k, x: np.where(
        np.abs(x) <= 0.5 / k, 1, np.maximum(0, (1 / k - np.abs(x)) / (0.5 / k))
    ),
    Gaussian: lambda k, x: normal(x, 0, 1 / (math.sqrt(2) * k)),
    MultiGaussian: _multi_gaussian,
    Exponential: lambda k, x: stats.laplace.pdf(x, scale=1 / k),
    Tanh: lambda k, x: 1 - np.tanh(k * x) ** 2,
    Circular: lambda k, x: (1 / k) ** 3 / (x**2 + (1 / k) ** 2) ** 1.5,
    QPseudoSpike: lambda k, x, tail=2.0: (1 + 2 * k * np.abs(x) / (tail - 1)) ** -tail,
    Dspike: _dspike,
    SparseFastSigmoid: lambda k, x, cutoff=0.2: (np.abs(x) < cutoff) / (k * np.abs(x) + 1) ** 2,
    PiecewiseLeaky: lambda k, x, leak=0.01: np.where(np.abs(x) < 1 / k / 2, k, leak),
    SpikeRateEscape: lambda k, x: np.exp(-k * np.abs(x)),
}
