"""Objectives on the spike counts of a spiking readout."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from surrolab.objectives.base import Objective, ObjectiveOutput, fraction
from surrolab.objectives.classification import Classification
from surrolab.objectives.steps import ValidSteps


class CERate(Classification):
    """Cross entropy on spike counts: the class that spikes most often wins.

    snnTorch calls this ``ce_count_loss``; its ``ce_rate_loss`` is a cross entropy in every step.
    Eshraghian et al. 2023, doi:10.1109/JPROC.2023.3308088.
    """

    readout: ClassVar[Literal["membrane", "spikes"]] = "spikes"

    def logits(self, y_TBC: Tensor, steps: ValidSteps) -> Tensor:
        return steps.sum(y_TBC)


class MSECount(Objective):
    """Mean squared error between spike counts, divided by the sample's length, and target rates.

    The mean is over classes and batch. Adopted from SLAYER, Shrestha & Orchard 2018,
    arXiv:1810.08646. snnTorch's ``mse_count_loss`` is this times the number of steps, with target
    counts cut off to whole numbers.

    Args:
        on_rate: target of the right class's neuron, in spikes per step, above ``off_rate``.
        off_rate: target of the other neurons.
        lower_rate, lower_strength, upper_rate, upper_strength: see :class:`Objective`.
    """

    readout: ClassVar[Literal["membrane", "spikes"]] = "spikes"
    task: ClassVar[Literal["classification", "regression"]] = "classification"

    def __init__(
        self,
        on_rate: float = 0.8,
        off_rate: float = 0.05,
        lower_rate: float = 0.0,
        lower_strength: float = 0.0,
        upper_rate: float = 1.0,
        upper_strength: float = 0.0,
    ) -> None:
        super().__init__(lower_rate, lower_strength, upper_rate, upper_strength)
        self.on_rate = fraction("on_rate", on_rate)
        self.off_rate = fraction("off_rate", off_rate)
        if on_rate <= off_rate:
            raise ValueError(
                f"on_rate: {on_rate} is not allowed; allowed: a number above off_rate, {off_rate}"
            )

    def reduce(self, y_TBC: Tensor, target: Tensor, steps: ValidSteps) -> ObjectiveOutput:
        rate_BC = steps.mean(y_TBC)
        on_BC = F.one_hot(target, rate_BC.shape[-1]).to(rate_BC.dtype)
        wanted_BC = self.off_rate + (self.on_rate - self.off_rate) * on_BC
        return ObjectiveOutput(F.mse_loss(rate_BC, wanted_BC), rate_BC.argmax(-1))
