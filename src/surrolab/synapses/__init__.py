"""Synapses: linear layers that add up what their input spikes pick, or that have delays."""

from surrolab.synapses.delays import SIGMA_END, DelayedLinear
from surrolab.synapses.linear import MODES, spike_linear
from surrolab.synapses.module import SpikeLinear

__all__ = ["MODES", "SIGMA_END", "DelayedLinear", "SpikeLinear", "spike_linear"]
