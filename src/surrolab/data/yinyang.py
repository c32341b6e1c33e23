"""The Yin-Yang data set: four features, three classes, not linearly separable."""

import os

import numpy as np
import torch
from numpy.typing import NDArray

from surrolab.data.module import DataModule
from surrolab.data.samples import Samples, Splits

R_BIG = 0.5
R_SMALL = 0.1
SIZES = (5000, 1000, 1000)


def label_points(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the class of points inside the big circle (centre (0.5, 0.5), radius 0.5).

    With d_l and d_r the distances to the dots' centres (0.25, 0.5) and (0.75, 0.5): class 2 (a
    dot) where d_l < 0.1 or d_r < 0.1; else class 1 where 0.1 < d_l <= 0.25, or y > 0.5 and
    d_r > 0.25; else class 0. Class 1 is what the published code calls ``is_yin``, though its list
    of names puts "yin" at index 0.

    Args:
        points: coordinates x and y, ``[n, 2]``.

    Returns:
        Classes, ``[n]``.

    Source: Kriener, Goeltz and Petrovici 2022, doi:10.1145/3517343.3517380, arXiv:2102.08211.
    """
    x, y = points[:, 0], points[:, 1]
    left = np.hypot(x - 0.5 * R_BIG, y - R_BIG)
    right = np.hypot(x - 1.5 * R_BIG, y - R_BIG)
    dot = (left < R_SMALL) | (right < R_SMALL)
    upper = (y > R_BIG) & (right > 0.5 * R_BIG)
    head = (left > R_SMALL) & (left <= 0.5 * R_BIG)
    one = head | upper | (right <= R_SMALL)
    return np.where(dot, 2, one.astype(np.int64))


def draw_points(count: int, stream: np.random.SeedSequence) -> tuple[Samples, NDArray[np.float64]]:
    """Draw samples: first each one's class, uniformly, then points until one is of that class.

    Args:
        count: number of samples.
        stream: the seed.

    Returns:
        Samples with x = ``[x, y, 1 - x, 1 - y]`` as float32, and the points, ``[count, 2]``, in
        the float64 in which they were labelled.
    """
    rng = np.random.default_rng(stream)
    wanted = rng.integers(3, size=count)
    points = np.empty((count, 2))
    open_ = np.arange(count)
    while len(open_):
        drawn = rng.uniform(0, 2 * R_BIG, size=(len(open_), 2))
        inside = np.hypot(drawn[:, 0] - R_BIG, drawn[:, 1] - R_BIG) <= R_BIG
        hit = inside & (label_points(drawn) == wanted[open_])
        points[open_[hit]] = drawn[hit]
        open_ = open_[~hit]
    x = torch.from_numpy(np.concatenate([points, 1 - points], axis=1)).to(torch.float32)
    return Samples.static(x, torch.from_numpy(wanted.astype(np.int64))), points


class YinYang(DataModule):
    """Points of the yin-yang sign: features ``[x, y, 1 - x, 1 - y]``, classes as `label_points`.

    5000 samples for training and 1000 each for validation and test, drawn with three seeds that
    derive from ``split_seed``. ``root`` is not used.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: seed of the samples.

    Source: Kriener, Goeltz and Petrovici 2022, doi:10.1145/3517343.3517380, arXiv:2102.08211.
    """

    licence = "generated; MIT"
    sample_shape = (4,)
    classes = 3
    steps = None

    def __init__(
        self,
        batch_size: int = 100,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
    ) -> None:
        super().__init__(batch_size, root, split_seed)

    def load(self) -> Splits:
        """Return the drawn samples of the three stages."""
        streams = np.random.SeedSequence(self.split_seed).spawn(len(SIZES))
        drawn = zip(SIZES, streams, strict=True)
        return Splits(*(draw_points(count, stream)[0] for count, stream in drawn))
