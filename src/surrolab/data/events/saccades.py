"""Handwritten digits as a simulated event camera sees them in three saccades."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrolab.data.checks import number_from, positive_number, whole_number
from surrolab.data.digits import Digits
from surrolab.data.events import dvs as dvs_module
from surrolab.data.events.augmentation import Augmentation
from surrolab.data.events.binning import Binning
from surrolab.data.events.dvs import DvsPixels
from surrolab.data.events.module import EventData
from surrolab.data.events.recordings import Listing, Recordings
from surrolab.data.formats.events import Recording

SIDE = 16
"""Pixels of the sensor, each way."""
DIGIT = 12.0
"""Pixels that a digit's eight take, each way."""
CORNERS = ((0.0, 0.0), (1.5, 3.0), (3.0, 0.0), (0.0, 0.0))
"""Where the image is before and after each saccade, in pixels to the right and down."""
SACCADE_MS = 100.0
DT_MS = 2.0
DARK = 0.1
"""Light of a black pixel, where that of a white one is 1."""
AT_ONCE = 100


class Saccades(EventData):
    """Synthetic: the digits of `Digits`, moved before a simulated event camera of 16 x 16 pixels.

    Nobody has recorded them. An image moves along three straight saccades of 100 ms, as in N-MNIST
    (Orchard et al. 2015, doi:10.3389/fnins.2015.00437), before pixels of the kind of `DvsPixels`.
    Light is that of the digit, smoothed by a cubic B-spline and scaled to 12 x 12 pixels, on a
    ground of a tenth of white. With the same ``split_seed`` and fractions, the split is that of
    ``data=digits``.

    Args:
        contrast_threshold, threshold_mismatch: of the pixels, in the natural logarithm of light.
        background_rate: events that a pixel gives of itself, per second.
        data_seed: draws thresholds and background.
        time_step, steps, pool, polarity: as in `Binning`.
        counts: as in `EventData`.
        augment_time_jitter, augment_drop, augment_shift, augment_time_shift: as in `Augmentation`.
        others: as in `DataModule`.

    Raises:
        ValueError: a parameter is out of range.
    """

    licence = "synthetic, simulated from digits: CC BY 4.0 (UCI)"

    def __init__(
        self,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        contrast_threshold: float = 0.3,
        threshold_mismatch: float = 0.03,
        background_rate: float = 1.0,
        data_seed: int = 0,
        time_step: float = 10.0,
        steps: int | None = 30,
        pool: int = 1,
        polarity: str = "split",
        counts: str = "sum",
        augment_time_jitter: float = 0.0,
        augment_drop: float = 0.0,
        augment_shift: int = 0,
        augment_time_shift: float = 0.0,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        pixels = DvsPixels(
            positive_number("contrast_threshold", contrast_threshold, 10),
            number_from("threshold_mismatch", threshold_mismatch, 0),
            number_from("background_rate", background_rate, 0),
        )
        super().__init__(
            SaccadeRecordings(pixels, whole_number("data_seed", data_seed, 0)),
            "data",
            batch_size,
            root,
            split_seed,
            binning=Binning(time_step, steps, pool, polarity),
            counts=counts,
            augmentation=Augmentation(
                drop=augment_drop,
                time_jitter=augment_time_jitter,
                shift=augment_shift,
                time_shift=augment_time_shift,
            ),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
        )


class SaccadeRecordings(Recordings):
    """The simulated recordings, some at a time.

    Args:
        pixels: of the camera.
        seed: draws thresholds and background.
    """

    def __init__(self, pixels: DvsPixels, seed: int) -> None:
        from surrolab.data.events import saccades as own

        self.modules = (dvs_module, own)
        self._pixels = pixels
        self._seed = seed

    def files(self) -> list[Any]:
        return []

    def settings(self) -> dict[str, Any]:
        return {**vars(self._pixels), "seed": self._seed}

    @contextmanager
    def opened(self) -> Iterator[Listing]:
        digits = Digits().load()
        labels = [str(label) for label in digits.y.tolist()]
        images = digits.x[:, 0].double().numpy()
        yield Listing(
            labels=labels,
            classes=[str(digit) for digit in range(10)],
            split=None,
            groups=None,
            sensor=(SIDE, SIDE, 2),
            recordings=lambda: self.simulated(images),
        )

    def simulated(self, images: NDArray[np.float64]) -> Iterator[Recording]:
        """Return the recording of each image, ``[n, 8, 8]`` in [0, 1]."""
        for first in range(0, len(images), AT_ONCE):
            some = images[first : first + AT_ONCE]
            draw = np.random.default_rng([self._seed, first])
            pixel, t, p = self._pixels.events(light(some), DT_MS, draw)
            us = np.floor(1000 * t).astype(np.int64)
            sample, place = np.divmod(pixel, SIDE * SIDE)
            order = np.lexsort((place, us, sample))
            bounds = np.searchsorted(sample[order], np.arange(len(some) + 1))
            y, x = np.divmod(place.astype(np.uint16), SIDE)
            for begin, end in itertools.pairwise(bounds.tolist()):
                at = order[begin:end]
                yield Recording(us[at], x[at], y[at], p[at])


def light(images: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The light on the sensor every `DT_MS`, ``[n * SIDE * SIDE]`` each, from 0.1 to 1.

    Args:
        images: digits in [0, 1], ``[n, 8, 8]``.
    """
    saccades = len(CORNERS) - 1
    moments = np.arange(round(saccades * SACCADE_MS / DT_MS) + 1) * DT_MS / SACCADE_MS
    for right, down in zip(
        *(np.interp(moments, np.arange(len(CORNERS)), axis) for axis in zip(*CORNERS, strict=True)),
        strict=True,
    ):
        down_S8, right_S8 = _weights(down, images.shape[1]), _weights(right, images.shape[2])
        seen = down_S8 @ images @ right_S8.T
        yield (DARK + (1 - DARK) * seen).reshape(-1)


def _weights(moved: float, size: int) -> NDArray[np.float64]:
    """What each pixel of the sensor sees of each of the image's, when that has moved so far."""
    middle = SIDE / 2 + moved - (CORNERS[1][1] / 2)
    u = (np.arange(SIDE) + 0.5 - middle) * size / DIGIT + size / 2 - 0.5
    return cubic_b_spline(u[:, None] - np.arange(size))


def cubic_b_spline(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The cubic B-spline, a smooth bump on (-2, 2) whose shifts by whole numbers sum to 1."""
    far = np.abs(x).astype(np.float64)
    found: NDArray[np.float64] = np.where(
        far < 1, 2 / 3 - far**2 + far**3 / 2, np.clip(2 - far, 0, None) ** 3 / 6
    )
    return found
