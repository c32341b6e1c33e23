"""A function of time that a readout has to follow."""

import os
from typing import ClassVar, Literal

import numpy as np
import torch

from surrolab.data.checks import one_of, whole_number
from surrolab.data.module import DataModule
from surrolab.data.samples import Samples, Splits

FUNCTIONS = ("linear", "sqrt")


class Trajectories(DataModule):
    """Ramps, and what a readout's membrane is to follow: the ramp itself or a root of it.

    The input rises in equal parts from 0 to an end that is drawn from U(0, 1). The target is the
    input, or ``sqrt(slope * input)`` with one slope from U(0, 1) for all samples. The samples of
    all three stages are the same ones: an error says how well these are followed.

    Source: regression tutorial 1 of snnTorch, for Henkes, Eshraghian and Wessels 2022,
    arXiv:2210.03515; the defaults are its setting.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: not used, as nothing is split.
        samples: how many there are.
        function: "linear" or "sqrt".
        steps: time steps T.
        data_seed: draws the ends and the slope.

    Raises:
        ValueError: a parameter is out of range.
    """

    licence = "generated; MIT"
    sample_shape = (1,)
    classes = 1
    steps: int
    target: ClassVar[Literal["value_per_step"]] = "value_per_step"

    def __init__(
        self,
        batch_size: int = 1,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        samples: int = 1,
        function: str = "sqrt",
        steps: int = 50,
        data_seed: int = 0,
    ) -> None:
        super().__init__(batch_size, root, split_seed)
        self.count = whole_number("samples", samples, 1)
        self.function = one_of("function", function, FUNCTIONS)
        self.steps = whole_number("steps", steps, 2)
        self.data_seed = whole_number("data_seed", data_seed, 0)

    def load(self) -> Splits:
        """Return the same ramps, float32 ``[n, T, 1]``, for every stage."""
        rng = np.random.default_rng(self.data_seed)
        ends, slope = rng.random(self.count), rng.random()
        ramps = ends[:, None, None] * np.linspace(0, 1, self.steps)[None, :, None]
        values = ramps if self.function == "linear" else np.sqrt(slope * ramps)
        samples = Samples(
            torch.from_numpy(ramps).to(torch.float32),
            torch.zeros(self.count, dtype=torch.int64),
            torch.full((self.count,), self.steps, dtype=torch.int64),
            targets=torch.from_numpy(values).to(torch.float32),
        )
        return Splits(samples, samples, samples)
