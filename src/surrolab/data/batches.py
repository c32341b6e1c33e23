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

    No sample is lost or doubled, and no batch dropped. The shares differ by one sample at most, and
    as long as every process has one they come in equally many batches (the last may be one larger),
    so that what the processes exchange, gradients and buffers, stays paired. In the last batch of
    training a mean over samples is then no mean of the processes' means: :meth:`weight` says what
    each counts.

    In training a trailing batch of one sample, which batch normalisation cannot take, joins the
    batch before it, unless ``batch_size`` is 1; and where there are more processes than samples the
    order wraps to its beginning, so that each has one.

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
        smallest = self.count // self.world_size
        if smallest == 0:
            return int(self.training or self.rank < self.count)
        size = self.batch_size
        lonely = self.training and size > 1 and smallest > 1 and smallest % size == 1
        return -(-smallest // size) - lonely

    def weight(self, step: int) -> float:
        """What this process's batch counts in the mean over all, 1 where they are of one size."""
        if self.world_size == 1 or self.count % self.world_size == 0 or step < len(self) - 1:
            return 1.0
        if self.count < self.world_size:
            return 1.0
        before = step * self.batch_size
        sizes = [self._share_size(rank) - before for rank in range(self.world_size)]
        return sizes[self.rank] * self.world_size / sum(sizes)

    def _share_size(self, rank: int) -> int:
        return len(range(rank, self.count, self.world_size))

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
        if self.training and self.count < self.world_size:
            order = np.resize(order, self.world_size)
        return order[self.rank :: self.world_size].copy()
