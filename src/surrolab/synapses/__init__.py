"""Synapses: linear layers that pick the weights of spikes and tokens, or that have delays."""

from surrolab.synapses.delays import SIGMA_END, DelayedLinear
from surrolab.synapses.linear import MODES, spike_linear
from surrolab.synapses.module import SpikeLinear
from surrolab.synapses.one_hot import OneHot

__all__ = ["MODES", "SIGMA_END", "DelayedLinear", "OneHot", "SpikeLinear", "spike_linear"]
