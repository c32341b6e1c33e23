"""Cross entropy on a readout membrane, reduced over time."""

from typing import ClassVar, Literal

from torch import Tensor

from surrolab.objectives.classification import Classification
from surrolab.objectives.steps import ValidSteps


class _Membrane(Classification):
    readout: ClassVar[Literal["membrane", "spikes"]] = "membrane"


class CEMax(_Membrane):
    """On the maximum over time: Zenke & Vogels 2021, doi:10.1162/neco_a_01367.

    Where several steps share the maximum, the first of them gets the gradient.
    """

    def logits(self, y_TBC: Tensor, steps: ValidSteps) -> Tensor:
        return steps.max(y_TBC)


class CEMean(_Membrane):
    """On the mean over time: "standard direct training" in Deng et al. 2022, arXiv:2202.11946."""

    def logits(self, y_TBC: Tensor, steps: ValidSteps) -> Tensor:
        return steps.mean(y_TBC)


class CELast(_Membrane):
    """On the last valid step, when the sample has been seen in full.

    "Last time-step loss", Cramer et al. 2022, doi:10.1109/TNNLS.2020.3044364.
    """

    def logits(self, y_TBC: Tensor, steps: ValidSteps) -> Tensor:
        return steps.last(y_TBC)
