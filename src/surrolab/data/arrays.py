"""The user's own arrays."""

import os

import numpy as np
import torch

from surrolab.data.formats.arrays import read_arrays
from surrolab.data.formats.labels import class_names
from surrolab.data.from_file import (
    OPTION,
    Content,
    FromFile,
    by_part,
    class_numbers,
    file_path,
    group_numbers,
)
from surrolab.data.samples import Samples

SEQUENCE_AXES = (3, 5)


class Arrays(FromFile):
    """Samples and labels in an .npz file: ``x`` ``[n, ...]`` and ``y`` ``[n]``.

    ``lengths``, ``split`` ("train", "val", "test") and ``group``, ``[n]`` each, need not be there.

    Args:
        path: the file.
        sequence: whether axis 1 of ``x`` is time. None: it is where there are lengths, and where
            ``x`` is ``[n, T, features]`` or ``[n, T, channels, height, width]``; ``[n, features]``
            and ``[n, channels, height, width]`` are static.
        x_key, y_key: what the samples and labels are called in the file.
        others: as in `DataModule`.

    Raises:
        DataFileError: the file cannot be used.
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        batch_size: int = 64,
        root: str | os.PathLike[str] | None = None,
        split_seed: int = 0,
        *,
        sequence: bool | None = None,
        x_key: str = "x",
        y_key: str = "y",
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        normalize: str = "none",
    ) -> None:
        self.path = file_path(path)
        self.x_key, self.y_key = x_key, y_key
        self._sequence = sequence
        super().__init__(
            batch_size,
            root,
            split_seed,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            folds=folds,
            fold=fold,
            normalize=normalize,
        )

    @property
    def sequences(self) -> bool:
        return bool(self._sequence)

    def read(self) -> Content:
        found = read_arrays(self.path, OPTION, x=self.x_key, y=self.y_key)
        x = found.x
        if self._sequence is None:
            self._sequence = found.lengths is not None or x.ndim in SEQUENCE_AXES
        if not self._sequence and found.lengths is not None:
            raise ValueError("sequence: false and the file has lengths; allowed: true, null")
        if self._sequence and x.ndim < 3:
            raise ValueError(
                f"sequence: true and x is {list(x.shape)}; allowed: true with x of "
                "[n, T, features] or more axes"
            )
        names = class_names(found.labels)
        values = torch.from_numpy(_known_to_torch(x))
        if values.ndim == 1:
            values = values.unsqueeze(1)
        lengths = np.full(len(x), x.shape[1] if self._sequence else 1, dtype=np.int64)
        samples = Samples(
            values,
            class_numbers(found.labels, names),
            torch.from_numpy(found.lengths if found.lengths is not None else lengths),
            group_numbers(found.groups),
        )
        return Content(by_part(samples, found.split), names)


def _known_to_torch(x: np.ndarray) -> np.ndarray:
    """Compact types stay; those that torch computes with rarely or never become float32."""
    if x.dtype.kind == "f" or x.dtype.itemsize > 2 or x.dtype == np.uint16:
        return x.astype(np.float32)
    return x
