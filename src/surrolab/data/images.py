"""Images in files: the family of MNIST, and CIFAR-10."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from surrolab.data.checks import one_of
from surrolab.data.downloads import provide
from surrolab.data.formats.cifar import CLASSES, read_cifar10
from surrolab.data.formats.idx import read_idx_images
from surrolab.data.from_file import Content, FromFile
from surrolab.data.samples import Samples, Splits
from surrolab.data.sources import CIFAR10, CIFAR10_FOLDER, IDX_SETS

OPTION = "data.root"


_CLOTHES = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
IDX_NAMES: Mapping[str, tuple[str, ...]] = {
    "mnist": tuple(str(digit) for digit in range(10)),
    "fashion_mnist": _CLOTHES,
    "kmnist": _KANA,
}
PARTS = {"train": "train", "test": "t10k"}


class IdxImages(FromFile):
    """Images of 28 x 28 pixels in [0, 1], 10 classes, 60,000 for training and 10,000 for test.

    MNIST (LeCun et al. 1998, doi:10.1109/5.726791), Fashion-MNIST (Xiao et al. 2017,
    arXiv:1708.07747), KMNIST (Clanuwat et al. 2018, arXiv:1812.01718). The four files, such as
    ``train-images-idx3-ubyte`` or ``train-images-idx3-ubyte.gz``, are to lie in ``root/<set>``.

    Args:
        set: ``mnist``, ``fashion_mnist`` or ``kmnist``.
        batch_size: samples per batch and process.
        root: the folder above that of the files; None is the user's cache folder.
        split_seed: seed of the split.
        val_fraction: share of the training part for validation; the official test part stays.
        download: whether files that are not there are fetched.

    Raises:
        DataFileError: a file is damaged or cannot be fetched.
        ValueError: a file is missing, and where it is to be had; a parameter is out of range.
    """

    sequences = False

    def __init__(
        self,
        set: str,
        batch_size: int = 128,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        val_fraction: float = 0.1,
        download: bool = False,
    ) -> None:
        self.download = download
        self.set = one_of("set", set, tuple(IDX_SETS))
        self.licence = IDX_SETS[self.set].licence
        super().__init__(batch_size, root, split_seed, val_fraction=val_fraction)

    def read(self) -> Content:
        provide(self.root, self.set, IDX_SETS[self.set], self.download)
        parts = {}
        for stage, prefix in PARTS.items():
            images, labels = (
                _either(self.root / self.set, f"{prefix}-{what}-ubyte")
                for what in ("images-idx3", "labels-idx1")
            )
            x, y = read_idx_images(images, labels, OPTION)
            parts[stage] = images_of(x[:, None], y)
        return Content(Splits(**parts), list(IDX_NAMES[self.set]))


class Cifar10(FromFile):
    """Photographs of 32 x 32 pixels in three colours, 10 classes, 50,000 and 10,000.

    Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf. The files of
    the binary version, ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, are to
    lie in ``root/cifar-10-batches-bin``.

    Args:
        batch_size: samples per batch and process.
        root: the folder above that of the files; None is the user's cache folder.
        split_seed: seed of the split.
        val_fraction: share of the training part for validation; the official test part stays.
        download: whether files that are not there are fetched.

    Raises:
        DataFileError: a file is damaged or cannot be fetched.
        ValueError: a file is missing, and where it is to be had; a parameter is out of range.
    """

    sequences = False
    licence = CIFAR10.licence

    def __init__(
        self,
        batch_size: int = 128,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        val_fraction: float = 0.1,
        download: bool = False,
    ) -> None:
        self.download = download
        super().__init__(batch_size, root, split_seed, val_fraction=val_fraction)

    def read(self) -> Content:
        provide(self.root, "cifar10", CIFAR10, self.download, below=".")
        folder = self.root / CIFAR10_FOLDER
        files = {
            "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
            "test": ["test_batch.bin"],
        }
        parts = {}
        for stage, names in files.items():
            found = [read_cifar10(folder / name, OPTION) for name in names]
            x, y = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
            parts[stage] = images_of(x, y)
        return Content(Splits(**parts), list(CLASSES))


def images_of(x: np.ndarray, y: np.ndarray) -> Samples:
    """Images as uint8, which become float32 in [0, 1] in the batch."""
    ones = torch.ones(len(x), dtype=torch.int64)
    labels = torch.from_numpy(y.astype(np.int64))
    return Samples(torch.from_numpy(x), labels, ones, divisor=255.0)


def _either(folder: Path, name: str) -> Path:
    """A file as it is or compressed, whichever is there."""
    return folder / name if (folder / name).exists() else folder / f"{name}.gz"
