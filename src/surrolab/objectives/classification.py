"""Cross entropy on one score per class and sample."""

from abc import abstractmethod
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from surrolab.objectives.base import Objective, ObjectiveOutput
from surrolab.objectives.steps import ValidSteps


class Classification(Objective):
    """Cross entropy of :meth:`logits`, averaged over the batch; the largest is the prediction."""

    task: ClassVar[Literal["classification", "regression"]] = "classification"

    def reduce(self, y_TBC: Tensor, target: Tensor, steps: ValidSteps) -> ObjectiveOutput:
        logits_BC = self.logits(y_TBC, steps)
        return ObjectiveOutput(F.cross_entropy(logits_BC, target), logits_BC.argmax(-1))

    @abstractmethod
    def logits(self, y_TBC: Tensor, steps: ValidSteps) -> Tensor:
        """The readout reduced over time, ``[B, C]``."""
