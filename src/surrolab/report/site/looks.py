"""Plots of what diagnostics saw: where the gradient goes, and where the membrane lies.

Records come newest first, as do the choices of the plots.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from surrolab.report.drawing import Figure, number, said
from surrolab.report.site.axes import band, domain, levels, short, upright
from surrolab.report.site.records import Array, Record

COLUMNS = 120  # of a heat map; longer sequences are averaged over neighbouring steps
SMALLEST = 1e-5  # share of neuron-steps at which the histogram's axis ends
FEW = 1e-4  # bins with less end the other axis


def gradient_map(records: Sequence[Record]) -> Figure | None:
    """The norm of dL/dU by layer and time step, a look at a time; None where there is none."""
    looks = [(record, norms) for record in records if (norms := _norms(record)) is not None]
    if not looks:
        return None
    data, choices, logs = [], [], []
    for index, (record, norms) in enumerate(looks):
        steps, binned = _binned(norms)
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.where(binned > 0, np.log10(binned), np.nan)
        logs.append(log[np.isfinite(log)])
        layers = record.names("layers")
        data.append(
            {
                "type": "heatmap",
                "meta": index,
                "x": steps,
                "y": list(range(len(layers))),
                "z": [[short(v, 3) for v in row] for row in log],
                "coloraxis": "coloraxis",
                "hovertemplate": "step %{x}: 10^%{z:.2f}<extra></extra>",
                "ygap": 2,
            }
        )
        choices.append((record.when, {"yaxis": _layers_axis(layers)}))
    known = np.concatenate(logs)
    high = float(known.max()) if known.size else 0.0
    low = max(float(known.min()), high - 12) if known.size else -1.0  # beyond is as good as nothing
    layers = looks[0][0].names("layers")
    layout = {
        "xaxis": {"title": {"text": "time step"}, "showgrid": False},
        "yaxis": choices[0][1]["yaxis"],
        "coloraxis": {
            "colorscale": "@sequence",
            "cmin": low,
            "cmax": high if high > low else low + 1,
            "colorbar": {
                "title": {"text": "norm of dL/dU", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
                **_decades(low, high),
            },
        },
    }
    return Figure(
        data, layout, _said_of_norms(*looks[0]), height=110 + 46 * len(layers), choices=choices
    )


def membranes(records: Sequence[Record]) -> Figure | None:
    """Where the membrane lies against the threshold, a look at a time; None where nothing is."""
    looks = [(record, counts) for record in records if (counts := _counts(record)) is not None]
    if not looks:
        return None
    layers, edges = looks[0][0].names("spiking"), looks[0][0].arrays["membrane_edges"]
    looks = [
        (record, counts)
        for record, counts in looks
        if record.names("spiking") == layers
        and np.array_equal(record.arrays["membrane_edges"], edges)
    ]
    shares = [counts / np.maximum(1, counts.sum(axis=1, keepdims=True)) for _, counts in looks]
    middles = (edges[:-1] + edges[1:]) / 2
    first, last = _span(np.max([share.max(axis=0) for share in shares], axis=0), edges)
    data: list[dict[str, Any]] = []
    choices: list[tuple[str, dict[str, Any]]] = []
    for index, ((record, _), share) in enumerate(zip(looks, shares, strict=True)):
        shapes: list[dict[str, Any]] = []
        windows = record.numbers("windows", 1)
        for row in range(len(layers)):
            axis = "" if row == 0 else str(row + 1)
            data.append(
                {
                    "meta": index,
                    **({} if row == 0 else {"yaxis": f"y{axis}"}),
                    "levels": levels(share[row, first:last], SMALLEST, 1, log=True),
                }
            )
            if windows is not None and row < len(windows):
                half = float(np.nan_to_num(windows[row], posinf=1e9))
                low, high = max(-half, float(edges[first])), min(half, float(edges[last]))
                shapes.append(band(f"y{axis}", round(low, 4), round(high, 4)))
            shapes.append(upright(f"y{axis}", 0.0))
        choices.append((record.when, {"shapes": shapes}))
    layout: dict[str, Any] = {
        "xaxis": {
            "title": {
                "text": "(U \N{MINUS SIGN} \N{GREEK SMALL LETTER THETA}) / "
                "\N{GREEK SMALL LETTER THETA}"
            },
            "range": [float(edges[first]), float(edges[last])],
            "anchor": "y" if len(layers) == 1 else f"y{len(layers)}",
        },
        "shapes": choices[0][1]["shapes"],
    }
    for row, name in enumerate(layers):
        layout["yaxis" if row == 0 else f"yaxis{row + 1}"] = {
            "type": "log",
            "range": [np.log10(SMALLEST), 0.1],
            "dtick": 2,
            "title": {"text": said(name, 16)},
            "domain": domain(row, len(layers)),
        }
    outside = [
        f"{name}: {number(float(share))}"
        for name, share in zip(layers, _above(looks[0][1], edges), strict=True)
    ]
    says = (
        f"Share of neuron-steps by distance of the membrane from the threshold, {looks[0][0].when}"
        f"; at or above it: {', '.join(outside)}."
    )
    common = {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        **_even(middles[first:last]),
        "line": {"color": "@c0", "shape": "hvh", "width": 1.6},
        "hovertemplate": "%{x:.3~f}: %{y:.2~%} of neuron-steps<extra></extra>",
    }
    height = 90 + 130 * len(layers)
    return Figure(data, layout, says, height=height, choices=choices, common=common)


def _norms(record: Record) -> Array | None:
    norms = record.numbers("gradient_norm", 2)
    return norms if norms is not None and len(norms) == len(record.names("layers")) else None


def _counts(record: Record) -> Array | None:
    counts, edges = record.counts("membrane_counts", 2), record.numbers("membrane_edges", 1)
    if counts is None or edges is None or len(counts) != len(record.names("spiking")):
        return None
    good = np.isfinite(edges).all() and (edges[1:] > edges[:-1]).all()
    return counts if good and counts.shape[1] + 1 == len(edges) else None


def _binned(norms: Array) -> tuple[list[float], Array]:
    """Neighbouring steps averaged until there is room for them; their middles and the means."""
    steps = norms.shape[1]
    width = -(-steps // COLUMNS)
    parts = range(0, steps, width)
    means = [_mean(norms[:, i : i + width]) for i in parts]
    middles = [i + 1 + (min(width, steps - i) - 1) / 2 for i in parts]
    return middles, np.stack(means, axis=1)


def _mean(norms: Array) -> Array:
    """Of the finite numbers of each row; not a number where there is none."""
    good = np.isfinite(norms)
    count = good.sum(axis=1)
    total = np.where(good, norms, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(1, count), np.nan)


def _even(middles: Array) -> dict[str, Any]:
    """Places along an axis, in two numbers where their distances are the same."""
    steps = np.diff(middles)
    if len(steps) and np.allclose(steps, steps[0], rtol=1e-3):
        return {"x0": short(middles[0], 6), "dx": short(float(steps.mean()), 6)}
    return {"x": [short(middle, 4) for middle in middles]}


def _span(share: Array, edges: Array) -> tuple[int, int]:
    """The first and the last bin in which there is something, and the threshold."""
    present = np.flatnonzero(share > FEW)
    low, high = (present[0], present[-1]) if present.size else (0, len(share) - 1)
    zero = int(np.clip(np.searchsorted(edges, 0.0), 1, len(share)))
    margin = len(share) // 20
    return max(0, min(int(low), zero - margin)), min(len(share), max(int(high) + 1, zero + margin))


def _above(counts: Array, edges: Array) -> Array:
    above: Array = counts[:, edges[:-1] >= -1e-9].sum(axis=1) / np.maximum(1, counts.sum(axis=1))
    return above


def _said_of_norms(record: Record, norms: Array) -> str:
    layers = record.names("layers")
    means = map(float, _mean(norms))
    parts = [f"{name} {number(mean)}" for name, mean in zip(layers, means, strict=True)]
    return (
        f"Norm of the loss's gradient by the membrane, over {norms.shape[1]} time steps, "
        f"{record.when}; means: {', '.join(parts)}."
    )


def _decades(low: float, high: float) -> dict[str, Any]:
    """Ticks of an axis of logarithms, at 1, 2 and 5 where it spans few decades."""
    first, last = int(np.floor(low)), int(np.ceil(high))
    factors = (1, 2, 5) if high - low < 3 else (1,)
    every = max(1, round((last - first) / 8))
    places = [
        (float(np.log10(factor)) + decade, factor * 10.0**decade)
        for decade in range(first, last + 1, every)
        for factor in factors
    ]
    inside = [(place, value) for place, value in places if low <= place <= high]
    return {
        "tickvals": [place for place, _ in inside],
        "ticktext": [number(value) for _, value in inside],
    }


def _layers_axis(layers: Sequence[str]) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(layers))),
        "ticktext": [said(name, 16) for name in layers],
        "showgrid": False,
    }
