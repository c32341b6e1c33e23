"""The sample itself as the input current."""

from torch import Tensor

from surrolab.encoding.base import Encoder, positive


class Direct(Encoder):
    """A static sample is a constant current; a sequence passes through. Both times ``gain``.

    The first layer then does the encoding ("direct" or "constant current" coding): Rueckauer et
    al. 2017, doi:10.3389/fnins.2017.00682. Nothing is copied over time: the result of a static
    batch is an expanded view, not to be written to.

    Args:
        steps: for how many time steps a static sample is presented; without effect on sequences.
        gain: what the input is multiplied by, above 0.
    """

    def __init__(self, steps: int, gain: float = 1.0) -> None:
        super().__init__(steps)
        self.gain = positive("gain", gain)

    def static(self, x_BF: Tensor) -> Tensor:
        return self.sequence(x_BF).expand(self.steps, *x_BF.shape)

    def sequence(self, x_TBF: Tensor) -> Tensor:
        return x_TBF if self.gain == 1 else self.gain * x_TBF
