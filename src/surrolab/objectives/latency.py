"""Cross entropy on first-spike times."""

import math
from typing import ClassVar, Literal

from torch import Tensor

from surrolab.objectives.classification import Classification
from surrolab.objectives.steps import ValidSteps


class CELatency(Classification):
    """The class that spikes first wins: logits are ``-t_first / temperature``.

    The time of the first spike is written as the number of steps survived without one,
    ``t_first = sum_t prod_{s <= t} (1 - spk[s])``. For spikes of 0 and 1 that is the index of the
    first, or the sample's length where there is none. It is differentiable in the spikes: a spike
    more in step ``s``, before the first, would save the steps from ``s`` up to it; without the
    first, the second would count. A neuron that stays silent gets a gradient in every step.
    Classes that fire at the same time are equal, and the lowest index is predicted. Cross entropy
    on first-spike times: Mostafa 2018, doi:10.1109/TNNLS.2017.2726060; Göltz et al. 2021,
    doi:10.1038/s42256-021-00388-x.

    Not snnTorch's ``SpikeTime``: it takes a neuron that stays silent for one that fires in the
    last step, and passes a constant gradient to the first spike alone (for silent neurons to the
    last step), with a Python loop over batch and classes.

    Args:
        temperature: in steps, above 0: being earlier by this much makes a class ``e`` times more
            likely.
        lower_rate, lower_strength, upper_rate, upper_strength: see :class:`Objective`.
    """

    readout: ClassVar[Literal["membrane", "spikes"]] = "spikes"

    def __init__(
        self,
        temperature: float = 1.0,
        lower_rate: float = 0.0,
        lower_strength: float = 0.0,
        upper_rate: float = 1.0,
        upper_strength: float = 0.0,
    ) -> None:
        super().__init__(lower_rate, lower_strength, upper_rate, upper_strength)
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(
                f"temperature: {temperature} is not allowed; allowed: a number above 0"
            )
        self.temperature = temperature

    def first_spike(self, spk_TBC: Tensor, steps: ValidSteps) -> Tensor:
        """Steps before the first spike, ``[B, C]``; the sample's length where there is none."""
        # The padding is filled before the product, too: nothing in it may reach the gradient.
        return steps.sum((1 - steps.fill(spk_TBC, 0)).cumprod(0))

    def logits(self, y_TBC: Tensor, steps: ValidSteps) -> Tensor:
        return -self.first_spike(y_TBC, steps) / self.temperature
