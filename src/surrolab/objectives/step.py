"""Objectives that hold in every time step."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from surrolab.objectives.base import Objective, ObjectiveOutput
from surrolab.objectives.steps import ValidSteps
from surrolab.targets import UNASKED


class CEStep(Objective):
    """Cross entropy on the readout membrane in every step.

    The loss is averaged over each sample's own steps, then over the batch. The target is ``[B]``
    (the same class in all steps) or ``[T, B]``, the prediction ``[T, B]`` (0 in the padding). For
    ``[B]``: the loss of temporal efficient training, Deng et al. 2022, arXiv:2202.11946. Steps of
    ``[T, B]`` whose target is `UNASKED` are left out, and the mean is over the others.
    """

    readout: ClassVar[Literal["membrane", "spikes"]] = "membrane"
    task: ClassVar[Literal["classification", "regression"]] = "classification"

    def reduce(self, y_TBC: Tensor, target: Tensor, steps: ValidSteps) -> ObjectiveOutput:
        target_TB = steps.fill(_over_steps(target, y_TBC, y_TBC.ndim - 1), 0)
        y_TBC = steps.fill(y_TBC, 0)
        loss_TB = F.cross_entropy(
            y_TBC.movedim(-1, 1), target_TB, reduction="none", ignore_index=UNASKED
        )
        if target.ndim == 1:
            loss_B = steps.mean(loss_TB)
        else:
            asked_B = steps.sum((target_TB != UNASKED).to(loss_TB.dtype))
            loss_B = steps.sum(loss_TB) / asked_B.clamp(min=1)
        return ObjectiveOutput(loss_B.mean(), y_TBC.argmax(-1))


class MSEStep(Objective):
    """Mean squared error of the readout membrane in every step.

    The loss is averaged over classes (or outputs) and each sample's own steps, then over the
    batch. The target is ``[B, C]`` (the same values in all steps) or ``[T, B, C]``; the prediction
    is the membrane ``[T, B, C]`` (0 in the padding).
    """

    readout: ClassVar[Literal["membrane", "spikes"]] = "membrane"
    task: ClassVar[Literal["classification", "regression"]] = "regression"

    def reduce(self, y_TBC: Tensor, target: Tensor, steps: ValidSteps) -> ObjectiveOutput:
        target_TBC = steps.fill(_over_steps(target.to(y_TBC.dtype), y_TBC, y_TBC.ndim), 0)
        y_TBC = steps.fill(y_TBC, 0)
        error_TBC = F.mse_loss(y_TBC, target_TBC, reduction="none")
        return ObjectiveOutput(steps.mean(error_TBC).mean(), y_TBC)


def _over_steps(target: Tensor, y_TBC: Tensor, dims: int) -> Tensor:
    """The target for every step; torch would broadcast one of the wrong shape in silence."""
    wanted = y_TBC.shape[:dims]
    if target.shape not in (wanted, wanted[1:]):
        raise ValueError(
            f"target: shape {tuple(target.shape)} does not fit; allowed: {tuple(wanted)} or "
            f"{tuple(wanted[1:])}"
        )
    return target.expand(wanted)
