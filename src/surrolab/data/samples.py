"""Samples in memory, and batches of them."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from surrolab.data.batch import Batch
from surrolab.synapses import OneHot

Stage = Literal["train", "val", "test"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples with the sample axis first.

    Attributes:
        x: ``[n, *sample_shape]`` for static data, ``[n, T, *sample_shape]`` for sequences. Any
            real dtype: a compact one (uint8 for spikes) becomes float32 only in the batch.
        y: int64 class labels, ``[n]``.
        lengths: int64, ``[n]``: valid steps of each sample (1 for static data).
        groups: int64, ``[n]``: what else a sample belongs to, such as a speaker; the samples of a
            group stay on one side of a split. None where there is nothing of the kind.
        width: where ``x`` holds whole numbers ``[n, T]`` that stand for one-hot vectors of this
            width, which they become in the batch; -1 is a vector of zeros. None elsewhere.
        divisor: what values are divided by when they become float32 in the batch.

    Raises:
        ValueError: these differ in their number of samples, or y, lengths or groups are not int64
            vectors.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor
    groups: Tensor | None = None
    width: int | None = None
    divisor: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("y", self.y), ("lengths", self.lengths), ("groups", self.groups)):
            if value is None:
                continue
            if value.dtype != torch.int64 or value.shape != self.x.shape[:1]:
                raise ValueError(
                    f"{name}: {value.dtype} {list(value.shape)} is not allowed; "
                    f"allowed: torch.int64 {list(self.x.shape[:1])}, one number a sample"
                )

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Tensor) -> "Samples":
        """Return the samples at ``index`` (int64, ``[m]``), in that order."""
        return replace(
            self,
            x=self.x[index],
            y=self.y[index],
            lengths=self.lengths[index],
            groups=None if self.groups is None else self.groups[index],
        )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one sample, time included where there is one."""
        shape = tuple(self.x.shape[1:])
        return shape if self.width is None else (*shape, self.width)

    @classmethod
    def static(cls, x: Tensor, y: Tensor) -> "Samples":
        """Return samples without a time axis: every length is 1."""
        return cls(x, y, torch.ones(len(x), dtype=torch.int64))


class Splits(NamedTuple):
    """Samples by stage. None marks a stage that the source leaves to be split off ``train``."""

    train: Samples
    val: Samples | None = None
    test: Samples | None = None


class SampleSet(Dataset[Batch]):
    """Samples that a tensor of indices turns into a `Batch` by one indexing step.

    Args:
        samples: the samples.
        sequence: whether axis 1 of ``samples.x`` is time, which goes first in a batch.
    """

    def __init__(self, samples: Samples, sequence: bool) -> None:
        self.samples = samples
        self.sequence = sequence

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Tensor | int) -> Batch:
        """Return the samples at ``index``; a single number gives a batch of one."""
        rows = torch.as_tensor(index).reshape(-1)
        # Half the time of indexing, for small batches.
        y, lengths = (part.index_select(0, rows) for part in (self.samples.y, self.samples.lengths))
        x = self.samples.x
        if self.sequence:
            # Steps that are padding in all samples of a batch have no influence on anything.
            x = x[:, : int(lengths.max())]
        x = x.index_select(0, rows)
        if self.sequence:
            # Made contiguous while the samples are still in their compact type.
            x = x.transpose(0, 1).contiguous()
        if self.samples.width is not None:
            return Batch(OneHot(x.to(torch.int64), self.samples.width), y, lengths)
        x = x.to(torch.float32)
        return Batch(x if self.samples.divisor == 1 else x / self.samples.divisor, y, lengths)
