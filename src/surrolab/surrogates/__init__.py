"""What the backward pass puts in place of the step's derivative."""

from surrolab.surrogates.atan import ATan
from surrolab.surrogates.base import Surrogate
from surrolab.surrogates.boxcar import Boxcar
from surrolab.surrogates.fast_sigmoid import FastSigmoid
from surrolab.surrogates.none import NoSurrogate
from surrolab.surrogates.sigmoid import Sigmoid
from surrolab.surrogates.straight_through import StraightThrough
from surrolab.surrogates.trapezoid import Trapezoid
from surrolab.surrogates.triangle import Triangle

__all__ = [
    "ATan",
    "Boxcar",
    "FastSigmoid",
    "NoSurrogate",
    "Sigmoid",
    "StraightThrough",
    "Surrogate",
    "Trapezoid",
    "Triangle",
]
