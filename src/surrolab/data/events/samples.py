"""Samples that are events: nothing but the bins that are not empty is kept."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrolab.data.batch import Batch
from surrolab.data.events.arrays import EventArrays
from surrolab.data.events.binning import LARGEST
from surrolab.data.samples import SampleTable
from surrolab.errors import RunError


class Entries(NamedTuple):
    """The bins of a batch that are not empty, sample by sample.

    Attributes:
        sample: int32 place in the batch, ascending, ``[K]``.
        step: int32 time step, ``[K]``.
        place: int32 flat index into the shape of a step, ``[K]``.
        counts: uint8 events, ``[K]``; None for one each.
        samples: number of samples B.
    """

    sample: NDArray[np.int32]
    step: NDArray[np.int32]
    place: NDArray[np.int32]
    counts: NDArray[np.uint8] | None
    samples: int


@dataclass(frozen=True, eq=False)
class EventSamples(SampleTable):
    """Some of the recordings of arrays that are shared and never copied.

    Args:
        arrays: all recordings.
        rows: int64, which of them these are, ``[n]``.
        binary: whether a bin holds 1 where there is an event, instead of their number.
        y, lengths, groups: of these recordings, as `SampleTable` has them.
    """

    arrays: EventArrays
    rows: NDArray[np.int64]
    binary: bool
    y: Tensor
    lengths: Tensor
    groups: Tensor | None = None

    @classmethod
    def of(cls, arrays: EventArrays, rows: NDArray[np.int64], binary: bool) -> "EventSamples":
        """Return the recordings at ``rows``; they have groups where each of them has one."""
        groups = arrays.groups[rows]
        return cls(
            arrays,
            rows,
            binary,
            torch.from_numpy(arrays.labels[rows]),
            torch.from_numpy(arrays.lengths[rows]),
            torch.from_numpy(groups) if (groups >= 0).all() else None,
        )

    def take(self, index: Tensor) -> Self:
        return replace(
            self,
            rows=self.rows[index.numpy()],
            y=self.y[index],
            lengths=self.lengths[index],
            groups=None if self.groups is None else self.groups[index],
        )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.arrays.steps, *self.arrays.shape)

    def batch(self, rows: Tensor, sequence: bool = True) -> Batch:
        """Return the samples at ``rows``: events scattered into float32 ``[T, B, *shape]``.

        T is the length of the longest of them.
        """
        lengths = self.lengths.index_select(0, rows)
        arrays, T, F = self.arrays, int(lengths.max()), self.arrays.size
        # Bytes first: a quarter of the memory is written at random, and the counts are no more.
        x_BTF = np.zeros((len(rows), T * F), dtype=np.uint8)
        with _damage(arrays):
            for x_TF, (begin, end) in zip(x_BTF, self._bounds(rows), strict=True):
                # Twice as fast as with an index of 32 bits.
                where = arrays.where[begin:end].astype(np.intp)
                x_TF[where] = 1 if self.binary else arrays.counts[begin:end]
        x_TBF = torch.empty(T, len(rows), F)
        x_TBF.numpy()[...] = x_BTF.reshape(len(rows), T, F).transpose(1, 0, 2)
        x = x_TBF.view(T, len(rows), *arrays.shape)
        return Batch(x, self.y.index_select(0, rows), lengths)

    def entries(self, rows: Tensor) -> Entries:
        """Return where the events of the samples at ``rows`` are."""
        arrays, bounds = self.arrays, self._bounds(rows)
        where = [arrays.where[begin:end] for begin, end in bounds]
        counts = [arrays.counts[begin:end] for begin, end in bounds]
        step, place = np.divmod(np.concatenate(where), np.int32(arrays.size))
        samples = np.arange(len(rows), dtype=np.int32)
        sample = np.repeat(samples, [len(part) for part in where])
        return Entries(sample, step, place, np.concatenate(counts), len(rows))

    def batch_of(self, entries: Entries, rows: Tensor) -> Batch:
        """Return a batch of the samples at ``rows`` with these events in place of their own.

        A length is that of the events that are there: up to and including the last one's step.
        """
        arrays, B, F = self.arrays, entries.samples, self.arrays.size
        # Entries come sample by sample; of one without any the length is 1.
        begins = np.searchsorted(entries.sample, np.arange(B))
        some = np.diff(begins, append=len(entries.sample)) > 0
        lengths = np.ones(B, dtype=np.int64)
        if some.any():
            lengths[some] = np.maximum.reduceat(entries.step, begins[some]) + 1
        T = int(lengths.max())
        step = entries.step if T * B * F < LARGEST else entries.step.astype(np.int64)
        index = torch.from_numpy((step * B + entries.sample) * F + entries.place)
        x = torch.zeros(T * B * F)
        with _damage(arrays):
            if self.binary:
                x[index] = 1.0
            elif entries.counts is None:
                x.index_add_(0, index, torch.ones(1).expand(len(index)))
            else:
                x.index_add_(0, index, torch.from_numpy(entries.counts).to(torch.float32))
        x = x.view(T, B, *arrays.shape)
        return Batch(x, self.y.index_select(0, rows), torch.from_numpy(lengths))

    def _bounds(self, rows: Tensor) -> list[tuple[int, int]]:
        at = self.rows[rows.numpy()]
        offsets = self.arrays.offsets
        return list(zip(offsets[at].tolist(), offsets[at + 1].tolist(), strict=True))


class _damage:  # noqa: N801  (reads like a word)
    """Turns an index that is out of range into an error that says which files are damaged."""

    def __init__(self, arrays: EventArrays) -> None:
        self._place = arrays.place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        if kind is not None and issubclass(kind, IndexError):
            raise RunError(
                f"the binned events in {self._place} are damaged; remove them, "
                "`surrolab data --clear-cache` does"
            ) from None
