"""Plots of what single samples do to the network: rasters of spikes, and membranes."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from surrolab.report.drawing import Figure, said
from surrolab.report.site.axes import domain, level, levels, upright
from surrolab.report.site.records import Array
from surrolab.report.site.samples import NEURONS, STEPS, Layer, Sample

POINTS = 2_400  # of a page's membrane traces
TRACED = 4


def rasters(shown: Sequence[Sample]) -> Figure:
    """Which neuron fires when, a sample at a time, the layers below each other."""
    layers = shown[0].layers
    rows = [min(NEURONS, layer.spikes.shape[2]) for layer in layers]
    heights = [max(90, round(2.2 * count)) for count in rows]
    data, choices = [], []
    for index, sample in enumerate(shown):
        shapes = []
        for row, layer in enumerate(sample.layers):
            axis = "y" if row == 0 else f"y{row + 1}"
            bits, width = _raster(layer, sample.index)
            data.append(
                {
                    "type": "heatmap",
                    "meta": index,
                    "yaxis": axis,
                    "x0": (width + 1) / 2,
                    "dx": width,
                    "bits": {
                        "data": base64.b64encode(np.packbits(bits, axis=1).tobytes()).decode(),
                        "columns": bits.shape[1],
                    },
                    "colorscale": "@spikes",
                    "showscale": False,
                    "zmin": 0,
                    "zmax": 1,
                    "hovertemplate": f"{said(layer.name, 20)}, row %{{y}}, step %{{x}}"
                    "<extra></extra>",
                }
            )
            if sample.length < len(layer.spikes):  # what comes after is filling
                shapes.append(upright(axis, sample.length + 0.5, "@c1", "dash"))
        choices.append((sample.title, {"shapes": shapes}))
    layout: dict[str, Any] = {
        "xaxis": {
            "title": {"text": "time step"},
            "anchor": "y" if len(layers) == 1 else f"y{len(layers)}",
            "showgrid": False,
            "range": [0.5, max(len(layer.spikes) for layer in layers) + 0.5],
        },
        "shapes": choices[0][1]["shapes"],
    }
    total, top = sum(heights), 1.0
    for row, (layer, height) in enumerate(zip(layers, heights, strict=True)):
        share = height / total
        layout["yaxis" if row == 0 else f"yaxis{row + 1}"] = {
            "title": {"text": said(layer.name, 16)},
            "domain": [max(0.0, top - share * 0.94), top],
            "range": [rows[row] - 0.5, -0.5],
            "showgrid": False,
            "nticks": 4,
        }
        top -= share
    says = f"Spikes of {_neurons(layers, rows)}; {shown[0].title}: {_fired(shown[0])}."
    return Figure(data, layout, says, height=80 + total, choices=choices)


def membrane_traces(shown: Sequence[Sample]) -> Figure | None:
    """The membrane over time of some neurons; None where none was traced."""
    layers = [i for i, layer in enumerate(shown[0].layers) if layer.membrane is not None]
    if not layers:
        return None
    steps = max(len(layer.spikes) for layer in shown[0].layers)
    stride = max(1, -(-steps * len(layers) * len(shown) * TRACED // (4 * POINTS)))
    ends = {place: _ends([sample.layers[place] for sample in shown]) for place in layers}
    data, choices = [], []
    for index, sample in enumerate(shown):
        shapes = []
        for row, place in enumerate(layers):
            layer, axis = sample.layers[place], "y" if row == 0 else f"y{row + 1}"
            if layer.membrane is None or sample.index >= layer.membrane.shape[1]:
                continue
            traced = layer.membrane[: sample.length : stride, sample.index]
            for k in range(min(TRACED, traced.shape[1])):
                data.append(
                    {
                        "meta": index,
                        "yaxis": axis,
                        "name": f"neuron {_item(layer.traced, k, k):g}",
                        "levels": levels(traced[:, k], *ends[place]),
                        "marker": {"color": f"@c{k}"},  # the line follows it
                    }
                )
            if layer.level is not None:
                moving = layer.level[: sample.length : stride, sample.index]
                for k in range(min(TRACED, moving.shape[1])):
                    data.append(
                        {
                            "meta": index,
                            "yaxis": axis,
                            "name": f"threshold of neuron {_item(layer.traced, k, k):g}",
                            "levels": levels(moving[:, k], *ends[place]),
                            "marker": {"color": f"@c{k}"},
                            "line": {"width": 1, "dash": "dash"},
                        }
                    )
                continue
            thresholds = sorted({_item(layer.threshold, k, np.nan) for k in range(traced.shape[1])})
            shapes += [level(axis, value) for value in thresholds if np.isfinite(value)][:TRACED]
        choices.append((sample.title, {"shapes": shapes}))
    layout: dict[str, Any] = {
        "xaxis": {
            "title": {"text": "time step"},
            "anchor": "y" if len(layers) == 1 else f"y{len(layers)}",
            "range": [0.5, steps + 0.5],
        },
        "shapes": choices[0][1]["shapes"],
    }
    for row, place in enumerate(layers):
        layout["yaxis" if row == 0 else f"yaxis{row + 1}"] = {
            "title": {"text": said(shown[0].layers[place].name, 16)},
            "domain": domain(row, len(layers)),
            "nticks": 5,
        }
    names = ", ".join(shown[0].layers[place].name for place in layers)
    says = f"Membrane potential over time of up to {TRACED} neurons each of {names}; dashed: "
    says += f"the threshold; {shown[0].title}."
    common = {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "x0": 1,
        "dx": stride,
        "line": {"width": 1.5},
        "hovertemplate": "%{fullData.name}, step %{x}: %{y:.2~g}<extra></extra>",
    }
    height = 80 + 150 * len(layers)
    return Figure(data, layout, says, height=height, choices=choices, common=common)


def _ends(layers: Sequence[Layer]) -> tuple[float, float]:
    """The lowest and the highest membrane of a layer, over all samples that are shown.

    Thresholds that move are drawn on the same axis and count too.
    """
    known = [layer.membrane for layer in layers if layer.membrane is not None]
    known += [layer.level for layer in layers if layer.level is not None]
    values = np.concatenate([membrane.ravel() for membrane in known])
    values = values[np.isfinite(values)].astype(np.float64)
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _raster(layer: Layer, sample: int) -> tuple[Array, int]:
    """Spikes ``[rows, columns]``, and how many steps a column is."""
    spikes = layer.spikes[:, sample]
    steps, count = spikes.shape
    rows = np.unique(np.linspace(0, count - 1, min(count, NEURONS)).round().astype(int))
    width = -(-steps // STEPS)
    padded = np.pad(spikes[:, rows], ((0, -steps % width), (0, 0)))
    columns = padded.reshape(-1, width, len(rows)).max(axis=1)
    return columns.T, width


def _item(values: Array, place: int, otherwise: float) -> float:
    return float(values[place]) if place < len(values) else float(otherwise)


def _neurons(layers: Sequence[Layer], rows: Sequence[int]) -> str:
    parts = [f"{count} neurons of {layer.name}" for layer, count in zip(layers, rows, strict=True)]
    return ", ".join(parts)


def _fired(sample: Sample) -> str:
    parts = []
    for layer in sample.layers:
        spikes = layer.spikes[: sample.length, sample.index]
        silent = int((spikes.sum(axis=0) == 0).sum())
        parts.append(f"{layer.name} {int(spikes.sum())} spikes, {silent} neurons silent")
    return "; ".join(parts)
