"""Whole sequences in one pass: neurons, surrogate and reset fused, by several engines."""

from surrolab.neurons.fused.assembly import Unsupported, fused

__all__ = ["Unsupported", "fused"]
