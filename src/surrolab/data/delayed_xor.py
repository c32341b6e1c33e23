"""Two cues with a silence between them: did they differ?"""

import os

import numpy as np
import torch

from surrolab.data.checks import whole_number
from surrolab.data.samples import Samples
from surrolab.data.spike_trains import SpikeTrains, spike_probability, spikes


class DelayedXor(SpikeTrains):
    """Exclusive or of two cues, of which the second comes when the first is long over.

    A cue is all units firing at a low or a high rate. The class is 1 where one cue was low and the
    other high; neither cue alone tells it. A sample ends with its second cue, so that an objective
    on the last step (``ce_last``) asks for the answer there.

    Source: the "delayed spiking XOR problem" of Zheng et al. 2024, doi:10.1038/s41467-023-44614-z;
    the defaults are those of its published code but for the delay, which is 180 steps there.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: seed of the split.
        samples: how many there are, a quarter for each pair of cues.
        units: input units N.
        cue_steps: steps that a cue takes.
        delay_steps: steps between the cues.
        time_step: length of a step in ms.
        low_rate: of a low cue, spikes per unit and second.
        high_rate: of a high one.
        background_rate: of each unit all the time, beside the cues.
        data_seed: draws spikes.
        val_fraction, test_fraction: as in `DataModule`.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        batch_size: int = 100,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        samples: int = 4000,
        units: int = 20,
        cue_steps: int = 10,
        delay_steps: int = 100,
        time_step: float = 1.0,
        low_rate: float = 200.0,
        high_rate: float = 600.0,
        background_rate: float = 10.0,
        data_seed: int = 0,
        val_fraction: float = 0.1,
        test_fraction: float = 0.25,
    ) -> None:
        self.cue_steps = whole_number("cue_steps", cue_steps, 1)
        self.delay_steps = whole_number("delay_steps", delay_steps, 0)
        super().__init__(
            *(batch_size, root, split_seed, samples, units),
            steps=2 * self.cue_steps + self.delay_steps,
            time_step=time_step,
            data_seed=data_seed,
            least=(4, 1),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
        )
        self.probabilities = np.array(
            [
                spike_probability(name, rate, self.time_step)
                for name, rate in (("low_rate", low_rate), ("high_rate", high_rate))
            ],
            dtype=np.float32,
        )
        self.background = spike_probability("background_rate", background_rate, self.time_step)

    @property
    def class_names(self) -> list[str]:
        return ["alike", "different"]

    def load(self) -> Samples:
        """Return the spikes as uint8 ``[n, T, N]``."""
        rng = np.random.default_rng(self.data_seed)
        pair = rng.permutation(np.arange(self.count) % 4)
        first, second = pair // 2, pair % 2
        silent = np.float32(self.background)
        x = spikes(rng, np.broadcast_to(silent, (self.count, self.steps, self.units)))
        shape = (self.count, self.cue_steps, self.units)
        for cue, at in ((first, 0), (second, self.steps - self.cue_steps)):
            probability = np.broadcast_to(self.probabilities[cue][:, None, None], shape)
            x[:, at : at + self.cue_steps] |= spikes(rng, probability)
        return Samples(
            x,
            torch.from_numpy(first ^ second),
            self.lengths,
        )
