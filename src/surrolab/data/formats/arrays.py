"""Samples and labels in numpy's .npz."""

import os
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.labels import check_classes, check_split, text_column
from surrolab.data.formats.npz import members, read_member
from surrolab.data.formats.opening import opened
from surrolab.data.formats.problem import Source, shown

BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """Samples of one shape with their labels.

    Attributes:
        x: bool, integer or float, ``[n, ...]``; finite, and 0 in steps from ``lengths`` on.
        labels: ``[n]``, none of them empty.
        lengths: int64 ``[n]``, valid steps of each sample along axis 1; None where not given.
        split: "train", "val" or "test" of each sample; None where not given.
        groups: what else the samples belong to (a speaker, a session); None where not given.
    """

    x: NDArray[np.generic]
    labels: list[str]
    lengths: NDArray[np.int64] | None
    split: list[str] | None
    groups: list[str] | None


def read_arrays(
    path: str | os.PathLike[str],
    option: str,
    *,
    x: str = "x",
    y: str = "y",
    lengths: str = "lengths",
    split: str = "split",
    group: str = "group",
    least_classes: int = 2,
) -> ArrayFile:
    """Read an .npz file. Objects are refused, so that nothing is ever unpickled.

    Args:
        path: the file, compressed or not.
        option: the option that gave it, for errors.
        x: key of the samples, ``[n, ...]``.
        y: key of the labels, ``[n]``, whole numbers or text.
        lengths: key of the lengths, whole numbers from 1 to ``x.shape[1]``; need not be there.
            Steps from a sample's length on may hold anything, NaN too, and become 0.
        split: key of the split, text; need not be there.
        group: key of the groups, whole numbers or text; need not be there.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: the file is no .npz or damaged, a key is missing, shapes disagree, a type is
            not allowed, x holds NaN or infinity, a length or split is out of range, or there are
            too few classes.
    """
    source = Source(option, path)
    with opened(source) as (file, size), members(file, size, source) as (archive, keys):
        for key in (x, y):
            if key not in keys:
                allowed = ", ".join(shown(name) for name in list(keys)[:20]) or "none"
                raise source.error(f"there is no array {shown(key)}", f"allowed: {allowed}")
        samples = _samples(read_member(archive, keys[x], source), x, source)
        count = len(samples)

        def column(key: str) -> list[str] | None:
            return _column(archive, keys, key, count, source)

        labels, parts, groups = column(y) or [], column(split), column(group)
        steps = None
        if lengths in keys:
            steps = _lengths(read_member(archive, keys[lengths], source), samples, lengths, source)
    check_classes(labels, least_classes, source)
    for row, part in enumerate(parts or []):
        check_split(part, row, source)
    if steps is not None:
        for row, length in enumerate(steps.tolist()):
            samples[row, length:] = 0
    _check_finite(samples, x, source)
    return ArrayFile(samples, labels, steps, parts, groups)


def _column(
    archive: zipfile.ZipFile,
    keys: dict[str, zipfile.ZipInfo],
    key: str,
    count: int,
    source: Source,
) -> list[str] | None:
    if key not in keys:
        return None
    return text_column(read_member(archive, keys[key], source), key, count, source)


def _samples(array: NDArray[np.generic], key: str, source: Source) -> NDArray[np.generic]:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise source.error(f"{key} has the type {array.dtype}", "give booleans, integers or floats")
    if array.ndim == 0 or array.size == 0:
        raise source.error(
            f"{key} has the shape {list(array.shape)}", "give one sample or more, sample axis first"
        )
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _lengths(
    array: NDArray[np.generic], samples: NDArray[np.generic], key: str, source: Source
) -> NDArray[np.int64]:
    if samples.ndim < 2:
        raise source.error(f"{key} is given but x has no time axis", "give x as [n, T, ...]")
    if array.dtype.kind not in "iu" or array.shape != samples.shape[:1]:
        raise source.error(
            f"{key} has the type {array.dtype} and the shape {list(array.shape)}",
            f"give {len(samples)} whole numbers",
        )
    steps = array.astype(np.int64)  # of uint64, what does not fit becomes negative
    bad = np.flatnonzero((steps < 1) | (steps > samples.shape[1]))
    if len(bad):
        row = int(bad[0])
        raise source.error(
            f"{key} is {array[row]}", f"allowed: 1 to {samples.shape[1]}, the steps of x", row=row
        )
    return steps


def _check_finite(array: NDArray[np.generic], key: str, source: Source) -> None:
    if array.dtype.kind != "f":
        return
    rows = max(1, BLOCK * len(array) // array.size)
    for start in range(0, len(array), rows):
        good = np.isfinite(array[start : start + rows]).reshape(-1, array[0].size).all(axis=1)
        if not good.all():
            raise source.error(
                f"{key} holds NaN or infinity",
                "fill it in, or leave the sample out",
                row=start + int(np.argmin(good)),
            )
