"""N-MNIST: recordings of 5 bytes an event (Orchard et al. 2015, doi:10.3389/fnins.2015.00437)."""

import os

import numpy as np

from surrolab.data.formats.events import Backwards, Events, Recording, from_entries, recording
from surrolab.data.formats.folders import class_folders
from surrolab.data.formats.opening import fill, opened
from surrolab.data.formats.problem import Source

SENSOR = (34, 34)
SUFFIX = ".bin"
_EVENT = 5
_OVERFLOW_ROW = 240
_OVERFLOW_US = 1 << 13


def read_nmnist_recording(
    path: str | os.PathLike[str],
    option: str,
    *,
    sensor: tuple[int, int] = SENSOR,
    backwards: Backwards = "error",
) -> Recording:
    """Read a recording: per event x, y, then 1 bit polarity and 23 bits microseconds, big-endian.

    An event with y = 240 is none: it says that the times from there on are 8192 us later.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        sensor: width and height.
        backwards: "error", or "sort" for events that are not in the order of their times.

    Raises:
        DataFileError: the file is empty or ends within an event, an event lies outside the sensor,
            or time runs back.
    """
    source = Source(option, path)
    with opened(source) as (file, size):
        if size % _EVENT:
            raise source.error(
                f"ends within an event ({size} bytes, {_EVENT} an event)",
                "give the whole file; was a download broken off?",
            )
        raw = fill(file, (size // _EVENT, _EVENT), np.uint8, source).astype(np.int64)
    x, y, high, middle, low = raw.T
    overflow = y == _OVERFLOW_ROW
    t = (((high & 0x7F) << 16) | (middle << 8) | low) + _OVERFLOW_US * np.cumsum(overflow)
    keep = ~overflow
    return recording(
        *(t[keep], x[keep], y[keep], high[keep] >> 7),
        unit_us=1,
        sensor=sensor,
        backwards=backwards,
        source=source,
    )


def read_nmnist(
    folder: str | os.PathLike[str],
    option: str,
    *,
    sensor: tuple[int, int] = SENSOR,
    backwards: Backwards = "error",
    least_classes: int = 2,
) -> Events:
    """Read all recordings ``Train|Test/<class>/<id>.bin``, or ``<class>/<id>.bin``, of a folder.

    The whole of N-MNIST takes about 4 GB; `class_folders` lists the files to read one by one.

    Args:
        folder: the folder.
        option: the option that gave it, for errors.
        sensor: width and height.
        backwards: as `read_nmnist_recording`.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: as `class_folders` and `read_nmnist_recording`.
    """
    return from_entries(
        class_folders(folder, option, SUFFIX),
        lambda entry: read_nmnist_recording(entry.path, option, sensor=sensor, backwards=backwards),
        sensor=sensor,
        least_classes=least_classes,
        source=Source(option, folder),
    )
