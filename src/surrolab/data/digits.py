"""Handwritten digits of 8 x 8 pixels."""

import os

import torch

from surrolab.data.module import DataModule
from surrolab.data.samples import Samples


class Digits(DataModule):
    """The 1797 digits that come with scikit-learn, ``[1, 8, 8]`` in [0, 1], 10 classes.

    Source: UCI Optical Recognition of Handwritten Digits (its test part), doi:10.24432/C50P49.
    Pixels are counts from 0 to 16, divided by 16. Nothing is downloaded and ``root`` is not used.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: seed of the split.
        val_fraction: share of the samples for validation.
        test_fraction: share of the samples for test.
    """

    licence = "CC BY 4.0 (UCI)"
    sample_shape = (1, 8, 8)
    classes = 10
    steps = None

    def __init__(
        self,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        super().__init__(
            batch_size, root, split_seed, val_fraction=val_fraction, test_fraction=test_fraction
        )

    def load(self) -> Samples:
        """Return the 1797 digits."""
        from sklearn.datasets import load_digits  # takes seconds to import

        source = load_digits()
        x = torch.from_numpy(source.images).to(torch.float32).unsqueeze(1) / 16
        return Samples.static(x, torch.from_numpy(source.target).to(torch.int64))
