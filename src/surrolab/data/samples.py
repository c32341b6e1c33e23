"""Samples in memory, and the stratified split of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from surrolab.data.batch import Batch


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples with the sample axis first.

    Attributes:
        x: ``[n, *sample_shape]`` for static data, ``[n, T, *sample_shape]`` for sequences. Any
            real dtype: a compact one (uint8 for spikes) becomes float32 only in the batch.
        y: int64 class labels, ``[n]``.
        lengths: int64, ``[n]``: valid steps of each sample (1 for static data).

    Raises:
        ValueError: the three differ in their number of samples, or y or lengths are not int64
            vectors.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor

    def __post_init__(self) -> None:
        for name, value in (("y", self.y), ("lengths", self.lengths)):
            if value.dtype != torch.int64 or value.shape != self.x.shape[:1]:
                raise ValueError(
                    f"{name}: {value.dtype} {list(value.shape)} is not allowed; "
                    f"allowed: torch.int64 {list(self.x.shape[:1])}, one number a sample"
                )

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Tensor) -> "Samples":
        """Return the samples at ``index`` (int64, ``[m]``), in that order."""
        return Samples(self.x[index], self.y[index], self.lengths[index])

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
        x, y, lengths = (
            part.index_select(0, rows)
            for part in (self.samples.x, self.samples.y, self.samples.lengths)
        )
        if self.sequence:
            # Made contiguous while the samples are still in their compact type.
            x = x.transpose(0, 1).contiguous()
        return Batch(x.to(torch.float32), y, lengths)


def split_off(samples: Samples, name: str, share: float, seed: int) -> tuple[Samples, Samples]:
    """Split a stratified part off.

    Args:
        samples: what to split, n samples.
        name: the parameter that ``share`` comes from, for the error.
        share: the part's share of ``samples``; the part has ``round(share * n)`` samples.
        seed: fixes the split, together with the labels.

    Returns:
        The rest and the part, each in the order of ``samples``.

    Raises:
        ValueError: the rest or the part would have fewer samples than there are classes.
    """
    # scikit-learn takes a second to import.
    from sklearn.model_selection import train_test_split

    part = round(share * len(samples))
    labels = samples.y.numpy()
    classes = len(np.unique(labels))
    if not classes <= part <= len(samples) - classes:
        raise ValueError(
            f"{name}: {part} of {len(samples)} samples is not allowed; allowed: a share that "
            f"leaves {classes} samples or more, one a class, on both sides"
        )
    rest_index, part_index = train_test_split(
        np.arange(len(samples)),
        test_size=part,
        stratify=labels,
        random_state=seed,
    )
    rest_index.sort()
    part_index.sort()
    return samples.take(torch.from_numpy(rest_index)), samples.take(torch.from_numpy(part_index))
