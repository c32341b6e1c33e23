"""Samples in memory, and batches of them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset

from surrolab.data.batch import Batch
from surrolab.synapses import OneHot

Stage = Literal["train", "val", "test"]


class SampleTable(ABC):
    """What splits, loaders and descriptions ask of samples, however these are kept.

    Attributes:
        y: int64 class labels, ``[n]``.
        lengths: int64, ``[n]``: valid steps of each sample (1 for static data).
        groups: int64, ``[n]``: what else a sample belongs to; None where there is nothing.
    """

    y: Tensor
    lengths: Tensor
    groups: Tensor | None

    def __len__(self) -> int:
        return len(self.y)

    @abstractmethod
    def take(self, index: Tensor) -> Self:
        """Return the samples at ``index`` (int64, ``[m]``), in that order."""

    @property
    @abstractmethod
    def sample_shape(self) -> tuple[int, ...]:
        """Of one sample, time included where there is one."""

    @abstractmethod
    def batch(self, rows: Tensor, sequence: bool) -> Batch:
        """Return the samples at ``rows`` (int64, ``[B]``) as a batch.

        Args:
            rows: which samples.
            sequence: whether samples have a time axis, which goes first in a batch.
        """


@dataclass(frozen=True, eq=False)
class Samples(SampleTable):
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
        targets: what is asked for in each step, in the place of ``y`` in the batch: int64 classes
            ``[n, T]``, `surrolab.targets.UNASKED` where nothing is asked, or float32 values
            ``[n, T, C]``. None where a sample has its class and no more.

    Raises:
        ValueError: these differ in their number of samples, or y, lengths or groups are not int64
            vectors, or the targets are not of the steps of x.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor
    groups: Tensor | None = None
    width: int | None = None
    divisor: float = 1.0
    targets: Tensor | None = None

    def __post_init__(self) -> None:
        for name, value in (("y", self.y), ("lengths", self.lengths), ("groups", self.groups)):
            if value is None:
                continue
            if value.dtype != torch.int64 or value.shape != self.x.shape[:1]:
                raise ValueError(
                    f"{name}: {value.dtype} {list(value.shape)} is not allowed; "
                    f"allowed: torch.int64 {list(self.x.shape[:1])}, one number a sample"
                )
        if self.targets is not None and self.targets.shape[:2] != self.x.shape[:2]:
            raise ValueError(
                f"targets: shape {list(self.targets.shape)} is not allowed; allowed: "
                f"{list(self.x.shape[:2])}, one for each step, or such with outputs behind"
            )

    def take(self, index: Tensor) -> Self:
        return replace(
            self,
            x=self.x[index],
            y=self.y[index],
            lengths=self.lengths[index],
            groups=None if self.groups is None else self.groups[index],
            targets=None if self.targets is None else self.targets[index],
        )

    @property
    def sample_shape(self) -> tuple[int, ...]:
        shape = tuple(self.x.shape[1:])
        return shape if self.width is None else (*shape, self.width)

    def batch(self, rows: Tensor, sequence: bool) -> Batch:
        # Half the time of indexing, for small batches.
        y, lengths = (part.index_select(0, rows) for part in (self.y, self.lengths))
        if self.targets is not None:
            y = self.targets[:, : int(lengths.max())].index_select(0, rows)
            y = y.transpose(0, 1).contiguous()
        x = self.x
        if sequence:
            # Steps that are padding in all samples of a batch have no influence on anything.
            x = x[:, : int(lengths.max())]
        x = x.index_select(0, rows)
        if sequence:
            # Made contiguous while the samples are still in their compact type.
            x = x.transpose(0, 1).contiguous()
        if self.width is not None:
            return Batch(OneHot(x.to(torch.int64), self.width), y, lengths)
        x = x.to(torch.float32)
        return Batch(x if self.divisor == 1 else x / self.divisor, y, lengths)

    @classmethod
    def static(cls, x: Tensor, y: Tensor) -> "Samples":
        """Return samples without a time axis: every length is 1."""
        return cls(x, y, torch.ones(len(x), dtype=torch.int64))


class Splits(NamedTuple):
    """Samples by stage. None marks a stage that the source leaves to be split off ``train``."""

    train: SampleTable
    val: SampleTable | None = None
    test: SampleTable | None = None


class SampleSet(Dataset[Batch]):
    """Samples that a tensor of indices turns into a `Batch` by one indexing step.

    Args:
        samples: the samples.
        sequence: whether samples have a time axis, which goes first in a batch.

    Attributes:
        slow: whether a batch takes so long that it is worth a thread of its own.
    """

    slow = False

    def __init__(self, samples: SampleTable, sequence: bool) -> None:
        self.samples = samples
        self.sequence = sequence

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Tensor | int) -> Batch:
        """Return the samples at ``index``; a single number gives a batch of one."""
        return self.samples.batch(torch.as_tensor(index).reshape(-1), self.sequence)
