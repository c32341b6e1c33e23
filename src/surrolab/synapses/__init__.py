"""Synapses: a linear layer that adds up what its input spikes pick."""

from surrolab.synapses.linear import MODES, spike_linear
from surrolab.synapses.module import SpikeLinear

__all__ = ["MODES", "SpikeLinear", "spike_linear"]
