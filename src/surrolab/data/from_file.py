"""Data that are known only when their file has been read."""

import hashlib
import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrolab.data.formats.labels import SPLITS, class_names
from surrolab.data.module import DataModule
from surrolab.data.samples import Samples, SampleTable, Splits

OPTION = "data.path"


class Content(NamedTuple):
    """What a source holds: samples by official part, and the names of the classes."""

    splits: Splits
    names: list[str]


class FromFile(DataModule):
    """Data whose shape and classes are those of what is read, which is done at once.

    A subclass implements `read`. The rest is as with every `DataModule`.

    Args:
        batch_size, root, split_seed: as `DataModule` has them.
        options: further ones of `DataModule`.

    Raises:
        DataFileError: the file cannot be used; one line with the file, the row and the remedy.
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        batch_size: int,
        root: str | os.PathLike[str] | None,
        split_seed: int,
        **options: Any,
    ) -> None:
        super().__init__(batch_size, root, split_seed, **options)
        content, self._names = self.read()
        self._content: Splits | None = content
        self.classes = len(self._names)
        self._digest = _digest(content)
        train = content.train
        self.steps = train.sample_shape[0] if self.sequences else None
        self.sample_shape = train.sample_shape[self.sequences :]

    @property
    @abstractmethod
    def sequences(self) -> bool:
        """Whether samples have a time axis."""

    @abstractmethod
    def read(self) -> Content:
        """Read the data."""

    @property
    def class_names(self) -> list[str]:
        return list(self._names)

    def load(self) -> Splits:
        """Return the samples, which are not kept here as well: the parts split off are copies."""
        content, self._content = self._content, None
        return self.read().splits if content is None else content

    @property
    def content(self) -> str:
        return self._digest


def _digest(splits: Splits) -> str:
    digest = hashlib.sha256()
    for samples in splits:
        if isinstance(samples, Samples):
            digest.update(samples.x.contiguous().numpy().data)
            digest.update(samples.lengths.numpy().data)
    return digest.hexdigest()


def file_path(path: str | os.PathLike[str] | None) -> Path:
    """The path of an option that has to be given.

    Raises:
        ValueError: it is not.
    """
    if path is None or not os.fspath(path):
        raise ValueError("path: missing; allowed: the path of a file, as in data.path=FILE")
    return Path(path).expanduser()


def class_numbers(labels: Sequence[str], names: Sequence[str]) -> Tensor:
    """Labels as int64 indices into the names."""
    number = {name: at for at, name in enumerate(names)}
    return torch.tensor([number[label] for label in labels], dtype=torch.int64)


def by_part(samples: SampleTable, split: Sequence[str] | None, option: str = OPTION) -> Splits:
    """Samples by the stage that the file gives each of them.

    Raises:
        ValueError: it gives none for training.
    """
    if split is None:
        return Splits(samples)
    stages = np.asarray(split)
    found = {
        stage: samples.take(torch.from_numpy(np.flatnonzero(stages == stage)))
        for stage in SPLITS
        if bool((stages == stage).any())
    }
    if "train" not in found:
        raise ValueError(f"{option.partition('.')[2]}: its split has no sample for training")
    return Splits(**found)


def group_numbers(groups: Sequence[str] | None) -> Tensor | None:
    """Groups as int64 numbers, in the order of their names."""
    return None if groups is None else class_numbers(groups, class_names(groups))


def padded(series: Sequence[NDArray[Any]], steps: int | None = None) -> tuple[Tensor, Tensor]:
    """Sequences ``[T_i, *shape]`` in one tensor ``[n, T, *shape]``, zeros behind their ends.

    Args:
        series: the sequences, of one dtype and shape.
        steps: T; None for the longest.

    Returns:
        The tensor, and the lengths, int64 ``[n]``.
    """
    lengths = torch.tensor([len(one) for one in series], dtype=torch.int64)
    first = torch.from_numpy(series[0])
    total = steps or int(lengths.max())
    found = torch.zeros(len(series), total, *first.shape[1:], dtype=first.dtype)
    for at, one in enumerate(series):
        found[at, : len(one)] = torch.from_numpy(one)
    return found, lengths
