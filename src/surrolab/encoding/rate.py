"""Independent spikes with a probability per step."""

from snntorch import spikegen
from torch import Tensor

from surrolab.encoding.base import Encoder, positive


class Rate(Encoder):
    """In each step a spike with probability ``clamp(gain * x, 0, 1)``, drawn independently.

    The Bernoulli form of Poisson rate coding: Diehl & Cook 2015, doi:10.3389/fncom.2015.00099.
    Drawn from torch's global generator. Static samples only.

    Args:
        steps: time steps.
        gain: spikes per step at ``x = 1``, above 0.
    """

    def __init__(self, steps: int, gain: float = 1.0) -> None:
        super().__init__(steps)
        self.gain = positive("gain", gain)

    def static(self, x_BF: Tensor) -> Tensor:
        spk_TBF: Tensor = spikegen.rate(x_BF, num_steps=self.steps, gain=self.gain)
        return spk_TBF
