"""What the trials reached: in their order, and one objective against another."""

import itertools
from collections.abc import Sequence
from typing import Any

from surrolab.report.drawing import (
    Figure,
    marker,
    number,
    of_trials,
    rounded,
    said,
    seeds_bars,
    value_axis,
)
from surrolab.report.study_file import Objective, Study, Trial


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
                **value_points(points),
                "name": kind,
                "x": [trial.number for trial, _ in points],
                "marker": looks[kind],
            }
        )
        if kind == "complete" and any(trial.spread(objective.name) for trial, _ in points):
            data[-1]["error_y"] = {**value_bars(points, objective), "color": "@c0"}
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
                    **of_trials(t for t, _, _ in points),
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


def value_points(points: Sequence[tuple[Trial, float]]) -> dict[str, Any]:
    """A trace of trials at the heights of their values; where they are across is left to add."""
    return {
        "type": "scatter",
        "mode": "markers",
        "y": [rounded(value) for _, value in points],
        **of_trials(trial for trial, _ in points),
    }


def value_bars(points: Sequence[tuple[Trial, float]], objective: Objective) -> dict[str, Any]:
    """Error bars over the seeds, for the same trials."""
    return seeds_bars([(value, trial.spread(objective.name)) for trial, value in points])


def _whole(count: int) -> dict[str, Any]:
    """Ticks at whole numbers only, also where there are few trials."""
    return {"dtick": 1} if count <= 12 else {"nticks": 12}
