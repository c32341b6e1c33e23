"""Classification of spike latencies on smooth random manifolds."""

import os

import numpy as np
import torch
from numpy.typing import NDArray

from surrolab.data.cache import Recipe, cached
from surrolab.data.checks import one_of, positive_number, whole_number
from surrolab.data.manifolds import SPECTRA, spike_times
from surrolab.data.module import DataModule
from surrolab.data.samples import Samples

FORMAT = 1


class Randman(DataModule):
    """Smooth random manifolds as spike latencies: each unit spikes once per sample.

    Each class is a random manifold in the space of all units' spike times (`Manifold`,
    `spike_times`); neither the number of spikes nor any single unit tells the class. 80 % of each
    class are for training, 10 % each for validation and test. The spike times are kept under
    ``root/randman``.

    Source: Zenke and Vogels 2021, doi:10.1162/neco_a_01367; the defaults are its setting with
    steps of 1 ms.

    Args:
        batch_size: samples per batch and process.
        root: folder that keeps the spike times; None is the user's cache folder.
        split_seed: seed of the split.
        manifold_classes: number of manifolds, each a class.
        units: number of input units N, each with one spike.
        dim: intrinsic dimension of the manifolds.
        alpha: exponent of the spectrum, above 0 and at most 100; larger is smoother.
        steps: number of time steps T.
        window: the spikes fall in the first ``window`` steps.
        samples_per_class: samples drawn from each manifold.
        spectrum: "paper" for the published formula or "fzenke" for the published code, which
            differ (`spectrum_terms`).
        data_seed: seed of the manifolds and of the points drawn from them.

    Raises:
        ValueError: a parameter is out of range.
    """

    licence = "generated; MIT"
    steps: int

    def __init__(
        self,
        batch_size: int = 250,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        manifold_classes: int = 10,
        units: int = 20,
        dim: int = 1,
        alpha: float = 1.0,
        steps: int = 100,
        window: int = 50,
        samples_per_class: int = 1000,
        spectrum: str = "paper",
        data_seed: int = 0,
    ) -> None:
        super().__init__(batch_size, root, split_seed, val_fraction=0.1, test_fraction=0.1)
        self.classes = whole_number("manifold_classes", manifold_classes, 2)
        self.units = whole_number("units", units, 1)
        self.dim = whole_number("dim", dim, 1)
        self.alpha = positive_number("alpha", alpha, 100)
        self.steps = whole_number("steps", steps, 1)
        self.window = whole_number("window", window, 1, steps)
        # Ten, so that validation and test have one sample of each class.
        self.samples_per_class = whole_number("samples_per_class", samples_per_class, 10)
        self.spectrum = one_of("spectrum", spectrum, SPECTRA)
        self.data_seed = whole_number("data_seed", data_seed, 0)
        self.sample_shape = (self.units,)

    def load(self) -> Samples:
        """Return the spikes as uint8 ``[n, T, N]``, class by class."""
        times = torch.from_numpy(self._times()).to(torch.int64)
        spikes = torch.zeros(len(times), self.steps, self.units, dtype=torch.uint8)
        spikes.scatter_(1, times.unsqueeze(1), 1)
        return Samples(
            x=spikes,
            y=torch.arange(self.classes).repeat_interleave(self.samples_per_class),
            lengths=torch.full((len(times),), self.steps, dtype=torch.int64),
        )

    def _times(self) -> NDArray[np.int32]:
        shape = (self.classes * self.samples_per_class, self.units)

        def make() -> NDArray[np.int32]:
            return spike_times(
                manifold_classes=self.classes,
                units=self.units,
                dim=self.dim,
                alpha=self.alpha,
                window=self.window,
                samples_per_class=self.samples_per_class,
                spectrum=self.spectrum,
                data_seed=self.data_seed,
            )

        def fits(times: NDArray[np.int32]) -> bool:
            right = times.shape == shape and times.dtype == np.int32
            return right and bool(times.min() >= 0 and times.max() < self.window)

        recipe: Recipe = {
            "format": FORMAT,
            "data": "randman",
            "manifold_classes": self.classes,
            "units": self.units,
            "dim": self.dim,
            "alpha": self.alpha,
            "window": self.window,
            "samples_per_class": self.samples_per_class,
            "spectrum": self.spectrum,
            "data_seed": self.data_seed,
        }
        return cached(self.root / "randman", recipe, make, fits)
