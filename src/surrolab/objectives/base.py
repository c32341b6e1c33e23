"""What every objective has in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from surrolab.objectives.steps import ValidSteps


class ObjectiveOutput(NamedTuple):
    """``loss`` to be minimised (a scalar), and the ``prediction``, without gradient."""

    loss: Tensor
    prediction: Tensor


class Objective(nn.Module, ABC):
    """Reduces the readout over time to a loss and a prediction, and keeps activity in bounds.

    Half precision is widened to float32. Of equal scores the class with the lowest index is
    predicted; a network that is silent therefore predicts class 0.

    Activity regularisation, after Zenke & Vogels 2021, doi:10.1162/neco_a_01367: with ``r_n`` the
    spikes per step of hidden neuron n, averaged over the batch and its valid steps, each layer
    adds ``lower_strength * mean_n relu(lower_rate - r_n)^2
    + upper_strength * mean_n relu(r_n - upper_rate)^2``. Both bounds are on the rate of each
    neuron, and the mean over neurons keeps the strengths comparable between layer sizes.

    Args:
        lower_rate: below this rate, in spikes per neuron and step, neurons are pushed up.
        lower_strength: how strongly; 0 switches it off at no cost.
        upper_rate: above this rate neurons are pushed down.
        upper_strength: how strongly; 0 switches it off at no cost.

    Raises:
        ValueError: a parameter is out of range.
    """

    readout: ClassVar[Literal["membrane", "spikes"]]
    """What the readout has to deliver."""
    task: ClassVar[Literal["classification", "regression"]]
    """Whether targets are classes or values."""

    def __init__(
        self,
        lower_rate: float = 0.0,
        lower_strength: float = 0.0,
        upper_rate: float = 1.0,
        upper_strength: float = 0.0,
    ) -> None:
        super().__init__()
        self.lower_rate = fraction("lower_rate", lower_rate)
        self.lower_strength = _strength("lower_strength", lower_strength)
        self.upper_rate = fraction("upper_rate", upper_rate)
        self.upper_strength = _strength("upper_strength", upper_strength)
        if lower_rate > upper_rate:
            raise ValueError(
                f"lower_rate: {lower_rate} is not allowed; allowed: at most upper_rate, "
                f"{upper_rate}"
            )

    def forward(
        self,
        y_TBC: Tensor,
        target: Tensor,
        lengths_B: Tensor,
        hidden: Mapping[str, Tensor],
        counts: Mapping[str, Tensor] | None = None,
    ) -> ObjectiveOutput:
        """Loss and prediction of a batch.

        Args:
            y_TBC: membrane potential or spikes of the readout, see ``readout``.
            target: classes ``[B]``, unless the class says otherwise.
            lengths_B: valid steps of each sample, at least 1; later ones have no influence.
            hidden: spikes of the hidden layers by name, each ``[T, B, ...]``.
            counts: of hidden layers whose spikes are not kept, how often each neuron fired in the
                valid steps of the batch, ``[...]``.

        Raises:
            ValueError: the target's shape does not fit.
        """
        steps = ValidSteps(len(y_TBC), lengths_B)
        loss, prediction = self.reduce(_wide(y_TBC), target, steps)
        if self.lower_strength or self.upper_strength:
            for spk_TBN in hidden.values():
                loss = loss + self.regularisation(steps.mean_rate(_wide(spk_TBN)))
            for count_N in (counts or {}).values():
                loss = loss + self.regularisation(count_N / lengths_B.sum())
        return ObjectiveOutput(loss, prediction.detach())

    @abstractmethod
    def reduce(self, y_TBC: Tensor, target: Tensor, steps: ValidSteps) -> ObjectiveOutput:
        """Loss of the task alone, and prediction."""

    def regularisation(self, rate_N: Tensor) -> Tensor:
        """What a layer with these rates, in spikes per step, adds to the loss."""
        penalty = rate_N.new_zeros(())
        if self.lower_strength:
            missing_N = torch.relu(self.lower_rate - rate_N)
            penalty = penalty + self.lower_strength * missing_N.square().mean()
        if self.upper_strength:
            excess_N = torch.relu(rate_N - self.upper_rate)
            penalty = penalty + self.upper_strength * excess_N.square().mean()
        return penalty

    def extra_repr(self) -> str:
        return ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name != "training" and not name.startswith("_")
        )


def fraction(name: str, value: float) -> float:
    """The value, if it is from 0 to 1; a one-line ValueError otherwise."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: {value} is not allowed; allowed: a number from 0 to 1")
    return value


def _strength(name: str, value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name}: {value} is not allowed; allowed: a number from 0")
    return value


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
