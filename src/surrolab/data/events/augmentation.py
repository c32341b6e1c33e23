"""Events of the training samples moved and dropped, anew in each epoch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrolab.data.batch import Batch
from surrolab.data.batches import IndexBatches
from surrolab.data.checks import number_from, whole_number
from surrolab.data.events.samples import Entries, EventSamples
from surrolab.data.samples import SampleSet
from surrolab.seeding import stream


@dataclass(frozen=True)
class Augmentation:
    """What is done to each event, or to a sample as a whole, in this order.

    Events that leave the sensor or the time window are dropped.

    Args:
        drop: each event is dropped with this probability (random drop of EventDrop: Gu et al. 2021,
            arXiv:2106.05836, which draws the probability; here it is given).
        time_jitter: standard deviation of a normal deviate added to each event's time, ms.
        channel_jitter: standard deviation of a normal deviate added to each event's channel, which
            is then rounded (Cramer et al. 2020, doi:10.1109/TNNLS.2020.3044364). Line sensors only.
        shift: all events of a sample are moved by a whole number of channels, or of pixels in each
            of the two directions, uniform from -shift to shift (Cramer et al. shift channels so).
        time_shift: all events of a sample are moved in time, uniformly from -time_shift to
            time_shift, ms.

    Channels and pixels are those that the network is given. A binned event's time is only known to
    its bin: moves in time start from a uniformly drawn place in it.

    Raises:
        ValueError: a parameter is out of range.
    """

    drop: float = 0.0
    time_jitter: float = 0.0
    channel_jitter: float = 0.0
    shift: int = 0
    time_shift: float = 0.0

    def __post_init__(self) -> None:
        number_from("augment_drop", self.drop, 0, below=1)
        number_from("augment_time_jitter", self.time_jitter, 0)
        number_from("augment_channel_jitter", self.channel_jitter, 0)
        whole_number("augment_shift", self.shift, 0)
        number_from("augment_time_shift", self.time_shift, 0)

    def __bool__(self) -> bool:
        return any((self.drop, self.time_jitter, self.channel_jitter, self.shift, self.time_shift))

    def __call__(
        self,
        entries: Entries,
        shape: tuple[int, ...],
        steps: int,
        time_step: float,
        draw: np.random.Generator,
    ) -> Entries:
        """Return other entries, each of one event.

        Args:
            entries: of a batch.
            shape: of a step; the last axis is the channels, or the last two are rows and columns.
            steps: T.
            time_step: length of a step, ms.
            draw: where random numbers come from.
        """
        sample, step, place = (
            np.repeat(part, entries.counts)
            for part in (entries.sample, entries.step, entries.place)
        )
        if self.drop:
            kept = draw.random(len(sample), dtype=np.float32) >= self.drop
            sample, step, place = sample[kept], step[kept], place[kept]
        good = np.ones(len(sample), dtype=np.bool_)
        if self.time_jitter or self.time_shift:
            step = self._moved(sample, step, entries.samples, time_step, draw)
            good &= (step >= 0) & (step < steps)
        if self.shift or self.channel_jitter:
            place, inside = self._displaced(sample, place, entries.samples, shape, draw)
            good &= inside
        sample, step, place = sample[good], step[good], place[good]
        return Entries(sample, step, place, np.ones(len(sample), np.int64), entries.samples)

    def _moved(
        self,
        sample: NDArray[np.int64],
        step: NDArray[np.int64],
        samples: int,
        time_step: float,
        draw: np.random.Generator,
    ) -> NDArray[np.int64]:
        time = step + draw.random(len(step))
        if self.time_jitter:
            time += draw.normal(0, self.time_jitter / time_step, len(step))
        if self.time_shift:
            time += draw.uniform(-self.time_shift, self.time_shift, samples)[sample] / time_step
        found: NDArray[np.int64] = np.floor(time).astype(np.int64)
        return found

    def _displaced(
        self,
        sample: NDArray[np.int64],
        place: NDArray[np.int64],
        samples: int,
        shape: tuple[int, ...],
        draw: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """New places, and which of them are on the sensor."""
        moving = 2 if len(shape) == 3 else 1
        axes = [axis.astype(np.int64) for axis in np.unravel_index(place, shape)]
        inside = np.ones(len(place), dtype=np.bool_)
        for axis in range(len(shape) - moving, len(shape)):
            if self.channel_jitter:
                axes[axis] += np.rint(draw.normal(0, self.channel_jitter, len(place))).astype(
                    np.int64
                )
            if self.shift:
                moves = draw.integers(-self.shift, self.shift, samples, endpoint=True)
                axes[axis] += moves[sample]
            inside &= (axes[axis] >= 0) & (axes[axis] < shape[axis])
        flat = np.zeros(len(place), dtype=np.int64)
        for index, size in zip(axes, shape, strict=True):
            flat = flat * size + index
        return flat, inside


class AugmentedEvents(SampleSet):
    """Batches of augmented samples: what a batch is follows from seed, epoch and indices alone.

    Args:
        samples: the samples.
        batches: whose epoch it is.
        augmentation: what is done to them.
        seed: of the run.
        time_step: length of a step, ms.
    """

    def __init__(
        self,
        samples: EventSamples,
        batches: IndexBatches,
        augmentation: Augmentation,
        seed: int,
        time_step: float,
    ) -> None:
        super().__init__(samples, sequence=True)
        self._events = samples
        self._batches = batches
        self._augmentation = augmentation
        self._seed = seed
        self._time_step = time_step

    def __getitem__(self, index: Tensor | int) -> Batch:
        """Return the samples at ``index``, augmented."""
        rows = torch.as_tensor(index).reshape(-1)
        shape, steps = self._events.arrays.shape, self._events.arrays.steps
        # In an epoch a sample comes once: the first one tells the batches apart.
        draw = stream(self._seed, "augment", self._batches.epoch, int(rows[0]))
        entries = self._augmentation(
            self._events.entries(rows), shape, steps, self._time_step, draw
        )
        return self._events.batch_of(entries, rows)
