"""IDX, the format of MNIST and its family, with and without gzip (yann.lecun.com/exdb/mnist)."""

import gzip
import os
from math import prod

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.labels import check_classes
from surrolab.data.formats.opening import (
    DEFLATE_RATIO,
    Readable,
    fill,
    opened,
    truncated,
    undamaged,
)
from surrolab.data.formats.problem import Source

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 8


def read_idx(path: str | os.PathLike[str], option: str) -> NDArray[np.generic]:
    """Return the array of an IDX file, in the machine's byte order; gzip is found by its magic.

    Args:
        path: the file.
        option: the option that gave it, for errors.

    Raises:
        DataFileError: the magic is wrong, or the file is shorter or longer than its header says,
            empty or damaged.
    """
    source = Source(option, path)
    with opened(source) as (file, size):
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not zipped:
            return _read(file, size, source)
        with gzip.GzipFile(fileobj=file) as unzipped:
            return _read(unzipped, size * DEFLATE_RATIO, source)


def read_idx_images(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    option: str,
    *,
    least_classes: int = 2,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read images and their labels from two IDX files.

    Args:
        images: the file of images, uint8 ``[n, height, width]``, or with channels as a last axis.
        labels: the file of labels, uint8 ``[n]``.
        option: the option that gave them, for errors.
        least_classes: how many classes there have to be.

    Returns:
        The images as in the file, and the labels as int64 ``[n]``.

    Raises:
        DataFileError: as `read_idx`; another type or number of dimensions, or the two files
            differ in n.
    """
    x, y = read_idx(images, option), read_idx(labels, option)
    image_file, label_file = Source(option, images), Source(option, labels)
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise image_file.error(
            f"holds {x.dtype} {list(x.shape)}, not images", "give the file of images"
        )
    if y.dtype != np.uint8 or y.ndim != 1:
        raise label_file.error(
            f"holds {y.dtype} {list(y.shape)}, not labels", "give the file of labels"
        )
    if len(x) != len(y):
        raise label_file.error(
            f"has {len(y)} labels where {os.path.basename(images)} has {len(x)} images",
            "give the two files of one set",
        )
    check_classes([str(label) for label in np.unique(y)], least_classes, label_file)
    return x.astype(np.uint8, copy=False), y.astype(np.int64)


def _read(file: Readable, most: int, source: Source) -> NDArray[np.generic]:
    with undamaged(source):
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in DTYPES or head[3] == 0:
            raise source.error(
                f"has the magic {head.hex(' ')}, so is no IDX file", "give an IDX file, gzip or not"
            )
        if head[3] > MOST_DIMENSIONS:
            raise source.error(f"has {head[3]} dimensions", f"allowed: {MOST_DIMENSIONS} at most")
        sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise truncated(source, len(sizes), 4 * head[3])
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    dtype = np.dtype(DTYPES[head[2]])
    wanted = prod(shape) * dtype.itemsize
    if wanted == 0:
        raise source.error(f"has the shape {list(shape)}", "give a file with samples")
    if wanted > most - 4 - len(sizes):
        raise truncated(source, max(0, most - 4 - len(sizes)), wanted)
    array = fill(file, shape, dtype, source)
    with undamaged(source):
        # Reading to the end also checks the checksum of gzip.
        if file.read(1):
            raise source.error("goes on after its last sample", "get the file again")
    if dtype.kind == "f":
        good = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if not good.all():
            raise source.error(
                "holds NaN or infinity", "correct the sample", row=int(np.argmin(good))
            )
    return array.astype(dtype.newbyteorder("="), copy=False)
