"""Which spikes a gradient passes: those near the threshold, where a surrogate is cut off."""

from torch import Tensor
from torch.utils.weak import TensorWeakRef

_NAME = "_surrolab_reach"

# By how much more than the support counts as within: engines round, each in its way.
ROUNDING = 1e-4


class Reach:
    """Of spikes whose surrogate has compact support: what their gradient will be multiplied by.

    It does not keep the membrane: that is for the pass that computed it, which may let go of it
    and compute it again (`torch.utils.checkpoint`).

    Args:
        mem: membrane potential of each spike, in the spikes' dtype, contiguous.
        threshold: of all of them.
        support: half width around the threshold, outside of which the derivative is exactly 0.
    """

    def __init__(self, mem: Tensor, threshold: float, support: float) -> None:
        self._mem: TensorWeakRef | None = TensorWeakRef(mem)
        self.threshold = threshold
        self.support = support

    @property
    def mem(self) -> Tensor | None:
        """The membrane, as long as it is kept and holds what it held."""
        mem: Tensor | None = None if self._mem is None else self._mem()
        return mem

    def spend(self) -> None:
        """Forget the membrane, which is about to be overwritten."""
        self._mem = None

    def mark(self, spk: Tensor) -> None:
        """Let the spikes carry it to the one who reads them next."""
        setattr(spk, _NAME, self)


def taken_reach(spk: Tensor) -> Reach | None:
    """What spikes carry, once: the first who reads them."""
    reach: Reach | None = spk.__dict__.pop(_NAME, None)
    return reach
