"""What a loader hands to the model."""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """One batch.

    The shape of ``x`` alone does not tell a static batch from a sequence: ask the data module's
    ``is_sequence``. As axis 0 of a sequence is time, take the batch size from ``y``.

    Attributes:
        x: float32, ``[B, *sample_shape]`` for static data and time-first
            ``[T, B, *sample_shape]`` for sequences. Tokens are a `surrolab.synapses.OneHot`,
            which is a tensor as well.
        y: int64 class labels, ``[B]``; of data with a target for each step, int64 ``[T, B]``
            (`surrolab.targets.UNASKED` where nothing is asked) or float32 ``[T, B, C]``.
        lengths: int64, ``[B]``: how many steps of each sample are valid (1 for static data).
            Steps from there on are padding and hold zeros.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor
