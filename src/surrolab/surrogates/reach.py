"""Which spikes a gradient passes: those near the threshold, where a surrogate is cut off."""

from dataclasses import dataclass

from torch import Tensor

_NAME = "_surrolab_reach"

# By how much more than the support counts as within: engines round, each in its way.
ROUNDING = 1e-4


@dataclass(eq=False)
class Reach:
    """Of spikes whose surrogate has compact support: what their gradient will be multiplied by.

    Args:
        mem: membrane potential of each spike, in the spikes' dtype, contiguous.
        threshold: of all of them.
        support: half width around the threshold, outside of which the derivative is exactly 0.
    """

    mem: Tensor | None
    threshold: float
    support: float

    def spend(self) -> None:
        """Forget the membrane, which is about to be overwritten."""
        self.mem = None

    def mark(self, spk: Tensor) -> None:
        """Let the spikes carry it to the one who reads them next."""
        setattr(spk, _NAME, self)


def taken_reach(spk: Tensor) -> Reach | None:
    """What spikes carry, once: kept with them it would keep the membrane from being freed."""
    reach: Reach | None = spk.__dict__.pop(_NAME, None)
    return reach
