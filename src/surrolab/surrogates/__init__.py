"""What the backward pass puts in place of the step's derivative."""

from surrolab.surrogates.atan import ATan
from surrolab.surrogates.base import Surrogate
from surrolab.surrogates.boxcar import Boxcar
from surrolab.surrogates.circular import Circular
from surrolab.surrogates.dspike import Dspike
from surrolab.surrogates.exponential import Exponential
from surrolab.surrogates.fast_sigmoid import FastSigmoid
from surrolab.surrogates.formula import Formula
from surrolab.surrogates.gaussian import Gaussian
from surrolab.surrogates.leaky_spike_operator import LeakySpikeOperator
from surrolab.surrogates.multi_gaussian import MultiGaussian
from surrolab.surrogates.none import NoSurrogate
from surrolab.surrogates.piecewise_leaky import PiecewiseLeaky
from surrolab.surrogates.q_pseudo_spike import QPseudoSpike
from surrolab.surrogates.sigmoid import Sigmoid
from surrolab.surrogates.sparse_fast_sigmoid import SparseFastSigmoid
from surrolab.surrogates.spike_rate_escape import SpikeRateEscape
from surrolab.surrogates.stochastic_spike_operator import StochasticSpikeOperator
from surrolab.surrogates.straight_through import StraightThrough
from surrolab.surrogates.tanh import Tanh
from surrolab.surrogates.trapezoid import Trapezoid
from surrolab.surrogates.triangle import Triangle

__all__ = [
    "ATan",
    "Boxcar",
    "Circular",
    "Dspike",
    "Exponential",
    "FastSigmoid",
    "Formula",
    "Gaussian",
    "LeakySpikeOperator",
    "MultiGaussian",
    "NoSurrogate",
    "PiecewiseLeaky",
    "QPseudoSpike",
    "Sigmoid",
    "SparseFastSigmoid",
    "SpikeRateEscape",
    "StochasticSpikeOperator",
    "StraightThrough",
    "Surrogate",
    "Tanh",
    "Trapezoid",
    "Triangle",
]
