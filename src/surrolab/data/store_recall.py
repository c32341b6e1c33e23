"""Store a bit when told to, and say it when asked."""

import os
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from surrolab.data.checks import whole_number
from surrolab.data.samples import Samples
from surrolab.data.spike_trains import SpikeTrains, spike_probability, spikes
from surrolab.targets import UNASKED

NOTHING, STORE, RECALL = range(3)


def draw_commands(
    rng: np.random.Generator, count: int, symbols: int, expected_delay: int
) -> NDArray[np.int64]:
    """Draw sequences in which STORE and RECALL take turns, beginning and ending with a pair.

    After a STORE each symbol is a RECALL with probability ``1 / (1 + expected_delay)``, and after a
    RECALL (and at first) a STORE with the same one. Kept are sequences that hold at least one pair,
    end without an open STORE, and have a symbol between each STORE and its RECALL.

    Returns:
        ``[count, symbols]`` of NOTHING, STORE and RECALL.
    """
    kept: list[NDArray[np.int64]] = []
    while sum(map(len, kept)) < count:
        commands = np.zeros((4 * count, symbols), dtype=np.int64)
        is_open = np.zeros(len(commands), dtype=bool)
        for at in range(symbols):
            told = rng.random(len(commands)) < 1 / (1 + expected_delay)
            commands[told, at] = np.where(is_open[told], RECALL, STORE)
            is_open ^= told
        at_once = (commands[:, :-1] == STORE) & (commands[:, 1:] == RECALL)
        good = ~is_open & (commands == RECALL).any(1) & ~at_once.any(1)
        kept.append(commands[good])
    return np.concatenate(kept)[:count]


class StoreRecall(SpikeTrains):
    """A stream of bits of which one is to be stored, and said later, when it is asked for.

    A sample is a sequence of ``symbols``, each ``symbol_steps`` long, in which four equal groups of
    units fire or are silent: one for bit 0, one for bit 1, one that says store, one that says
    recall. A bit is shown with every symbol but a recall. The answer is asked for in the last step
    of each recall (objective ``ce_step``): the bit that was shown with the last store. ``y`` is
    that of the last recall.

    Source: Bellec et al. 2018, arXiv:1803.09574; the defaults are those of its published code,
    where the readout's mean over each recall decides.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: seed of the split.
        samples: how many there are.
        units: input units N, a multiple of 4.
        symbols: in a sample, from 3.
        symbol_steps: steps that a symbol takes.
        expected_delay: of a recall after its store, in symbols; see `draw_commands`.
        time_step: length of a step in ms.
        rate: of a group that fires, spikes per unit and second.
        data_seed: draws symbols and spikes.
        val_fraction, test_fraction: as in `DataModule`.

    Raises:
        ValueError: a parameter is out of range.
    """

    target: ClassVar[Literal["class_per_step"]] = "class_per_step"

    def __init__(
        self,
        batch_size: int = 128,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        samples: int = 2048,
        units: int = 100,
        symbols: int = 12,
        symbol_steps: int = 200,
        expected_delay: int = 6,
        time_step: float = 1.0,
        rate: float = 50.0,
        data_seed: int = 0,
        val_fraction: float = 0.125,
        test_fraction: float = 0.25,
    ) -> None:
        self.symbols = whole_number("symbols", symbols, 3)
        self.symbol_steps = whole_number("symbol_steps", symbol_steps, 1)
        super().__init__(
            *(batch_size, root, split_seed, samples, units),
            steps=self.symbols * self.symbol_steps,
            time_step=time_step,
            data_seed=data_seed,
            least=(1, 4),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
        )
        if self.units % 4:
            raise ValueError(f"units: {units} is not allowed; allowed: a multiple of 4")
        self.expected_delay = whole_number("expected_delay", expected_delay, 1)
        self.probability = spike_probability("rate", rate, self.time_step)

    def load(self) -> Samples:
        """Return spikes as uint8 ``[n, T, N]`` and targets ``[n, T]``."""
        rng = np.random.default_rng(self.data_seed)
        commands = draw_commands(rng, self.count, self.symbols, self.expected_delay)
        bits = rng.integers(2, size=commands.shape)
        shown = commands != RECALL
        # [n, symbols, 4]: which groups fire
        groups = np.stack(
            [shown & (bits == 0), shown & (bits == 1), commands == STORE, commands == RECALL], -1
        )
        x = torch.empty(self.count, self.steps, self.units, dtype=torch.uint8)
        for sample, fires in enumerate(groups):
            by_unit = fires.repeat(self.units // 4, axis=1).repeat(self.symbol_steps, axis=0)
            x[sample] = spikes(rng, by_unit * np.float32(self.probability))
        asked = stored_bits(commands, bits)
        targets = np.full((self.count, self.steps), UNASKED)
        targets[:, self.symbol_steps - 1 :: self.symbol_steps] = asked
        last = self.symbols - 1 - (commands == RECALL)[:, ::-1].argmax(1)
        return Samples(
            x,
            torch.from_numpy(asked[np.arange(self.count), last]),
            self.lengths,
            targets=torch.from_numpy(targets),
        )


def stored_bits(commands: NDArray[np.int64], bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """At each RECALL the bit of the last STORE before it, elsewhere UNASKED; ``[n, symbols]``."""
    stored = np.full(len(commands), UNASKED)
    asked = np.full(commands.shape, UNASKED)
    for at in range(commands.shape[1]):
        stored = np.where(commands[:, at] == STORE, bits[:, at], stored)
        asked[:, at] = np.where(commands[:, at] == RECALL, stored, UNASKED)
    return asked
