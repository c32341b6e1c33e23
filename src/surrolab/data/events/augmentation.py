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

Whole = NDArray[np.int32]
# Beyond any sensor and any recording, and within 32 bits.
FARTHEST, LONGEST = 1 << 16, 1e9


@dataclass(frozen=True)
class Augmentation:
    """What is done to each event, or to a sample as a whole.

    Events that have left the sensor or the time window after all of it are dropped.

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
        number_from("augment_channel_jitter", self.channel_jitter, 0, below=FARTHEST)
        whole_number("augment_shift", self.shift, 0, FARTHEST - 1)
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
        """Return the entries elsewhere, and which of them count.

        Args:
            entries: of a batch.
            shape: of a step; the last axis is the channels, or the last two are rows and columns.
            steps: T.
            time_step: length of a step, ms.
            draw: where random numbers come from.
        """
        sample, step, place, _, samples = entries
        kept = np.ones(len(sample), dtype=np.bool_)
        if self.drop:
            kept = draw.random(len(sample), dtype=np.float32) >= self.drop
        if self.time_jitter or self.time_shift:
            step = self._moved(sample, step, samples, time_step, draw)
            kept &= (step >= 0) & (step < steps)
        if self.shift or self.channel_jitter:
            place, on_sensor = self._displaced(sample, place, samples, shape, draw)
            kept &= on_sensor
        return Entries(sample, step, place, kept, samples)

    def _moved(
        self,
        sample: Whole,
        step: Whole,
        samples: int,
        time_step: float,
        draw: np.random.Generator,
    ) -> Whole:
        time = draw.random(len(step), dtype=np.float32)
        if self.time_jitter:
            time += _normal(len(step), min(self.time_jitter / time_step, LONGEST), draw)
        if self.time_shift:
            most = min(self.time_shift / time_step, LONGEST)
            time += draw.uniform(-most, most, samples).astype(np.float32)[sample]
        np.clip(time, -LONGEST, LONGEST, out=time)
        return step + np.floor(time, out=time).astype(np.int32)

    def _displaced(
        self,
        sample: Whole,
        place: Whole,
        samples: int,
        shape: tuple[int, ...],
        draw: np.random.Generator,
    ) -> tuple[Whole, NDArray[np.bool_]]:
        """New places, and which of them are on the sensor; the others are no places."""
        inside = np.ones(len(place), dtype=np.bool_)
        moves = np.zeros(len(place), dtype=np.int32)
        # The last axis changes fastest; one before it is moved by cameras alone.
        rest, stride = place, np.int32(1)
        for size in reversed(shape[-2:] if len(shape) == 3 else shape[-1:]):
            rest, at = np.divmod(rest, np.int32(size))
            move = np.zeros(len(place), dtype=np.int32)
            if self.channel_jitter:
                jitter = _normal(len(place), self.channel_jitter, draw)
                move += np.rint(jitter, out=jitter).astype(np.int32)
            if self.shift:
                most = self.shift
                one = draw.integers(-most, most, samples, dtype=np.int32, endpoint=True)
                move += one[sample]
            at += move
            inside &= (at >= 0) & (at < size)
            moves += move * stride
            stride = np.int32(stride * size)
        return place + moves, inside


def _normal(count: int, deviation: float, draw: np.random.Generator) -> NDArray[np.float32]:
    """Normal deviates, by torch's generator: it takes less than half of numpy's time."""
    generator = torch.Generator().manual_seed(int(draw.integers(1 << 62)))
    found: NDArray[np.float32] = (
        torch.empty(count).normal_(0, deviation, generator=generator).numpy()
    )
    return found


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
