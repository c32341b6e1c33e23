"""Pixels of an event camera, simulated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


class PixelEvents(NamedTuple):
    """Events of many pixels, in no order.

    Attributes:
        pixel: int64, which of the pixels, ``[E]``.
        t: float64, milliseconds, ``[E]``.
        p: uint8, 1 for ON (brighter) and 0 for OFF, ``[E]``.
    """

    pixel: NDArray[np.int64]
    t: Float
    p: NDArray[np.uint8]


@dataclass(frozen=True)
class DvsPixels:
    """Pixels that each tell when the logarithm of their light has changed by a threshold.

    A pixel keeps the level at which it last fired. Once the logarithm is a threshold above it, an
    ON event is given and the level rises by the threshold; a threshold below, an OFF event, and it
    falls (Lichtsteiner, Posch and Delbruck 2008, doi:10.1109/JSSC.2007.914337). Between samples the
    logarithm is taken to be linear, which gives the times of the crossings (ESIM: Rebecq, Gehrig
    and Scaramuzza 2018, PMLR 87:969-982). Thresholds differ from pixel to pixel, and pixels fire of
    themselves (v2e: Hu, Liu and Delbruck 2021, arXiv:2006.07722).

    Args:
        threshold: of the change in the natural logarithm, ON and OFF alike.
        mismatch: standard deviation of the thresholds, which are drawn for each pixel and polarity
            and are never below a tenth of ``threshold``.
        background: events that a pixel gives of itself, per second, ON and OFF alike.
    """

    threshold: float
    mismatch: float = 0.0
    background: float = 0.0

    def events(
        self, light_KN: Iterator[Float], dt: float, draw: np.random.Generator
    ) -> PixelEvents:
        """Return the events of N pixels.

        Args:
            light_KN: the light of all pixels, above 0, at 0, dt, 2 dt, ... ms: ``[N]`` each.
            dt: time between two samples, ms.
            draw: where thresholds and background come from.
        """
        last_N = np.log(next(light_KN))
        level_N = last_N.copy()
        least = self.threshold / 10
        on_N, off_N = (
            np.maximum(self.threshold + self.mismatch * draw.standard_normal(len(level_N)), least)
            for _ in range(2)
        )
        found: list[tuple[NDArray[np.int64], Float, int]] = []
        samples = 0
        for light_N in light_KN:
            log_N = np.log(light_N)
            change_N = log_N - last_N
            for polarity, step_N in ((1, on_N), (-1, off_N)):
                # Those that have crossed the next level on the way from last to log; of these,
                # those that have crossed the one after it, and so on.
                pixel = np.flatnonzero(polarity * (log_N - level_N) >= step_N)
                while pixel.size:
                    level_N[pixel] += polarity * step_N[pixel]
                    share = (level_N[pixel] - last_N[pixel]) / change_N[pixel]
                    found.append((pixel, (samples + share) * dt, int(polarity > 0)))
                    left = polarity * (log_N[pixel] - level_N[pixel])
                    pixel = pixel[left >= step_N[pixel]]
            last_N = log_N
            samples += 1
        extra = draw.poisson(self.background * samples * dt / 1000, len(level_N))
        noisy = np.repeat(np.arange(len(level_N)), extra)
        pixels = [pixel for pixel, _, _ in found]
        ons = [np.full(len(pixel), p, dtype=np.uint8) for pixel, _, p in found]
        return PixelEvents(
            np.concatenate([*pixels, noisy]),
            np.concatenate([*(t for _, t, _ in found), draw.uniform(0, samples * dt, len(noisy))]),
            np.concatenate([*ons, draw.integers(0, 2, len(noisy), dtype=np.uint8)]),
        )
