"""What the trials reached: in their order, against the slope, one objective against another."""

import itertools
from collections.abc import Sequence
from typing import Any

from surrolab.report.drawing import (
    CATEGORIES,
    SYMBOLS,
    Figure,
    Scale,
    hover,
    label,
    marker,
    number,
    rounded,
    said,
    seeds_bars,
    value_axis,
)
from surrolab.report.study_file import Objective, Parameter, Study, Trial


def history(study: Study, index: int) -> Figure:
    """One objective's values in the order of the trials, with the best so far."""
    objective = study.objectives[index]
    name = said(objective.name)
    kinds: dict[str, list[tuple[Trial, float]]] = {"complete": [], "silent or diverged": []}
    best: list[tuple[int, float]] = []
    for trial in study.trials:
        value = trial.values[index]
        if trial.state != "complete" or value is None:
            continue
        kinds["silent or diverged" if trial.reason else "complete"].append((trial, value))
        if not best or objective.better(value, best[-1][1]):
            best.append((trial.number, value))
    kinds["pruned (last value)"] = [
        (trial, trial.intermediate[max(trial.intermediate)])
        for trial in study.trials
        if trial.state == "pruned"
        and trial.intermediate
        and study.pruning.get("metric") == objective.name
    ]
    looks = {
        "complete": marker("@c0"),
        "silent or diverged": marker("@bad", "diamond", 9),
        "pruned (last value)": marker(
            "@faint", "x-thin", 8, line={"color": "@faint", "width": 1.6}
        ),
    }
    data: list[dict[str, Any]] = []
    for kind, points in kinds.items():
        if not points:
            continue
        data.append(
            {
                **_points(points, name, objective),
                "name": kind,
                "x": [trial.number for trial, _ in points],
                "marker": looks[kind],
            }
        )
        if kind == "complete" and any(trial.spread(objective.name) for trial, _ in points):
            data[-1]["error_y"] = {**_bars(points, objective), "color": "@c0"}
    if best:
        last = max(trial.number for trial in study.trials)
        steps = [*best, (last, best[-1][1])]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "best so far",
                "x": [x for x, _ in steps],
                "y": [rounded(y) for _, y in steps],
                "line": {"color": "@ink", "width": 1.6, "shape": "hv"},
                "hoverinfo": "skip",
            }
        )
    values = [value for points in kinds.values() for _, value in points]
    says = f"{objective.name} of {len(values)} trials in their order."
    if best:
        says += f" The best is {number(best[-1][1])}, of trial {best[-1][0]}."
    layout = {
        "xaxis": {"title": {"text": "trial"}, **_whole(len(study.trials))},
        "yaxis": value_axis(values, f"{name} ({objective.aim})"),
        "showlegend": True,
    }
    return Figure(data, layout, says, caption=objective.name if len(study.objectives) > 1 else "")


def fronts(study: Study) -> list[Figure]:
    """Each pair of objectives, with the trials that nothing beats in all of them."""
    figures = []
    front = {trial.number for trial in study.best_trials}
    for a, b in list(itertools.combinations(range(len(study.objectives)), 2))[:6]:
        one, other = study.objectives[a], study.objectives[b]
        data: list[dict[str, Any]] = []
        finished = [(t, t.values[a], t.values[b]) for t in study.finished]
        groups = {
            "other complete trials": [p for p in finished if p[0].number not in front],
            "on the front": [p for p in finished if p[0].number in front],
        }
        for kind, points in groups.items():
            best = kind == "on the front"
            points = sorted(points, key=lambda point: (point[1] or 0, point[2] or 0))
            pairs = [(said(one.name), a), (said(other.name), b)]
            data.append(
                {
                    "type": "scatter",
                    "name": kind,
                    "mode": "markers+text" if best and len(points) <= 20 else "markers",
                    "x": [rounded(x) for _, x, _ in points],
                    "y": [rounded(y) for _, _, y in points],
                    "text": [f"  {t.number}" for t, _, _ in points] if best else None,
                    "textposition": "middle right",
                    "textfont": {"color": "@ink", "size": 11},
                    "hovertext": [
                        hover(t, *(f"{name}: {number(t.values[i])}" for name, i in pairs))
                        for t, _, _ in points
                    ],
                    "hoverinfo": "text",
                    "marker": marker(
                        "@c1" if best else "@faint",
                        "diamond" if best else "circle",
                        9 if best else 7,
                    ),
                    "cliponaxis": False,
                }
            )
        if len(study.objectives) == 2:
            data.insert(0, _boundary(groups["on the front"], one))
        layout = {
            "xaxis": value_axis(
                [x for _, x, _ in finished if x is not None], f"{said(one.name)} ({one.aim})"
            ),
            "yaxis": value_axis(
                [y for _, _, y in finished if y is not None], f"{said(other.name)} ({other.aim})"
            ),
            "showlegend": True,
        }
        says = (
            f"{other.name} against {one.name} for {len(finished)} complete trials; "
            f"{len(groups['on the front'])} of them are on the Pareto front, listed in the table "
            "of the first section."
        )
        figures.append(Figure(data, layout, says, height=460))
    return figures


def _boundary(
    points: Sequence[tuple[Trial, float | None, float | None]], across: Objective
) -> dict[str, Any]:
    """Steps along what the trials on the front are better than."""
    points = sorted(points, key=lambda point: point[1] or 0)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [rounded(x) for _, x, _ in points],
        "y": [rounded(y) for _, _, y in points],
        "line": {"color": "@c1", "width": 1.2, "shape": "vh" if across.maximize else "hv"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


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
                **_points(pairs, said(objective.name), objective),
                "name": said(kind, 24),
                "mode": "lines+markers" if slope and _only(own, slope) else "markers",
                "x": [rounded(place) for _, place, _ in own],
                "marker": marker(role, SYMBOLS[index % CATEGORIES], 9),
                "line": {"color": role, "width": 1.4},
            }
        )
        if any(trial.spread(objective.name) for trial, _ in pairs):
            data[-1]["error_y"] = {**_bars(pairs, objective), "color": role}
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


def _points(
    points: Sequence[tuple[Trial, float]], name: str, objective: Objective
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "y": [rounded(value) for _, value in points],
        "hovertext": [
            hover(t, f"{name}: {number(value)}{_over_seeds(t, objective)}", *_why(t))
            for t, value in points
        ],
        "hoverinfo": "text",
    }


def _bars(points: Sequence[tuple[Trial, float]], objective: Objective) -> dict[str, Any]:
    return seeds_bars([(value, trial.spread(objective.name)) for trial, value in points])


def _over_seeds(trial: Trial, objective: Objective) -> str:
    spread = trial.spread(objective.name)
    return f" (seeds {number(spread[0])} to {number(spread[1])})" if spread else ""


def _why(trial: Trial) -> list[str]:
    return [said(trial.reason)] if trial.reason else []


def _whole(count: int) -> dict[str, Any]:
    """Ticks at whole numbers only, also where there are few trials."""
    return {"dtick": 1} if count <= 12 else {"nticks": 12}
