"""The first objective against the surrogate and its slope."""

from collections.abc import Sequence
from typing import Any

from surrolab.report.drawing import (
    CATEGORIES,
    SYMBOLS,
    Figure,
    Scale,
    label,
    marker,
    rounded,
    said,
    value_axis,
)
from surrolab.report.outcomes import value_bars, value_points
from surrolab.report.study_file import Parameter, Study, Trial


def slope_parameter(study: Study) -> Parameter | None:
    """The parameter that is the surrogate's slope."""
    names = [p.name for p in study.parameters.values() if p.numeric]
    for name in ("surrogate.slope", *(name for name in names if name.endswith(".slope"))):
        if name in names:
            return study.parameters[name]
    return None


def against_slope(study: Study) -> Figure | None:
    """The first objective against the slope, or by surrogate where no slope was varied."""
    objective, slope = study.objectives[0], slope_parameter(study)
    surrogate = study.parameters.get("surrogate")
    across = slope or surrogate
    if across is None:
        return None
    scale = Scale.of(across, study.trials)
    points = [
        (trial, place, trial.values[0])
        for trial in study.trials
        if trial.state == "complete"
        and trial.values[0] is not None
        and (place := scale.place(trial)) is not None
    ]
    kinds = Scale.of(surrogate, study.trials).categories if surrogate and slope else ("",)
    data: list[dict[str, Any]] = []
    for index, kind in enumerate(kinds):
        own = sorted(
            (p for p in points if not kind or label(p[0].parameters.get("surrogate")) == kind),
            key=lambda p: p[1],
        )
        if not own:
            continue
        role = f"@c{index % CATEGORIES}"
        pairs = [(trial, value) for trial, _, value in own if value is not None]
        data.append(
            {
                **value_points(pairs, said(objective.name), objective),
                "name": said(kind, 24),
                "mode": "lines+markers" if slope and _only(own, slope) else "markers",
                "x": [rounded(place) for _, place, _ in own],
                "marker": marker(role, SYMBOLS[index % CATEGORIES], 9),
                "line": {"color": role, "width": 1.4},
            }
        )
        if any(trial.spread(objective.name) for trial, _ in pairs):
            data[-1]["error_y"] = {**value_bars(pairs, objective), "color": role}
    values = [value for _, _, value in points if value is not None]
    layout: dict[str, Any] = {
        "xaxis": scale.axis(),
        "yaxis": value_axis(values, f"{said(objective.name)} ({objective.aim})"),
        "showlegend": len(data) > 1,
    }
    if slope:
        layout["xaxis"] |= _slope_axis(slope, [place for _, place, _ in points])
    says = f"{objective.name} of {len(points)} complete trials against {across.name}."
    return Figure(data, layout, says, height=440)


def _slope_axis(slope: Parameter, places: Sequence[float]) -> dict[str, Any]:
    """A slope is a width's inverse: its axis is logarithmic, however it was drawn."""
    ends = [*places, *(end for end in (slope.low, slope.high) if end is not None)]
    if slope.log or not ends or min(ends) <= 0 or max(ends) / min(ends) < 3:
        return {}
    axis = value_axis(ends, said(slope.name), log=True)
    return {**axis, "autorange": True, "range": None}


def _only(points: Sequence[tuple[Trial, float, float | None]], slope: Parameter) -> bool:
    """Whether the points differ in the slope alone, so that a line through them means something."""
    others = [
        {name: value for name, value in trial.parameters.items() if name != slope.name}
        for trial, _, _ in points
    ]
    return len(points) > 1 and all(other == others[0] for other in others)
