"""Spikes at random times, alone or after a command: what the generated tasks are made of."""

import os

import numpy as np
import torch
from numpy.typing import NDArray

from surrolab.data.checks import number_from, positive_number, whole_number
from surrolab.data.module import DataModule
from surrolab.data.samples import Samples, Splits


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


class Poisson(DataModule):
    """Random spike trains with random labels of two classes, to be learned by heart.

    Every unit spikes in each step with the same probability, and there is nothing in a sample that
    tells its class. The samples of all three stages are the same ones: an accuracy says how many
    were learned, and nothing of other samples.

    Source: tutorial 1 of spytorch (F. Zenke), for Neftci, Mostafa and Zenke 2019,
    doi:10.1109/MSP.2019.2931595; the defaults are its setting.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: not used, as nothing is split.
        samples: how many there are.
        units: input units N.
        steps: time steps T.
        time_step: length of a step in ms.
        rate: spikes per unit and second.
        data_seed: draws spikes and labels.

    Raises:
        ValueError: a parameter is out of range.
    """

    licence = "generated; MIT"
    classes = 2
    steps: int

    def __init__(
        self,
        batch_size: int = 256,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        samples: int = 256,
        units: int = 100,
        steps: int = 200,
        time_step: float = 1.0,
        rate: float = 5.0,
        data_seed: int = 0,
    ) -> None:
        super().__init__(batch_size, root, split_seed)
        self.count = whole_number("samples", samples, 1)
        self.units = whole_number("units", units, 1)
        self.steps = whole_number("steps", steps, 1)
        self.time_step = positive_number("time_step", time_step, 1e6)
        self.probability = spike_probability("rate", rate, self.time_step)
        self.data_seed = whole_number("data_seed", data_seed, 0)
        self.sample_shape = (self.units,)

    @property
    def step_ms(self) -> float:
        return self.time_step

    def load(self) -> Splits:
        """Return the same spikes, uint8 ``[n, T, N]``, for every stage."""
        rng = np.random.default_rng(self.data_seed)
        y = torch.from_numpy(rng.integers(self.classes, size=self.count))
        shape = (self.count, self.steps, self.units)
        x = spikes(rng, np.broadcast_to(np.float32(self.probability), shape))
        lengths = torch.full((self.count,), self.steps, dtype=torch.int64)
        samples = Samples(x, y, lengths)
        return Splits(samples, samples, samples)
