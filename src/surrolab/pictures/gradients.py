"""Pictures of where the gradient goes, where the membrane lies, and what the two agree on."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

INK = "#1f2933"
BLUE, ORANGE, GREEN, GREY = "#2f6f9f", "#d1761a", "#3b8a5a", "#9aa5b1"


def draw_flow(norm_LT: np.ndarray, layers: Sequence[str]) -> Figure:
    """Heat map of the norm of dL/dU: layers from the readout (top) down to the input, over time.

    Args:
        norm_LT: norms ``[layers, T]``; zeros, where no gradient arrives, and what is not finite
            are left white.
        layers: names, from the input side to the readout.
    """
    figure = Figure(figsize=(8, 1.2 + 0.45 * len(layers)), layout="constrained")
    axes = figure.subplots()
    shown = np.ma.masked_where(~np.isfinite(norm_LT) | (norm_LT <= 0), norm_LT)
    if shown.count():
        low, high = float(shown.min()), float(shown.max())
        # Never more than twelve decades: what is smaller is as good as nothing.
        low = max(low, high * 1e-12)
        if low == high:
            low = high / 10
        image = axes.imshow(
            shown,
            aspect="auto",
            origin="lower",
            norm=LogNorm(low, high),
            cmap="viridis",
            interpolation="nearest",
        )
        figure.colorbar(image, ax=axes, label="norm of dL/dU")
    else:
        axes.text(
            0.5, 0.5, "no gradient anywhere", ha="center", va="center", transform=axes.transAxes
        )
        axes.set_xlim(-0.5, norm_LT.shape[1] - 0.5)
    axes.set_yticks(range(len(layers)), labels=list(layers))
    axes.set_xlabel("time step")
    axes.set_title("Where the gradient goes: white is where none arrives", loc="left")
    return figure


def draw_membranes(
    edges: np.ndarray,
    counts: Mapping[str, np.ndarray],
    windows: Mapping[str, float],
) -> Figure:
    """Distribution of the membrane potential against the threshold, with the surrogate's window.

    Args:
        edges: bin edges ``[K + 1]`` of ``(U - theta) / theta``; the first and last bin hold what
            lies beyond.
        counts: neuron-steps per bin ``[K]`` by layer.
        windows: half width of the surrogate's window in the same unit, by layer; ``inf`` is all.
    """
    figure = Figure(figsize=(8, 0.8 + 1.3 * len(counts)), layout="constrained")
    rows = figure.subplots(len(counts), 1, sharex=True, squeeze=False)[:, 0]
    low, high = _span(edges, counts)
    for axes, (name, count) in zip(rows, counts.items(), strict=True):
        share = count / max(1, count.sum())
        axes.axvspan(
            max(low, -windows[name]), min(high, windows[name]), color=ORANGE, alpha=0.18, lw=0
        )
        axes.stairs(share, edges, fill=True, color=BLUE)
        axes.axvline(0, color=INK, lw=1)
        axes.set_yscale("log")
        axes.set_ylim(1e-5, 1)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.set_xlim(low, high)
    rows[0].set_title(
        "Membrane potential: share of neuron-steps (log); line: threshold, shaded: window",
        loc="left",
    )
    rows[-1].set_xlabel("(U - theta) / theta")
    return figure


def draw_agreement(
    cosines: Mapping[str, Mapping[str, float | None]],
    intervals: Mapping[str, Mapping[str, tuple[float, float] | None]],
) -> Figure:
    """Cosine between the surrogate gradient and each reference, by layer.

    Args:
        cosines: by reference, then by layer; None where there is none.
        intervals: 95 % confidence intervals in the same shape, where there are any.
    """
    layers = list(next(iter(cosines.values()), {}))
    figure = Figure(figsize=(8, 1.6 + 0.55 * len(layers)), layout="constrained")
    axes = figure.subplots()
    colors = (BLUE, GREEN, ORANGE, GREY)
    height = 0.8 / max(1, len(cosines))
    for i, (reference, values) in enumerate(cosines.items()):
        for j, layer in enumerate(layers):
            value = values.get(layer)
            y = j + 0.4 - (i + 0.5) * height
            label = reference if j == 0 else None
            if value is None:
                axes.text(0.01, y, "none", va="center", fontsize=7, color=GREY)
                axes.barh(y, 0, height * 0.9, color=colors[i % 4], label=label)
                continue
            axes.barh(y, value, height * 0.9, color=colors[i % 4], label=label)
            span = intervals.get(reference, {}).get(layer)
            if span is not None:
                axes.plot(span, (y, y), color=INK, lw=1.2)
    axes.set_yticks(range(len(layers)), labels=layers)
    axes.set_xlim(-1, 1)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_xlabel("cosine with the surrogate gradient (1: same direction)")
    axes.set_title("Which way the surrogate gradient points", loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=2, frameon=False)
    return figure


def _span(edges: np.ndarray, counts: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """The part of the axis in which there is something, and the threshold."""
    total = np.sum(list(counts.values()), axis=0)
    present = np.flatnonzero(total > 1e-5 * max(1, total.sum()))
    if not len(present):
        return float(edges[0]), float(edges[-1])
    low, high = float(edges[present[0]]), float(edges[present[-1] + 1])
    return min(low, -1.1), max(high, 0.6)
