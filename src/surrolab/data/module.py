"""The interface of every data set."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from surrolab.data.batch import Batch
from surrolab.data.batches import IndexBatches
from surrolab.data.checks import folder, fraction, one_of, whole_number
from surrolab.data.normalization import NORMALIZATIONS, normalized
from surrolab.data.samples import SampleSet, SampleTable, Splits, Stage
from surrolab.data.splitting import fold_off, split_off


class Loader(DataLoader[Batch]):
    """Gives a sampler's indices to a data set that makes a batch of them, and does no more.

    What it yields is what the base class would, which takes longer than the indexing where batches
    are small, and draws a number from a random stream at each start. Batches that take longer are
    made while the one before is computed with.
    """

    dataset: SampleSet

    def __iter__(self) -> Any:
        batches = map(self.dataset.__getitem__, self.sampler)
        return one_ahead(batches) if self.dataset.slow else batches


def one_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each of which a thread makes while the one before is in use."""
    with ThreadPoolExecutor(1, "batches") as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


class DataModule(pl.LightningDataModule, ABC):
    """A data set in memory: a fixed split, stratified and by group, and fast loaders.

    A subclass sets ``sample_shape``, ``classes`` and ``steps`` (all known before anything is
    loaded, as the model is built from them) and implements `load`.

    The split depends on ``split_seed`` alone. ``seed`` drives the order of the training samples
    and nothing else. With several processes each sees its own share (`IndexBatches`), so that
    the Trainer must be built with ``use_distributed_sampler=False``.

    Args:
        batch_size: samples per batch and process.
        root: folder for files that a data set keeps; None is the user's cache folder.
        split_seed: seed of the split, 0 to 2**32 - 1.
        val_fraction: share of the samples used for validation, where the source gives no
            official validation samples.
        test_fraction: the same for test. Both are shares of the samples that the source does not
            assign to a stage itself.
        folds: cross-validation: the samples for training are cut in so many parts, of which one is
            for validation, whatever ``val_fraction`` says; None for none.
        fold: which of them, from 0.
        normalize: "none"; "standard", so that each channel has mean 0 and standard deviation 1 over
            the valid steps of the training samples; or "unit", so that they fill [0, 1].

    Attributes:
        sample_shape: shape of one sample at one step, without batch and time.
        classes: number of classes, or of values where the targets are such.
        steps: number of time steps T, or None for static data.
        seed: seed of the order of the training samples; set before the loaders are made.
        shuffle: whether to shuffle the training samples. False together with Trainer's
            ``limit_train_batches`` trains on the same few batches over and over
            (``overfit_batches`` would put another sampler in place of this one).
        target: what ``Batch.y`` is: "class" is a class index, "class_per_step" one for each step,
            "value_per_step" values for each step.
        class_names: what the classes are called, in the order of their index.
        licence: of the data, in words.
        about: what the data are, in a sentence, where the class's own description is no answer.
        channel_axis: axis of a sample, without time, along which ``normalize`` has a mean each.

    Raises:
        ValueError: a parameter is out of range, or ``root`` is no folder.
    """

    sample_shape: tuple[int, ...]
    classes: int
    steps: int | None
    target: ClassVar[Literal["class", "class_per_step", "value_per_step"]] = "class"
    licence: str = "of whoever made the file"
    about: str = ""
    channel_axis: ClassVar[int] = 0

    def __init__(
        self,
        batch_size: int = 128,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        normalize: str = "none",
    ) -> None:
        super().__init__()
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.root = folder("root", root)
        self.split_seed = whole_number("split_seed", split_seed, 0, 2**32 - 1)
        self.val_fraction = fraction("val_fraction", val_fraction)
        self.test_fraction = fraction("test_fraction", test_fraction)
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"val_fraction: {val_fraction} beside test_fraction {test_fraction} is not "
                "allowed; allowed: fractions that add up to less than 1"
            )
        self.folds = None if folds is None else whole_number("folds", folds, 2)
        self.fold = whole_number("fold", fold, 0, None if folds is None else folds - 1)
        self.normalize = one_of("normalize", normalize, NORMALIZATIONS)
        self.seed: int = 0
        self.shuffle: bool = True
        self._splits: dict[Stage, SampleTable] | None = None
        self._indices: dict[Stage, Tensor] = {}

    @abstractmethod
    def load(self) -> SampleTable | Splits:
        """Return all samples, or the official split of them.

        Stages that the official split leaves out are split off its ``train``.
        """

    @property
    def is_sequence(self) -> bool:
        """Whether a sample has a time axis, so that ``Batch.x`` is time-first."""
        return self.steps is not None

    @property
    def class_names(self) -> list[str]:
        """What the classes are called."""
        return [str(number) for number in range(self.classes)]

    @property
    def step_ms(self) -> float | None:
        """How much of the recorded time a step is, in ms; None where there is no such thing."""
        return None

    @property
    def content(self) -> str | None:
        """A digest of the files that the samples are of; None where they are not of files."""
        return None

    @property
    def split_indices(self) -> dict[str, Tensor]:
        """Which samples are in "train", "val" and "test": int64, ``[n]`` each.

        They count within the official part that a stage is or was split off, or within all samples
        where there is no official part.
        """
        self.setup()
        return {str(stage): index for stage, index in self._indices.items()}

    @property
    def samples(self) -> dict[str, SampleTable]:
        """The samples of "train", "val" and "test"; loads the data if need be."""
        return {str(stage): samples for stage, samples in self._loaded().items()}

    @property
    def split_sizes(self) -> dict[str, int]:
        """Number of samples in "train", "val" and "test"; loads the data if need be."""
        return {stage: len(samples) for stage, samples in self._loaded().items()}

    def prepare_data(self) -> None:
        """Load on the first process of a node, so that the others find what it left on disk."""
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        """Load and split; a second call does nothing. All stages are set up at once."""
        if self._splits is None:
            self._splits = self._split(self.load())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled training batches; all processes get equally many."""
        return self._loader("train", training=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return validation batches in a fixed order, each sample once over all processes."""
        return self._loader("val", training=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return test batches in a fixed order, each sample once over all processes."""
        return self._loader("test", training=False)

    def _loaded(self) -> dict[Stage, SampleTable]:
        self.setup()
        assert self._splits is not None
        return self._splits

    def _split(self, loaded: SampleTable | Splits) -> dict[Stage, SampleTable]:
        splits, self._indices = self._parted(loaded)
        time = () if self.steps is None else (self.steps,)
        for samples in splits.values():
            if samples.sample_shape != (*time, *self.sample_shape):
                raise ValueError(
                    f"x: samples of shape {samples.sample_shape} are not allowed; "
                    f"allowed: {(*time, *self.sample_shape)}, as the data module states"
                )
        if self.normalize != "none":
            axis = self.channel_axis + self.is_sequence + 1
            splits = normalized(splits, self.normalize, axis, self.is_sequence)
        return splits

    def _parted(
        self, loaded: SampleTable | Splits
    ) -> tuple[dict[Stage, SampleTable], dict[Stage, Tensor]]:
        """The samples of each stage, and their indices; by labels and groups alone."""
        train, val, test = loaded if isinstance(loaded, Splits) else Splits(loaded)
        if val is not None and self.folds is not None:
            raise ValueError(
                f"folds: {self.folds} is not allowed, as the data have a validation part of their "
                "own; allowed: null"
            )
        index = {"train": torch.arange(len(train))}
        if test is None:
            rest, part = split_off(train, "test_fraction", self.test_fraction, self.split_seed)
            train, test = train.take(rest), train.take(part)
            index |= {"train": rest, "test": part}
        if val is None:
            if self.folds is not None:
                rest, part = fold_off(train, self.folds, self.fold, self.split_seed)
            else:
                # Still a share of the whole pool, although the test samples are gone from it.
                pool = len(train) + (len(test) if "test" in index else 0)
                share = self.val_fraction * pool / len(train)
                rest, part = split_off(train, "val_fraction", share, self.split_seed)
            train, val = train.take(rest), train.take(part)
            index |= {"train": index["train"][rest], "val": index["train"][part]}
        splits: dict[Stage, SampleTable] = {"train": train, "val": val, "test": test}
        return splits, {
            stage: index.get(stage, torch.arange(len(samples))) for stage, samples in splits.items()
        }

    def _loader(self, stage: Stage, training: bool) -> DataLoader[Batch]:
        samples = self._loaded()[stage]
        batches = IndexBatches(
            len(samples),
            self.batch_size,
            training=training,
            shuffle=training and self.shuffle,
            seed=self.seed,
            rank=0 if self.trainer is None else self.trainer.global_rank,
            world_size=1 if self.trainer is None else self.trainer.world_size,
        )
        batch_of = self._batch_of(samples, training, batches)
        return Loader(batch_of, sampler=batches, batch_size=None)

    def _batch_of(self, samples: SampleTable, training: bool, batches: IndexBatches) -> SampleSet:
        """What makes a batch of the indices; ``batches`` knows the epoch."""
        return SampleSet(samples, self.is_sequence)
