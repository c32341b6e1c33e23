"""Which spikes a gradient passes: those near the threshold, where a surrogate is cut off."""

from dataclasses import dataclass

from torch import Tensor

_NAME = "_surrolab_reach"

# By how much more than the support counts as within: the engine rounds as it does.
ROUNDING = 1e-4


@dataclass(eq=False)
class Reach:
    """Of spikes whose surrogate has compact support: what their gradient will be multiplied by.

    Args:
        mem: membrane potential of each spike, in the spikes' dtype, contiguous.
        threshold: of all of them.
        support: half width around the threshold, outside of which the derivative is exactly 0.
        spent: whether ``mem`` has been overwritten since.
    """

    mem: Tensor
    threshold: float
    support: float
    spent: bool = False

    def mark(self, spk: Tensor) -> None:
        """Let the spikes carry it to the one who reads them next."""
        setattr(spk, _NAME, self)


def taken_reach(spk: Tensor) -> Reach | None:
    """What spikes carry, once: kept with them it would keep the membrane from being freed."""
    reach: Reach | None = spk.__dict__.pop(_NAME, None)
    return reach
