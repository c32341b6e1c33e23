"""A few samples of a data set, before and after encoding."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CURVES = 12
"""Of more channels there is a map in place of curves."""
FRAMES = 6
"""Into so many a recording of a camera is summed."""


def draw_samples(
    samples: list[np.ndarray],
    encoded: list[np.ndarray],
    titles: list[str],
    is_sequence: bool,
) -> bytes:
    """A row per sample: as it is on the left, what the network is given on the right; PNG.

    Args:
        samples: ``[T, *shape]`` without padding, or ``[*shape]`` of static data. Where a step is an
            image, a few frames are drawn in place of every step.
        encoded: ``[T, *shape]`` each.
        titles: what is said of each sample.
        is_sequence: whether samples have a time axis.
    """
    figure = Figure(figsize=(10, 1 + 2.1 * len(samples)), layout="constrained")
    axes = figure.subplots(len(samples), 2, squeeze=False)
    for row, (sample, steps, title) in enumerate(zip(samples, encoded, titles, strict=True)):
        left, right = axes[row]
        left.set_title(title, fontsize=10, loc="left", parse_math=False)
        right.set_title("as the network is given it", fontsize=10, loc="left")
        if is_sequence and sample.ndim == 4:
            _frames(left, sample)
        elif is_sequence:
            _over_time(left, sample)
        else:
            _still(left, sample)
        _over_time(right, steps)
    for axis, shown in zip(axes[-1], (samples[-1], encoded[-1]), strict=True):
        if shown is encoded[-1] or (is_sequence and shown.ndim < 4):
            axis.set_xlabel("time step")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _still(axis: Axes, sample: np.ndarray) -> None:
    if sample.ndim == 3:
        image = np.moveaxis(sample, 0, -1) if len(sample) == 3 else sample.sum(0)
        axis.imshow(image, cmap="gray_r", interpolation="nearest")
        axis.set_xticks([])
        axis.set_yticks([])
        return
    axis.bar(np.arange(sample.size), sample.reshape(-1), color="#2f6f9f")
    axis.set_ylabel("value")


def _frames(axis: Axes, sample: np.ndarray) -> None:
    """Sums over parts of equal length, side by side; of two polarities, ON minus OFF."""
    parts = np.array_split(sample, min(FRAMES, len(sample)))
    summed = np.stack([part.sum(0) for part in parts])
    both = summed.shape[1] == 2
    images = summed[:, 1] - summed[:, 0] if both else summed.sum(1)
    most = float(np.abs(images).max()) or 1.0
    wide = np.pad(images, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    axis.imshow(
        np.concatenate(wide, axis=1)[:, :-1],
        interpolation="nearest",
        cmap="RdBu_r" if both else "gray_r",
        vmin=-most if both else 0,
        vmax=most,
    )
    steps = "" if len(parts) == len(sample) else f", {len(sample)} steps in {len(parts)} parts"
    axis.set_xlabel(f"{'ON minus OFF' if both else 'summed'}{steps}", fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])


def _over_time(axis: Axes, sample: np.ndarray) -> None:
    flat = sample.reshape(len(sample), -1)
    if flat.shape[1] <= CURVES:
        axis.plot(flat, linewidth=1, drawstyle="steps-mid" if len(flat) < 40 else "default")
        axis.set_ylabel("value")
        return
    most = float(np.abs(flat).max()) or 1.0
    signed = bool(flat.min() < 0)
    axis.imshow(
        flat.T,
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        cmap="RdBu_r" if signed else "gray_r",
        vmin=-most if signed else 0,
        vmax=most,
    )
    axis.set_ylabel("input")
