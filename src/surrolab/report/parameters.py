"""The objectives over the parameters: one at a time, two at a time, all at once."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from surrolab.report.drawing import (
    ABSENT,
    SHADES,
    Figure,
    Scale,
    hover,
    label,
    marker,
    number,
    padded,
    rounded,
    said,
    value_axis,
)
from surrolab.report.study_file import Parameter, Study, Trial

Floats = npt.NDArray[np.float64]
CELLS = 36  # of a contour's grid, along each side
SOFT = 0.05  # likewise: the distance within which trials are one
REACH = 0.3  # how far from a trial the contour says something, in shares of the searched range


def slices(study: Study, order: Sequence[str]) -> list[Figure]:
    """Each parameter against the objectives, of which the reader chooses one."""
    figures = []
    for name in order:
        parameter = study.parameters[name]
        scale = Scale.of(parameter, study.trials)
        placed = _placed(study.finished, scale)
        if not placed:
            continue
        data: list[dict[str, Any]] = []
        choices: list[tuple[str, dict[str, Any]]] = []
        for index, objective in enumerate(study.objectives):
            values = [trial.values[index] or 0.0 for trial, _ in placed]
            jitter = 0.0 if parameter.numeric else 0.18
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "meta": index,
                    "x": [rounded(x + jitter * _off(trial.number)) for trial, x in placed],
                    "y": [rounded(value) for value in values],
                    "hovertext": [
                        hover(trial, f"{said(objective.name)}: {number(value)}")
                        for (trial, _), value in zip(placed, values, strict=True)
                    ],
                    "hoverinfo": "text",
                    "marker": marker(
                        [trial.number for trial, _ in placed],
                        colorscale="@order",
                        cmin=0,
                        cmax=max(1, len(study.trials) - 1),
                        showscale=False,
                    ),
                }
            )
            all_values = [trial.values[index] or 0.0 for trial in study.finished]
            axis = padded(value_axis(all_values, said(objective.name)), all_values)
            choices.append((objective.name, {"yaxis": axis}))
        layout = {"xaxis": scale.axis(), "yaxis": choices[0][1]["yaxis"], "showlegend": False}
        says = f"{study.objectives[0].name} against {name}, {len(placed)} complete trials."
        says += f" {_best_at(study, name)}"
        caption = f"{name}{_condition(parameter)}"
        figures.append(Figure(data, layout, says, caption, height=300, choices=choices))
    return figures


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
            for trial, x in _placed(study.finished, x_scale)
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
            points = {
                "type": "scatter",
                "mode": "markers",
                "meta": index,
                "x": [rounded(x + _jitter(x_scale, t)) for t, x, _ in placed],
                "y": [rounded(y + _jitter(y_scale, t)) for t, _, y in placed],
            }
            # A dark and a light ring: one of them is seen on any colour.
            data.append({**points, "marker": {"color": "#000000", "size": 12}, "hoverinfo": "skip"})
            data.append(
                {
                    **points,
                    "hovertext": [
                        hover(trial, f"{said(objective.name)}: {number(value)}")
                        for (trial, _, _), value in zip(placed, values, strict=True)
                    ],
                    "hoverinfo": "text",
                    "marker": {
                        "color": [rounded(value) for value in values],
                        "size": 9,
                        "showscale": True,
                        "colorbar": bar,
                        "line": {"color": "#ffffff", "width": 1.5},
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


def parallel(study: Study, order: Sequence[str]) -> Figure:
    """A line per complete trial through an axis per parameter and objective."""
    scales = [Scale.of(study.parameters[name], study.trials) for name in order]
    first = study.objectives[0]
    trials = sorted(
        study.finished, key=lambda t: (t.values[0] or 0.0) * (1 if first.maximize else -1)
    )
    objectives = [_span([t.values[i] or 0.0 for t in trials]) for i in range(len(study.objectives))]
    groups = [g for g in np.array_split(np.arange(len(trials)), SHADES) if len(g)]
    count = len(scales) + len(objectives)
    data = []
    for shade, group in enumerate(groups, start=SHADES - len(groups)):
        xs: list[float | None] = []
        ys: list[float | None] = []
        texts: list[str | None] = []
        for trial in (trials[i] for i in group):
            heights = [_height(scale, trial) for scale in scales]
            heights += [
                ((trial.values[i] or 0.0) - low) / (high - low)
                for i, (low, high) in enumerate(objectives)
            ]
            results = [
                f"{said(o.name)}: {number(v)}"
                for o, v in zip(study.objectives, trial.values, strict=True)
            ]
            xs += [*range(count), None]
            ys += [*map(rounded, heights), None]
            texts += [hover(trial, *results)] * count + [None]
        ends = [number(trials[i].values[0]) for i in (group[0], group[-1])]
        last = shade == SHADES - 1
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}",
                "x": xs,
                "y": ys,
                "hovertext": texts,
                "hoverinfo": "text",
                "line": {"color": f"@s{shade}", "width": 2.4 if last else 1.4},
                "marker": {"color": f"@s{shade}", "size": 5},
            }
        )
    notes: list[dict[str, Any]] = []
    for place, scale in enumerate(scales):
        notes += [_note(place, *tick) for tick in _ticks(scale)]
        if any(scale.place(trial) is None for trial in trials):
            notes.append(_note(place, -0.14, ABSENT))
    for place, (low, high) in enumerate(objectives, start=len(scales)):
        notes += [_note(place, share, number(low + share * (high - low))) for share in (0, 0.5, 1)]
    names = [*order, *(objective.name for objective in study.objectives)]
    lines = [
        {
            "type": "line",
            "x0": i,
            "x1": i,
            "y0": 0,
            "y1": 1,
            "line": {"color": "@axis", "width": 1.2},
        }
        for i in range(count)
    ]
    layout = {
        "xaxis": {
            "tickvals": list(range(count)),
            "ticktext": [said(name, 20) for name in names],
            "side": "top",
            "range": [-0.35, count - 0.55],
            "showgrid": False,
            "showline": False,
            "ticks": "",
            "tickangle": 0,
            "fixedrange": True,
        },
        "yaxis": {"visible": False, "range": [-0.2, 1.06], "fixedrange": True},
        "shapes": lines,
        "annotations": notes,
        "showlegend": True,
        "legend": {"title": {"text": f"{said(first.name)} "}, "y": -0.02, "yanchor": "top"},
        "hovermode": "closest",
    }
    says = f"{len(trials)} complete trials as lines across {', '.join(names)}."
    return Figure(data, layout, says, height=460, min_width=120 * count)


def _placed(trials: Sequence[Trial], scale: Scale) -> list[tuple[Trial, float]]:
    return [(t, place) for t in trials if (place := scale.place(t)) is not None]


def _off(count: int) -> float:
    """Between -1 and 1, the same for the same trial, spread evenly by the golden ratio."""
    return 2 * (count * 0.6180339887 % 1) - 1


def _jitter(scale: Scale, trial: Trial) -> float:
    return 0.0 if scale.parameter.numeric else 0.18 * _off(trial.number)


def _condition(parameter: Parameter) -> str:
    parts = [f"{key} = {' or '.join(map(label, v))}" for key, v in parameter.when.items()]
    return f", only with {' and '.join(parts)}" if parts else ""


def _best_at(study: Study, name: str) -> str:
    trials = [trial for trial in study.best_trials if name in trial.parameters]
    texts = [f"{label(t.parameters[name])} in trial {t.number}" for t in trials[:5]]
    return f"Best: {', '.join(texts)}." if texts else ""


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


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _height(scale: Scale, trial: Trial) -> float:
    place = scale.place(trial)
    return -0.14 if place is None else scale.share(place) + 0.15 * _jitter(scale, trial)


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    parameter = scale.parameter
    if not parameter.numeric:
        return [(scale.share(i), said(text, 16)) for i, text in enumerate(scale.categories[:30])]
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return []
    middle = (low * high) ** 0.5 if scale.log else (low + high) / 2
    if parameter.kind == "int" or not low < high:
        return [(scale.share(end), number(end)) for end in dict.fromkeys((low, high))]
    return [(0.0, number(low)), (0.5, number(middle)), (1.0, number(high))]


def _note(place: int, height: float, text: str) -> dict[str, Any]:
    """A tick's text, left of its axis, on the page's colour so that lines do not run through it."""
    return {
        "x": place,
        "y": height,
        "text": text,
        "xanchor": "right",
        "xshift": -5,
        "showarrow": False,
        "font": {"size": 11, "color": "@ink"},
        "bgcolor": "@veil",
        "borderpad": 1,
    }
