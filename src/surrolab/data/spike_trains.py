"""Random spike trains: what tasks that are generated are made of."""

import os

import numpy as np
import torch
from numpy.typing import NDArray

from surrolab.data.checks import number_from, positive_number, whole_number
from surrolab.data.module import DataModule


def spike_probability(name: str, rate: float, time_step: float) -> float:
    """Of a spike in a step of ``time_step`` ms, at ``rate`` spikes a second.

    Raises:
        ValueError: it is above 1, or the rate is below 0; the line begins with ``name``.
    """
    probability = number_from(name, rate, 0) * time_step / 1000
    if probability > 1:
        raise ValueError(
            f"{name}: {rate:g} is not allowed; allowed: at most {1000 / time_step:g}, one spike "
            f"in each step of time_step={time_step:g} ms"
        )
    return probability


def spikes(rng: np.random.Generator, probability: NDArray[np.floating]) -> torch.Tensor:
    """Draw a spike, or none, with each probability; uint8, the shape of ``probability``."""
    drawn = rng.random(probability.shape, dtype=np.float32) < probability
    return torch.from_numpy(drawn.view(np.uint8))


class SpikeTrains(DataModule):
    """Sequences of two classes, all of one length, in which units spike at random.

    Args:
        batch_size, root, split_seed: as in `DataModule`; root is not used.
        samples: how many there are.
        units: input units N.
        least: how many samples and units there have to be.
        steps: time steps T.
        time_step: length of a step in ms.
        data_seed: draws what is random.
        val_fraction, test_fraction: as in `DataModule`, where it splits.

    Raises:
        ValueError: a parameter is out of range.
    """

    licence = "generated; MIT"
    classes = 2
    steps: int

    def __init__(
        self,
        batch_size: int,
        root: str | os.PathLike[str] | None,
        split_seed: int,
        samples: int,
        units: int,
        *,
        steps: int,
        time_step: float,
        data_seed: int,
        least: tuple[int, int] = (1, 1),
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        super().__init__(
            batch_size, root, split_seed, val_fraction=val_fraction, test_fraction=test_fraction
        )
        self.count = whole_number("samples", samples, least[0])
        self.units = whole_number("units", units, least[1])
        self.steps = steps
        self.time_step = positive_number("time_step", time_step, 1e6)
        self.data_seed = whole_number("data_seed", data_seed, 0)
        self.sample_shape = (self.units,)

    @property
    def step_ms(self) -> float:
        return self.time_step

    @property
    def lengths(self) -> torch.Tensor:
        """Of all samples, ``[n]``."""
        return torch.full((self.count,), self.steps, dtype=torch.int64)
