"""The binary version of CIFAR-10 (www.cs.toronto.edu/~kriz/cifar.html)."""

import os

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.labels import check_classes
from surrolab.data.formats.opening import fill, opened
from surrolab.data.formats.problem import Source

RECORD = 1 + 3 * 32 * 32
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def read_cifar10(
    path: str | os.PathLike[str], option: str, *, least_classes: int = 2
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one file of CIFAR-10, such as ``data_batch_1.bin``.

    Each record is a label and then the red, green and blue plane of 32 x 32 bytes.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        least_classes: how many classes there have to be.

    Returns:
        Images ``[n, 3, 32, 32]``, and labels ``[n]`` from 0 to 9, which index `CLASSES`.

    Raises:
        DataFileError: the file is empty, ends within a record, or a label is above 9.
    """
    source = Source(option, path)
    with opened(source) as (file, size):
        if size % RECORD:
            raise source.error(
                f"ends within a record ({size} bytes, {RECORD} a record)",
                "give a whole file of CIFAR-10's binary version",
            )
        records = fill(file, (size // RECORD, RECORD), np.uint8, source).astype(
            np.uint8, copy=False
        )
    bad = np.flatnonzero(records[:, 0] >= len(CLASSES))
    if len(bad):
        raise source.error(
            f"the label is {records[bad[0], 0]}",
            "allowed: 0 to 9; give CIFAR-10's binary version",
            row=int(bad[0]),
        )
    labels = records[:, 0].astype(np.int64)
    check_classes([str(label) for label in np.unique(labels)], least_classes, source)
    return np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32), labels
