"""Events in numpy's .npy: folders of recordings per class, and the layout of DVS Gesture."""

import os
import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.events import Backwards, Events, Recording, from_entries, recording
from surrolab.data.formats.folders import Entry, class_folders, files, subfolders
from surrolab.data.formats.npz import read_npy
from surrolab.data.formats.opening import check_folder
from surrolab.data.formats.problem import Source, shown

UNITS_US = {"us": 1, "ms": 1000, "s": 1_000_000}
COLUMNS = ("x", "y", "p", "t")
GESTURE_SENSOR = (128, 128)
GESTURE_TRAIN_USERS = range(1, 24)
GESTURE_TEST_USERS = range(24, 30)
SUFFIX = ".npy"
_USER = re.compile(r"user([0-9]{2})(_.*)?")


def read_npy_recording(
    path: str | os.PathLike[str],
    option: str,
    *,
    columns: Sequence[str] = COLUMNS,
    unit: str = "us",
    sensor: tuple[int, int] | None = None,
    backwards: Backwards = "error",
) -> Recording:
    """Read a recording from a structured array with fields x, y, p, t, or from columns ``[E, 4]``.

    Without a field y the sensor is a line. Objects are refused, nothing is ever unpickled.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        columns: what the columns of an array without fields are: x, y, p and t in some order.
        unit: unit of the times: "us", "ms" or "s".
        sensor: width and height; None allows up to 65,536 each.
        backwards: "error", or "sort" for events that are not in the order of their times.

    Raises:
        DataFileError: the file is no .npy or damaged, fields or columns are missing or no numbers,
            an event lies outside the sensor, its polarity is not 0 or 1, or time runs back.
        ValueError: columns or unit are none of those.
    """
    if sorted(columns) != sorted(COLUMNS):
        raise ValueError(f"columns: {list(columns)!r} is not allowed; allowed: x, y, p, t")
    if unit not in UNITS_US:
        raise ValueError(f"unit: {unit!r} is not allowed; allowed: {', '.join(UNITS_US)}")
    source = Source(option, path)
    found = _fields(read_npy(source), columns, source)
    return recording(
        found["t"],
        found["x"],
        found.get("y", np.zeros(len(found["t"]), dtype=np.uint16)),
        found["p"],
        unit_us=UNITS_US[unit],
        sensor=sensor,
        backwards=backwards,
        source=source,
    )


def read_npy_folder(
    folder: str | os.PathLike[str],
    option: str,
    *,
    columns: Sequence[str] = COLUMNS,
    unit: str = "us",
    sensor: tuple[int, int] | None = None,
    backwards: Backwards = "error",
    least_classes: int = 2,
) -> Events:
    """Read all recordings ``<class>/<id>.npy``, or ``<split>/<class>/<id>.npy``, of a folder.

    Args:
        folder: the folder.
        option: the option that gave it, for errors.
        columns: as `read_npy_recording`.
        unit: as `read_npy_recording`.
        sensor: width and height; None takes the smallest that holds all events.
        backwards: as `read_npy_recording`.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: as `class_folders` and `read_npy_recording`.
        ValueError: as `read_npy_recording`.
    """
    return from_entries(
        class_folders(folder, option, SUFFIX),
        lambda entry: read_npy_recording(
            entry.path, option, columns=columns, unit=unit, sensor=sensor, backwards=backwards
        ),
        sensor=sensor,
        least_classes=least_classes,
        source=Source(option, folder),
    )


def gesture_entries(folder: str | os.PathLike[str], option: str) -> list[Entry]:
    """List the recordings ``user<NN>_<light>/<class>.npy`` of DVS Gesture.

    Users 1 to 23 are "train", 24 to 29 "test", as the authors have it (Amir et al. 2017,
    doi:10.1109/CVPR.2017.781); each user is a group.

    Raises:
        DataFileError: there is no such folder, a folder is none of a user, or holds no recording.
    """
    source = Source(option, folder)
    found: list[Entry] = []
    for top in subfolders(check_folder(source), source):
        match = _USER.fullmatch(top.name)
        user = int(match[1]) if match else 0
        if user not in GESTURE_TRAIN_USERS and user not in GESTURE_TEST_USERS:
            raise source.error(
                f"{shown(top.name)} is no folder of a user",
                "allowed: user01_<light> to user29_<light>",
            )
        split = "train" if user in GESTURE_TRAIN_USERS else "test"
        found += [
            Entry(path, path.stem, split=split, group=f"user{user:02}")
            for path in files(top, SUFFIX, source)
        ]
    return found


def read_dvs_gesture(
    folder: str | os.PathLike[str],
    option: str,
    *,
    backwards: Backwards = "error",
    least_classes: int = 2,
) -> Events:
    """Read DVS Gesture: files of `gesture_entries` with x, y, polarity and t in milliseconds.

    Args:
        folder: the folder.
        option: the option that gave it, for errors.
        backwards: as `read_npy_recording`.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: as `gesture_entries` and `read_npy_recording` with 128 x 128 pixels.
    """
    return from_entries(
        gesture_entries(folder, option),
        lambda entry: read_npy_recording(
            entry.path, option, unit="ms", sensor=GESTURE_SENSOR, backwards=backwards
        ),
        sensor=GESTURE_SENSOR,
        least_classes=least_classes,
        source=Source(option, folder),
    )


def _fields(
    array: NDArray[np.generic], columns: Sequence[str], source: Source
) -> dict[str, NDArray[np.generic]]:
    names = array.dtype.names
    if names is not None:
        missing = [name for name in ("x", "p", "t") if name not in names]
        if missing or array.ndim != 1:
            raise source.error(
                f"has the fields {', '.join(shown(name) for name in names[:10])} and the shape "
                f"{list(array.shape)}",
                "give a vector with the fields x, y (where there are rows), p and t",
            )
        found = {name: cast(Any, array)[name] for name in COLUMNS if name in names}
    elif array.ndim == 2 and array.shape[1] == len(columns):
        found = {name: array[:, at] for at, name in enumerate(columns)}
    else:
        raise source.error(
            f"has the shape {list(array.shape)}",
            f"give a structured array, or one column each for {', '.join(columns)}",
        )
    for name, values in found.items():
        if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8 or values.ndim != 1:
            raise source.error(f"{name} has the type {values.dtype}", "give numbers")
    return found
