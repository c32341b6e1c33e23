"""Synapses that use what a spike train is: zeros, and a few ones."""

from surrolab.synapses.linear import MODES, spike_linear

__all__ = ["MODES", "spike_linear"]
