"""All parameters and objectives at once, on parallel axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from surrolab.report.drawing import (
    ABSENT,
    SHADES,
    Figure,
    Scale,
    jitter,
    number,
    of_trials,
    rounded,
    said,
)
from surrolab.report.study_file import Study, Trial


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
    few = len(trials) <= 60
    data = []
    for shade, group in enumerate(groups, start=SHADES - len(groups)):
        xs: list[float | None] = []
        ys: list[float | None] = []
        points: list[Trial | None] = []
        for trial in (trials[i] for i in group):
            heights = [_height(scale, trial) for scale in scales]
            heights += [
                ((trial.values[i] or 0.0) - low) / (high - low)
                for i, (low, high) in enumerate(objectives)
            ]
            xs += [*range(count), None]
            ys += [*map(rounded, heights), None]
            points += [*[trial] * count, None]
        ends = [number(trials[i].values[0]) for i in (group[0], group[-1])]
        width = 2.4 if shade == SHADES - 1 else 1.4
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}",
                "x": xs,
                "y": ys,
                **of_trials(points),
                "line": {"color": f"@s{shade}", "width": width if few else width / 2},
                "marker": {"color": f"@s{shade}", "size": 5 if few else 3},
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
    return Figure(
        data,
        layout,
        says,
        height=460,
        min_width=max(105, 7 * min(20, max(map(len, names))) + 8) * count,
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _height(scale: Scale, trial: Trial) -> float:
    place = scale.place(trial)
    # Moved aside within a category, so that lines through it can be told apart.
    return -0.14 if place is None else scale.share(place + 0.5 * jitter(scale, trial))


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
