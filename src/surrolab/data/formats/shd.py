"""HDF5 in the layout of SHD and SSC (Cramer et al. 2020, doi:10.1109/TNNLS.2020.3044364)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from surrolab.data.formats.events import Backwards, Events, Recording, gathered, recording
from surrolab.data.formats.hdf5 import hdf5_errors, opened_hdf5, texts, vector
from surrolab.data.formats.heap import VariableRows
from surrolab.data.formats.labels import class_names, text_column
from surrolab.data.formats.opening import opened
from surrolab.data.formats.problem import Source, shown

SHD_UNITS = 700
_US = 1e6


class ShdFile:
    """An open file whose recordings are read one by one; `open_shd` makes it.

    Attributes:
        labels: one a recording: from ``extra/keys`` where the file has it, else the number as text.
        classes: the names in ``extra/keys`` in their order, else the labels in natural order.
        speakers: one a recording, None where the file has no ``extra/speaker``.
        time_type: the numpy type of the times, of which float16 is the coarsest.
    """

    def __init__(
        self, file: Any, raw: BinaryIO, size: int, source: Source, units: int | None
    ) -> None:
        self._source = source
        self._size = size
        self._units = units
        self._times = _Rows(file, raw, size, "spikes/times", "f", source)
        self._channels = _Rows(file, raw, size, "spikes/units", "iu", source)
        self.time_type = self._times.dtype
        count = len(self._times)
        if len(self._channels) != count:
            raise source.error(
                f"spikes/times has {count} recordings and spikes/units {len(self._channels)}",
                "give both for each recording",
            )
        if not count:
            raise source.error("holds no recording", "give a file with recordings")
        labels = texts(vector(file, size, "labels", source), "labels", source)
        self.labels = text_column(labels, "labels", count, source)
        self.classes = class_names(self.labels)
        keys = vector(file, size, "extra/keys", source, needed=False)
        if keys is not None and labels.dtype.kind in "iu":
            names = texts(keys, "extra/keys", source)
            self.classes = text_column(names, "extra/keys", len(names), source)
            self.labels = _named(labels, self.classes, source)
        self.speakers: list[str] | None = None
        speakers = vector(file, size, "extra/speaker", source, needed=False)
        if speakers is not None:
            found = texts(speakers, "extra/speaker", source)
            self.speakers = text_column(found, "extra/speaker", count, source)

    def __len__(self) -> int:
        return len(self.labels)

    def recording(self, at: int, backwards: Backwards = "error") -> Recording:
        """Read one recording; y and p are 0.

        Args:
            at: which, from 0.
            backwards: "error", or "sort" for spikes that are not in the order of their times.

        Raises:
            DataFileError: it is damaged, its times and units differ in number, a time is not
                finite, a unit out of range, or time runs back.
        """
        t, x = self._times.read(at), self._channels.read(at)
        if len(t) != len(x):
            raise self._source.error(
                f"has {t.size} times and {x.size} units", "give each spike both", recording=at
            )
        zeros = np.zeros(len(t), dtype=np.uint8)
        return recording(
            *(t, x, zeros, zeros),
            unit_us=_US,
            sensor=None if self._units is None else (self._units, 1),
            backwards=backwards,
            source=self._source,
            number=at,
        )

    def recordings(self, backwards: Backwards = "error") -> Iterator[Recording]:
        """Read all recordings in their order.

        Raises:
            DataFileError: as `recording`; or together they are larger than the file, as is so when
                several are one and the same piece of it.
        """
        if self._times.nbytes + self._channels.nbytes > self._size:
            raise self._source.error(
                "has more spikes than its bytes can hold", "get or save the file again"
            )
        for at in range(len(self)):
            yield self.recording(at, backwards)


@contextmanager
def open_shd(
    path: str | os.PathLike[str], option: str, *, units: int | None = None
) -> Iterator[ShdFile]:
    """Open a file in SHD's layout, to read its recordings one by one.

    It has ``spikes/times`` (of variable length, float16, 32 or 64, seconds), ``spikes/units`` (of
    variable length, whole numbers) and ``labels`` (whole numbers or text); it may have
    ``extra/keys`` (the classes' names, by number) and ``extra/speaker``.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        units: how many units there are (`SHD_UNITS`); None allows any number.

    Raises:
        DataFileError: the file is no HDF5 or damaged, a part is missing or of another type or
            length, a label has no key, or data lie in other files.
    """
    source = Source(option, path)
    with opened_hdf5(source) as (file, size), opened(source) as (raw, _):
        yield ShdFile(file, raw, size, source, units)


def read_shd(
    path: str | os.PathLike[str],
    option: str,
    *,
    units: int | None = None,
    backwards: Backwards = "error",
    least_classes: int = 2,
) -> Events:
    """Read all recordings of a file in SHD's layout; y and p are 0, groups are the speakers.

    SHD's training part takes about 1 GB, that of SSC 8 GB: `open_shd` reads one by one.

    Args:
        path: the file.
        option: the option that gave it, for errors.
        units: how many units there are (`SHD_UNITS`); None takes the largest that occurs and 1.
        backwards: as `ShdFile.recording`.
        least_classes: how many classes there have to be.

    Raises:
        DataFileError: as `open_shd` and `ShdFile.recordings`.
    """
    source = Source(option, path)
    with open_shd(path, option, units=units) as file:
        return gathered(
            file.recordings(backwards),
            file.labels,
            classes=file.classes,
            groups=file.speakers,
            sensor=None if units is None else (units, 1),
            polarities=1,
            least_classes=least_classes,
            source=source,
        )


class _Rows:
    def __init__(
        self, file: Any, raw: BinaryIO, size: int, name: str, kinds: str, source: Source
    ) -> None:
        import h5py

        dataset = vector(file, size, name, source)
        base = h5py.check_vlen_dtype(dataset.dtype)
        if not isinstance(base, np.dtype) or base.kind not in kinds or base.itemsize > 8:
            raise source.error(
                f"{shown(name)} has the type {dataset.dtype if base is None else base}",
                "give vectors of variable length: times as floats (seconds), units as whole "
                "numbers",
            )
        self.dtype: np.dtype[np.generic] = base
        with hdf5_errors(source):
            self._rows = VariableRows(raw, size, dataset, base.itemsize, name, source)
        self.nbytes = self._rows.nbytes

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, at: int) -> NDArray[np.generic]:
        return np.frombuffer(self._rows.read(at), self.dtype)


def _named(labels: NDArray[np.generic], keys: list[str], source: Source) -> list[str]:
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise source.error(f"extra/keys has {shown(twice[0])} twice", "name each class once")
    for at, label in enumerate(labels.tolist()):
        if not 0 <= label < len(keys):
            raise source.error(
                f"the label {label} has no key", f"allowed: 0 to {len(keys) - 1}", recording=at
            )
    return [keys[label] for label in labels.tolist()]
