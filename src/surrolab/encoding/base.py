"""What every encoder has in common."""

import math

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """From samples to what the network is given in each time step.

    Args:
        steps: for how many time steps a static sample is presented; sequences bring their own.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        if not (isinstance(steps, int) and steps >= 1):
            raise ValueError(f"steps: {steps} is not allowed; allowed: a whole number from 1")
        self.steps = steps

    def forward(
        self, x: Tensor, lengths: Tensor, is_sequence: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Args:
            x: static samples ``[B, *shape]``, or sequences ``[T, B, *shape]``.
            lengths: ``[B]``, valid steps of each sequence; of a static batch only its shape counts.
            is_sequence: which of the two; the shapes do not tell.

        Returns:
            ``[T, B, *shape]`` in the dtype of ``x`` (``T`` is ``steps`` for static samples), and
            the valid steps of each sample, ``[B]``.

        Raises:
            ValueError: sequences, where the encoding is one of static samples.
        """
        if is_sequence:
            return self.sequence(x), lengths
        return self.static(x), torch.full_like(lengths, self.steps)

    def static(self, x_BF: Tensor) -> Tensor:
        """``x_TBF`` for static samples."""
        raise NotImplementedError

    def sequence(self, x_TBF: Tensor) -> Tensor:
        """``x_TBF`` for sequences."""
        raise ValueError(
            f"encoding: {type(self).__name__.lower()} needs static samples, and these are "
            "sequences; allowed: direct, delta"
        )

    def extra_repr(self) -> str:
        return ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name != "training" and not name.startswith("_")
        )


def positive(name: str, value: float) -> float:
    """The value, if it is finite and above 0; a one-line ValueError otherwise."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: {value} is not allowed; allowed: a number above 0")
    return value
