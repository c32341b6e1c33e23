"""Recordings drawn at random, and bins filled one event at a time."""

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from surrolab.data.formats.events import Recording


def drawn(
    rng: np.random.Generator, events: int, sensor: tuple[int, int, int], longest_us: int
) -> Recording:
    width, height, polarities = sensor
    return Recording(
        np.sort(rng.integers(0, longest_us, events)),
        rng.integers(0, width, events).astype(np.uint16),
        rng.integers(0, height, events).astype(np.uint16),
        rng.integers(0, polarities, events).astype(np.uint8),
    )


def filled(
    recording: Recording,
    sensor: tuple[int, int, int],
    *,
    step_us: int,
    steps: int,
    pool: int = 1,
    polarity: str = "split",
) -> tuple[np.ndarray, int]:
    """``[T, polarities, height, width]`` in float64, and how many events came too late."""
    width, height, polarities = sensor
    kept = polarities if polarity == "split" else 1
    across, down = (width + pool - 1) // pool, (height + pool - 1) // pool
    x = np.zeros((steps, kept, down, across))
    late = 0
    for t, column, row, p in zip(*recording, strict=True):
        if polarity in ("on", "off") and p != (1 if polarity == "on" else 0):
            continue
        step = 0
        while t >= (step + 1) * step_us:
            step += 1
        if step >= steps:
            late += 1
            continue
        x[step, int(p) if kept == 2 else 0, int(row) // pool, int(column) // pool] += 1
    return x, late


def shd_bytes(
    recordings: list[Recording], labels: list[int], speakers: list[int] | None, dtype: Any
) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        spikes = file.create_group("spikes")
        rows = len(recordings)
        times = spikes.create_dataset("times", (rows,), h5py.vlen_dtype(np.dtype(dtype)))
        units = spikes.create_dataset("units", (rows,), h5py.vlen_dtype(np.dtype(np.uint16)))
        for at, one in enumerate(recordings):
            times[at] = (one.t / 1e6).astype(dtype)
            units[at] = one.x
        file["labels"] = np.array(labels, np.uint16)
        file["extra/keys"] = np.array([b"one", b"two", b"three"])
        if speakers is not None:
            file["extra/speaker"] = np.array(speakers, np.uint16)
    return out.getvalue()


def spoken(rng: np.random.Generator, label: int, units: int = 700, events: int = 60) -> Recording:
    """Spikes whose units say which class it is; times are exact in float16."""
    t = np.sort(rng.integers(0, 512, events)) * 1_000_000 // 512
    middle = units * (1 + label) // 4
    x = np.clip(rng.normal(middle, units / 20, events), 0, units - 1).astype(np.uint16)
    none = np.zeros(events, np.uint8)
    return Recording(t.astype(np.int64), x, none.astype(np.uint16), none)


def shd_file(
    path: Path, count: int = 60, seed: int = 0, dtype: Any = np.float32, speakers: bool = True
) -> list[Recording]:
    """Write a file; three classes, and speakers 0 to 5."""
    rng = np.random.default_rng(seed)
    labels = [at % 3 for at in range(count)]
    recordings = [spoken(rng, label) for label in labels]
    given = [(at // 3) % 6 for at in range(count)] if speakers else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shd_bytes(recordings, labels, given, dtype))
    return recordings


def nmnist_bytes(recording: Recording) -> bytes:
    """As the camera writes it: rows of 240 stand for 8192 us more on the clock."""
    out, clock = bytearray(), 0
    for t, x, y, p in zip(*recording, strict=True):
        while t - clock >= 1 << 13:
            out += bytes([0, 240, 0, 0, 0])
            clock += 1 << 13
        out += bytes([int(x), int(y)]) + ((int(p) << 23) | int(t - clock)).to_bytes(3, "big")
    return bytes(out)
