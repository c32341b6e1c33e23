"""The first objective against the surrogate and its slope."""

from collections.abc import Sequence
from typing import Any

from surrolab.report.drawing import (
    SYMBOLS,
    Figure,
    Scale,
    label,
    marker,
    padded,
    placed_at,
    rounded,
    said,
    value_axis,
)
from surrolab.report.outcomes import value_bars, value_points
from surrolab.report.study_file import Objective, Parameter, Study, Trial

TOGETHER = 5  # so many surrogates are told apart in one plot; more get a plot each


def slope_parameter(study: Study) -> Parameter | None:
    """The parameter that is the surrogate's slope."""
    names = [p.name for p in study.parameters.values() if p.numeric]
    for name in ("surrogate.slope", *(name for name in names if name.endswith(".slope"))):
        if name in names:
            return study.parameters[name]
    return None


def against_slope(study: Study) -> list[Figure]:
    """The first objective against the slope, or by surrogate where no slope was varied."""
    objective, slope = study.objectives[0], slope_parameter(study)
    surrogate = study.parameters.get("surrogate")
    across = slope or surrogate
    if across is None:
        return []
    scale = Scale.of(across, study.trials)
    points = [(t, x, t.values[0] or 0.0) for t, x in placed_at(study.finished, scale)]
    if not points:
        return []
    kinds = Scale.of(surrogate, study.trials).categories if surrogate and slope else ("",)
    traces: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        own = [p for p in points if not kind or label(p[0].parameters.get("surrogate")) == kind]
        if own:
            own.sort(key=lambda point: point[1])
            traces[kind] = _trace(own, kind, min(len(traces), TOGETHER), slope, objective)
    values = [value for _, _, value in points]
    axis = value_axis(values, f"{said(objective.name)} ({objective.aim})")
    layout: dict[str, Any] = {"xaxis": scale.axis(), "yaxis": axis}
    if slope:
        layout["xaxis"] |= _slope_axis(slope, [x for _, x, _ in points])
    says = f"{objective.name} of {len(points)} complete trials against {across.name}."
    if len(traces) <= TOGETHER:
        layout["showlegend"] = len(traces) > 1
        return [Figure(list(traces.values()), layout, says, height=440)]
    spreads = [spread for t, _, _ in points if (spread := t.spread(objective.name))]
    ends = [*values, *(end for spread in spreads for end in spread)]
    axis = padded(value_axis(ends, said(objective.name)), ends)
    layout |= {"yaxis": axis, "showlegend": False}
    others = {
        "type": "scatter",
        "mode": "markers",
        "x": [rounded(x) for _, x, _ in points],
        "y": [rounded(value) for value in values],
        "marker": {"color": "@mist", "size": 5},
        "hoverinfo": "skip",
    }
    return [
        Figure(
            [others, {**trace, **_look(0)}],
            layout,
            f"{kind}: {len(trace['x'])} of the trials. {says}",
            caption=kind,
            height=280,
        )
        for kind, trace in traces.items()
    ]


def _trace(
    own: Sequence[tuple[Trial, float, float]],
    kind: str,
    index: int,
    slope: Parameter | None,
    objective: Objective,
) -> dict[str, Any]:
    pairs = [(trial, value) for trial, _, value in own]
    trace = {
        **value_points(pairs),
        **_look(index),
        "name": said(kind, 24),
        "mode": "lines+markers" if slope and _only(own, slope) else "markers",
        "x": [rounded(x) for _, x, _ in own],
    }
    if any(trial.spread(objective.name) for trial, _ in pairs):
        trace["error_y"] = value_bars(pairs, objective)
    return trace


def _look(index: int) -> dict[str, Any]:
    role = f"@c{index}"
    return {"marker": marker(role, SYMBOLS[index], 9), "line": {"color": role, "width": 1.4}}


def _slope_axis(slope: Parameter, places: Sequence[float]) -> dict[str, Any]:
    """A slope is a width's inverse: its axis is logarithmic, however it was drawn."""
    ends = [*places, *(end for end in (slope.low, slope.high) if end is not None)]
    if slope.log or not ends or min(ends) <= 0 or max(ends) / min(ends) < 3:
        return {}
    axis = value_axis(ends, said(slope.name), log=True)
    return {**axis, "autorange": True, "range": None}


def _only(points: Sequence[tuple[Trial, float, float]], slope: Parameter) -> bool:
    """Whether the points differ in the slope alone, so that a line through them means something."""
    others = [
        {name: value for name, value in trial.parameters.items() if name != slope.name}
        for trial, _, _ in points
    ]
    return len(points) > 1 and all(other == others[0] for other in others)
