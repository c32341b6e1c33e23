"""What the records of activity hold of single samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrolab.report.site.records import Array, Record

BYTES = 8_000  # of a page's rasters, eight neuron-steps each: hundreds of pages stay small
STEPS = 400  # of a raster; in longer ones neighbouring steps are put together
NEURONS = 128
MOST = 4


@dataclass(frozen=True)
class Layer:
    """One layer's part of a record, of all shown samples.

    Args:
        name: its name.
        spikes: ``[T, S, N]``, zeros and ones.
        membrane: ``[T, S, K]``; None where it was not traced.
        traced: which neurons these K are.
        threshold: theirs, at rest.
        level: ``[T, S, K]``, theirs in each step; None where they do not move.
    """

    name: str
    spikes: Array
    membrane: Array | None
    traced: Array
    threshold: Array
    level: Array | None = None


@dataclass(frozen=True)
class Sample:
    """One sample in one record."""

    record: Record
    layers: Sequence[Layer]
    index: int

    @property
    def title(self) -> str:
        """Which, what it is and what it was taken for."""
        words = f"sample {self.index + 1}"
        target, prediction = self._of("targets"), self._of("predictions")
        if target is not None:
            words += f", class {target:g}"
            if prediction is not None:
                right = target == prediction
                words += ", recognised" if right else f", taken for {prediction:g}"
        return f"{words}, {self.record.when}"

    @property
    def length(self) -> int:
        steps = max(len(layer.spikes) for layer in self.layers)
        length = self._of("lengths")
        return steps if length is None else max(1, min(steps, int(length)))

    def _of(self, key: str) -> float | None:
        found = self.record.numbers(key, 1)
        known = found is not None and self.index < len(found) and np.isfinite(found[self.index])
        return float(found[self.index]) if known and found is not None else None


def samples(records: Sequence[Record]) -> list[Sample]:
    """The last record's samples, as many as a page has room for, and the first record's first."""
    known = [(record, layers) for record in records if (layers := _layers(record))]
    if not known:
        return []
    record, layers = known[0]
    size = sum(_size(layer) for layer in layers)
    count = min(layer.spikes.shape[1] for layer in layers)
    room = max(1, BYTES // max(1, size))
    found = [Sample(record, layers, index) for index in range(min(count, room, MOST))]
    # Of a run that has gone on with another network they would not fit together.
    if len(known) > 1 and room > len(found) and _shapes(known[-1][1]) == _shapes(layers):
        found.append(Sample(*known[-1], 0))
    return found


def _layers(record: Record) -> list[Layer]:
    layers = []
    for i, name in enumerate(record.names("layers")):
        packed, neurons = record.arrays.get(f"spikes_{i}"), record.numbers(f"neurons_{i}", 1)
        if packed is None or packed.ndim != 3 or packed.dtype != np.uint8 or neurons is None:
            continue
        if not packed.size or packed.shape[2] * 8 < len(neurons):
            continue
        spikes = np.unpackbits(packed, axis=-1, count=len(neurons))
        membrane = record.numbers(f"membrane_{i}", 3)
        if membrane is not None and membrane.shape[0] != len(spikes):
            membrane = None
        traced, threshold = _row(record, f"traced_{i}"), _row(record, f"threshold_{i}")
        level = record.numbers(f"level_{i}", 3)
        if level is not None and (membrane is None or level.shape != membrane.shape):
            level = None
        layers.append(Layer(name, spikes, membrane, traced, threshold, level))
    return layers


def _row(record: Record, key: str) -> Array:
    found = record.numbers(key, 1)
    return np.zeros(0) if found is None else found


def _shapes(layers: Sequence[Layer]) -> list[tuple[str, tuple[int, ...]]]:
    return [(layer.name, layer.spikes.shape) for layer in layers]


def _size(layer: Layer) -> int:
    steps, _, neurons = map(int, layer.spikes.shape)
    return min(neurons, NEURONS) * -(-min(steps, STEPS) // 8)
