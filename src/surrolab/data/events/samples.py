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
    """The events of a batch, one by one and sample by sample.

    Attributes:
        sample: int32 place in the batch, ascending, ``[E]``.
        step: int32 time step, ``[E]``.
        place: int32 flat index into the shape of a step, ``[E]``.
        kept: which of them count, ``[E]``; None for all.
        samples: number of samples B.
    """

    sample: NDArray[np.int32]
    step: NDArray[np.int32]
    place: NDArray[np.int32]
    kept: NDArray[np.bool_] | None
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
        flat, each = np.concatenate(where), np.concatenate(counts)
        if each.max(initial=0) > 1:
            flat = np.repeat(flat, each)
        step, place = np.divmod(flat, np.int32(arrays.size))
        sizes = [int(part.sum(dtype=np.int64)) for part in counts]
        sample = np.repeat(np.arange(len(rows), dtype=np.int32), sizes)
        return Entries(sample, step, place, None, len(rows))

    def batch_of(self, entries: Entries, rows: Tensor) -> Batch:
        """Return a batch of the samples at ``rows`` with these events in place of their own.

        A length is that of the events that are there: up to and including the last one's step.
        """
        arrays, B, F = self.arrays, entries.samples, self.arrays.size
        sample, step, place, kept, _ = entries
        if kept is not None:
            step = np.where(kept, step, np.int32(0))  # of no account for the length
        begins = np.searchsorted(sample, np.arange(B))
        some = np.diff(begins, append=len(sample)) > 0
        lengths = np.ones(B, dtype=np.int64)
        if some.any():
            lengths[some] = np.maximum.reduceat(step, begins[some]) + 1
        T = int(lengths.max())
        with _damage(arrays):
            if arrays.steps < T:
                raise IndexError
        wide = step if T * B * F < LARGEST - 1 else step.astype(np.int64)
        flat = (wide * B + sample) * F + place
        if kept is not None:
            # What does not count goes to a place behind all others: cheaper than to pick the rest.
            flat = np.where(kept, flat, flat.dtype.type(T * B * F))
        index = torch.from_numpy(flat)
        x = torch.zeros(T * B * F + 1)
        with _damage(arrays):
            if self.binary:
                x[index] = 1.0
            else:
                x.index_add_(0, index, torch.ones(1).expand(len(index)))
        x = x[:-1]
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
