"""What all sets of events have in common."""

import os
from typing import Any

import numpy as np

from surrolab.data.batches import IndexBatches
from surrolab.data.checks import one_of
from surrolab.data.events.arrays import STAGES
from surrolab.data.events.augmentation import Augmentation, AugmentedEvents
from surrolab.data.events.binning import Binning
from surrolab.data.events.cache import EventCache
from surrolab.data.events.recordings import Recordings
from surrolab.data.events.samples import EventSamples
from surrolab.data.module import DataModule
from surrolab.data.samples import SampleSet, SampleTable, Splits

COUNTS = ("binary", "sum")


class EventData(DataModule):
    """Recordings of events in bins, which are kept on disk (`EventCache`) and mapped from there.

    Binned at once, or read, when this is made: the number of steps, the shape and the classes may
    only be known then.

    Args:
        source: the recordings.
        option: the option that gave them, for errors.
        batch_size, root, split_seed: as `DataModule` has them; what is kept is under
            ``root/events``.
        binning: how events are binned.
        counts: "binary": a bin holds 1 where there is an event, else 0; "sum": how many there are,
            255 at most.
        augmentation: what is done to the training samples.
        options: further ones of `DataModule`.

    Raises:
        DataFileError: a recording cannot be read.
        UserError: there is no room for what is binned.
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        source: Recordings,
        option: str,
        batch_size: int,
        root: str | os.PathLike[str] | None,
        split_seed: int,
        *,
        binning: Binning,
        counts: str,
        augmentation: Augmentation,
        **options: Any,
    ) -> None:
        super().__init__(batch_size, root, split_seed, **options)
        self.binning = binning
        self.counts = one_of("counts", counts, COUNTS)
        self.augmentation = augmentation
        self.arrays = EventCache(self.root).arrays(source, binning, option)
        self.classes = len(self.arrays.classes)
        self.steps = self.arrays.steps
        self.sample_shape = self.arrays.shape
        if augmentation.channel_jitter and len(self.sample_shape) == 3:
            raise ValueError(
                f"augment_channel_jitter: {augmentation.channel_jitter:g} is not allowed for a "
                "camera; allowed: 0, and augment_shift"
            )

    @property
    def step_ms(self) -> float:
        return self.binning.time_step

    @property
    def content(self) -> str | None:
        return self.arrays.content or None

    @property
    def class_names(self) -> list[str]:
        return list(self.arrays.classes)

    def load(self) -> SampleTable | Splits:
        """Return the recordings by official part, or all of them where there is none.

        Raises:
            ValueError: there are parts, and none for training.
        """
        split = self.arrays.split
        if (split < 0).any():
            return self._at(np.arange(len(split)))
        parts = {
            stage: self._at(np.flatnonzero(split == at))
            for at, stage in enumerate(STAGES)
            if (split == at).any()
        }
        if "train" not in parts:
            raise ValueError("path: its folders have no recording for training")
        return Splits(**parts)

    def _at(self, rows: np.ndarray) -> EventSamples:
        return EventSamples.of(self.arrays, rows, binary=self.counts == "binary")

    def _batch_of(self, samples: SampleTable, training: bool, batches: IndexBatches) -> SampleSet:
        if training and self.augmentation and isinstance(samples, EventSamples):
            step = self.binning.time_step
            found: SampleSet = AugmentedEvents(samples, batches, self.augmentation, self.seed, step)
        else:
            found = super()._batch_of(samples, training, batches)
        found.slow = True
        return found
