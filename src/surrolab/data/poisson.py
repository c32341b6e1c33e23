"""Random spikes with random labels, to be learned by heart."""

import os

import numpy as np
import torch

from surrolab.data.checks import whole_number
from surrolab.data.samples import Samples, Splits
from surrolab.data.spike_trains import SpikeTrains, spike_probability, spikes


class Poisson(SpikeTrains):
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
        super().__init__(
            *(batch_size, root, split_seed, samples, units),
            steps=whole_number("steps", steps, 1),
            time_step=time_step,
            data_seed=data_seed,
        )
        self.probability = spike_probability("rate", rate, self.time_step)

    def load(self) -> Splits:
        """Return the same spikes, uint8 ``[n, T, N]``, for every stage."""
        rng = np.random.default_rng(self.data_seed)
        y = torch.from_numpy(rng.integers(self.classes, size=self.count))
        shape = (self.count, self.steps, self.units)
        x = spikes(rng, np.broadcast_to(np.float32(self.probability), shape))
        samples = Samples(x, y, self.lengths)
        return Splits(samples, samples, samples)
