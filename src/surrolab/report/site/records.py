"""The arrays that a run keeps of some epochs: which of them are shown, and in what shape."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surrolab.report.reading import read_record

Array = npt.NDArray[Any]
_NAME = re.compile(r"(\w+)-epoch(\d+)\.npz")


@dataclass(frozen=True)
class Record:
    """The arrays of one epoch; 0 is before the first step."""

    epoch: int
    arrays: Mapping[str, Array]

    @property
    def when(self) -> str:
        return f"after epoch {self.epoch}" if self.epoch else "before training"

    def names(self, key: str) -> list[str]:
        """An array of names; none where it is not there."""
        found = self.arrays.get(key)
        return [] if found is None or found.ndim != 1 else [str(name) for name in found]

    def numbers(self, key: str, dimensions: int) -> Array | None:
        """An array of numbers with so many dimensions; None where there is none."""
        found = self.arrays.get(key)
        good = found is not None and found.ndim == dimensions and found.dtype.kind in "biuf"
        return found if good and found is not None and found.size else None

    def counts(self, key: str, dimensions: int) -> Array | None:
        """An array of whole numbers of at least 0; None where there is none."""
        found = self.numbers(key, dimensions)
        if found is None or not (
            np.isfinite(found).all() and ((found >= 0) & (found < 2**53)).all()
        ):
            return None
        return found.astype(np.int64)

    def values(self) -> dict[str, float]:
        """Its metrics."""
        values = self.numbers("values", 1)
        names = self.names("metrics")
        if values is None or len(values) != len(names):
            return {}
        return {n: float(v) for n, v in zip(names, values, strict=True) if np.isfinite(v)}


def read_records(run: Path, kind: str, most: int) -> list[Record]:
    """The records of a kind, newest first: the last, the first, and some between, if whole."""
    try:
        names = [path.name for path in (run / "records").iterdir()]
    except OSError:
        return []
    epochs = {}
    for name in names:
        found = _NAME.fullmatch(name)
        if found and found[1] == kind:
            epochs[int(found[2])] = name
    wanted = spread(sorted(epochs), most)
    records = [
        Record(epoch, read_record(run / "records" / epochs[epoch])) for epoch in reversed(wanted)
    ]
    return [record for record in records if record.arrays]


def spread(items: Sequence[Any], most: int) -> list[Any]:
    """The first, the last, and as many evenly between as there is room for."""
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[-1]]
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
