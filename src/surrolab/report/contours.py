"""The objectives over two parameters at a time."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from surrolab.report.drawing import (
    Figure,
    Scale,
    jitter,
    of_trials,
    placed_at,
    rounded,
    said,
)
from surrolab.report.study_file import Study, Trial

Floats = npt.NDArray[np.float64]
CELLS = 36  # of a contour's grid, along each side
SOFT = 0.05  # likewise: the distance within which trials are one
REACH = 0.3  # how far from a trial the contour says something, in shares of the searched range


def contours(study: Study, order: Sequence[str]) -> list[Figure]:
    """The objectives over each pair of the four most important parameters."""
    figures = []
    for across, up in itertools.combinations(order[:4], 2):
        scales = [Scale.of(study.parameters[name], study.trials) for name in (across, up)]
        if not scales[0].parameter.numeric and scales[1].parameter.numeric:
            scales.reverse()  # categories upwards, where their names have room
        x_scale, y_scale = scales
        placed = [
            (trial, x, y)
            for trial, x in placed_at(study.finished, x_scale)
            if (y := y_scale.place(trial)) is not None
        ]
        if len(placed) < 3:
            continue
        data: list[dict[str, Any]] = []
        choices: list[tuple[str, dict[str, Any]]] = []
        surface = x_scale.parameter.numeric and y_scale.parameter.numeric and len(placed) >= 6
        for index, objective in enumerate(study.objectives):
            values = [trial.values[index] or 0.0 for trial, _, _ in placed]
            colours = {"colorscale": "@sequence", "reversescale": not objective.maximize}
            colours |= {"cmin": min(values), "cmax": max(values) + 1e-12}
            if surface:
                xs, ys, grid = _surface(placed, values, x_scale, y_scale)
                data.append(
                    {
                        "type": "contour",
                        "meta": index,
                        "x": xs,
                        "y": ys,
                        "z": grid,
                        "colorscale": "@sequence",
                        "reversescale": not objective.maximize,
                        "zmin": colours["cmin"],
                        "zmax": colours["cmax"],
                        "ncontours": 12,
                        "line": {"width": 0},
                        "showscale": False,
                        "hoverinfo": "skip",
                    }
                )
            bar = {"thickness": 10, "title": {"text": said(objective.name, 24), "side": "right"}}
            size, ring = (9, 1.5) if len(placed) <= 80 else (7, 0.8)
            points = {
                "type": "scatter",
                "mode": "markers",
                "meta": index,
                "x": [rounded(x + jitter(x_scale, t)) for t, x, _ in placed],
                "y": [rounded(y + jitter(y_scale, t)) for t, _, y in placed],
            }
            # A dark and a light ring: one of them is seen on any colour.
            dark = {"color": "#000000", "size": size + 2 * ring}
            data.append({**points, "marker": dark, "hoverinfo": "skip"})
            data.append(
                {
                    **points,
                    **of_trials(trial for trial, _, _ in placed),
                    "marker": {
                        "color": [rounded(value) for value in values],
                        "size": size,
                        "showscale": True,
                        "colorbar": bar,
                        "line": {"color": "#ffffff", "width": ring},
                        **colours,
                    },
                }
            )
            choices.append((objective.name, {}))
        layout = {"xaxis": x_scale.axis(), "yaxis": y_scale.axis(), "showlegend": False}
        names = (y_scale.parameter.name, x_scale.parameter.name)
        says = f"{study.objectives[0].name} over {names[1]} and {names[0]}, {len(placed)} trials."
        caption = f"{names[0]} against {names[1]}"
        figures.append(Figure(data, layout, says, caption, height=360, choices=choices))
    return figures


def _surface(
    placed: Sequence[tuple[Trial, float, float]],
    values: Sequence[float],
    x_scale: Scale,
    y_scale: Scale,
) -> tuple[list[float | None], list[float | None], list[list[float | None]]]:
    """Interpolated by the inverse of the squared distance (Shepard 1968,
    doi:10.1145/800186.810616), softened so that a single trial makes no peak.

    Distances are shares of the searched ranges, logarithmic where the search was.
    """
    at = np.array([[x_scale.share(x), y_scale.share(y)] for _, x, y in placed])
    shares = np.linspace(0, 1, CELLS)
    points = np.stack(np.meshgrid(shares, shares), axis=-1)
    squared = ((points[:, :, None, :] - at) ** 2).sum(axis=-1)
    weights = 1 / (squared + SOFT**2)
    grid = (weights * np.array(values)).sum(axis=-1) / weights.sum(axis=-1)
    far = squared.min(axis=-1) > REACH**2
    cells = [
        [None if hidden else rounded(float(cell)) for cell, hidden in zip(row, mask, strict=True)]
        for row, mask in zip(grid, far, strict=True)
    ]
    return _along(x_scale, shares), _along(y_scale, shares), cells


def _along(scale: Scale, shares: Floats) -> list[float | None]:
    low, high = scale.parameter.low or 0.0, scale.parameter.high or 1.0
    if scale.log:
        return [rounded(float(low * (high / low) ** share)) for share in shares]
    return [rounded(float(low + (high - low) * share)) for share in shares]
