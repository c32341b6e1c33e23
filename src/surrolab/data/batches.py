"""Batches of sample indices, in an order that depends on the seed and the epoch alone."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from surrolab.data.checks import whole_number


class IndexBatches(Sampler[Tensor]):
    """Yields int64 index tensors ``[B]``, for a `DataLoader` with ``batch_size=None``.

    The order of an epoch is a pure function of (seed, epoch): nothing carries over from earlier
    epochs, so that a resumed run goes on in the same order. Lightning calls `set_epoch`.

    With several processes, process ``rank`` takes every ``world_size``-th sample of that order.
    One step of all processes together is then the same stretch of the order as one step of a
    single process with a ``world_size`` times larger batch.

    In training each process gets equally many samples, in equally many batches of equal sizes;
    where ``count`` does not divide evenly, the order wraps to its beginning and up to
    ``world_size - 1`` samples are seen twice in the epoch. A trailing batch of one sample, which
    batch normalisation cannot take, joins the batch before it, unless ``batch_size`` is 1.

    In evaluation no sample is lost or doubled. The shares differ by one sample at most, and as
    long as every process has one they come in equally many batches (the last may be one larger),
    so that what the processes exchange in each pass, such as DDP's buffers, stays paired.

    No batch is dropped.

    Args:
        count: number of samples.
        batch_size: samples per batch and process.
        training: split among processes for training, else for evaluation.
        shuffle: draw the order from (seed, epoch), else keep 0, 1, 2, ...
        seed: the seed of the order.
        rank: number of this process, from 0.
        world_size: number of processes.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        training: bool = False,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.count = whole_number("count", count, 1)
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.training = training
        self.shuffle = shuffle
        self.seed = whole_number("seed", seed, 0)
        self.world_size = whole_number("world_size", world_size, 1)
        self.rank = whole_number("rank", rank, 0, world_size - 1)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration follows."""
        self.epoch = whole_number("epoch", epoch, 0)

    def __len__(self) -> int:
        """Return the number of batches of this process in one epoch."""
        if self.training:
            share = -(-self.count // self.world_size)
            lonely = self.batch_size > 1 and share > 1 and share % self.batch_size == 1
            return -(-share // self.batch_size) - lonely
        smallest = self.count // self.world_size
        if smallest == 0:
            return int(self.rank < self.count)
        return -(-smallest // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        # A generator: Lightning makes the iterator before it sets the epoch.
        share = torch.from_numpy(self._share())
        last = len(self) - 1
        for step in range(last + 1):
            start = step * self.batch_size
            yield share[start:] if step == last else share[start : start + self.batch_size]

    def _share(self) -> NDArray[np.int64]:
        order = np.arange(self.count, dtype=np.int64)
        if self.shuffle:
            stream = np.random.SeedSequence(entropy=self.seed, spawn_key=(self.epoch,))
            order = np.random.default_rng(stream).permutation(order)
        if self.training:
            order = np.resize(order, -(-self.count // self.world_size) * self.world_size)
        return order[self.rank :: self.world_size].copy()
