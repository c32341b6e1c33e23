"""The curves of all trials by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

from surrolab.report.drawing import (
    CATEGORIES,
    Figure,
    Scale,
    label,
    number,
    rounded,
    said,
    value_axis,
)
from surrolab.report.epochs import MEAN_RATE, Epochs
from surrolab.report.study_file import Study, Trial

OTHERS = {
    "pruned": {"role": "@faint", "dash": "dash", "end": "x-thin", "width": 1.2},
    "failed": {"role": "@bad", "dash": "dashdot", "end": "cross", "width": 1.4},
    "running": {"role": "@ink", "dash": "dot", "end": "circle-open", "width": 1.4},
}
CROWD = 40  # curves; more of a kind are drawn lighter
LONGEST = 400  # points of a curve; longer ones are thinned


def metrics(study: Study) -> list[str]:
    """What curves are read of: the objectives' and the pruning's metrics, and the usual ones."""
    wanted = [study.pruning.get("metric"), *(o.name for o in study.objectives)]
    usual = ["val/accuracy", "train/loss", "val/loss", MEAN_RATE]
    return list(dict.fromkeys([*usual, *(str(name) for name in wanted if name)]))


def curves(study: Study, epochs: Mapping[int, Epochs]) -> Figure | None:
    """All trials' curves, of a metric that the reader chooses; None where there are none."""
    found = [name for name in metrics(study) if any(name in e.curves for e in epochs.values())]
    names = [o.name for o in study.objectives if o.name in found]
    found = list(dict.fromkeys([*names, *found]))
    if not found:
        return None
    best = {trial.number for trial in study.best_trials}
    surrogate = study.parameters.get("surrogate")
    kinds = Scale.of(surrogate, study.trials).categories if surrogate else ()
    if len(kinds) > CATEGORIES:
        kinds = ()  # more than there are colours
    data: list[dict[str, Any]] = []
    choices = []
    for index, metric in enumerate(found):
        drawn = [t for t in study.trials if metric in epochs[t.number].curves]
        complete = [t for t in drawn if t.state == "complete" and t.number not in best]
        for place, kind in enumerate(kinds or ("",)):
            own = [t for t in complete if not kinds or label(t.parameters.get("surrogate")) == kind]
            style = {"color": f"@c{place}", "width": 1.3}
            name = f"complete, {said(kind, 20)}" if kinds else "complete"
            data += _lines(own, epochs, metric, index, name, style)
        if kinds:
            rest = [t for t in complete if label(t.parameters.get("surrogate")) not in kinds]
            data += _lines(rest, epochs, metric, index, "complete", {"color": "@c0", "width": 1.3})
        for state, look in OTHERS.items():
            own = [t for t in drawn if t.state == state]
            style = {"color": look["role"], "width": look["width"], "dash": look["dash"]}
            data += _lines(own, epochs, metric, index, state, style)
            data += _ends(own, epochs, metric, index, look)
        name, width = ("best", 3.0) if len(study.objectives) == 1 else ("Pareto front", 2.0)
        own = [t for t in drawn if t.number in best]
        data += _lines(own, epochs, metric, index, name, {"color": "@ink", "width": width})
        values = [v for t in drawn for v in epochs[t.number].curves[metric] if v is not None]
        choices.append((metric, {"yaxis": value_axis(values, said(metric))}))
    longest = max(len(curve) for e in epochs.values() for curve in e.curves.values())
    layout = {
        "xaxis": {
            "title": {"text": "epoch"},
            **({"dtick": 1} if longest <= 12 else {"nticks": 12}),
        },
        "yaxis": choices[0][1]["yaxis"],
        "showlegend": True,
        "hovermode": "closest",
    }
    drawn = [t for t in study.trials if epochs[t.number].curves]
    says = f"{found[0]} by epoch, {len(drawn)} trials. {_last(study, epochs, found[0])}"
    return Figure(data, layout, says, height=480, choices=choices)


def _last(study: Study, epochs: Mapping[int, Epochs], metric: str) -> str:
    for trial in study.best_trials:
        known = [v for v in epochs[trial.number].curves.get(metric, []) if v is not None]
        if known:
            return f"The best, trial {trial.number}, ends at {number(known[-1])}."
    return ""


def _lines(
    trials: Sequence[Trial],
    epochs: Mapping[int, Epochs],
    metric: str,
    choice: int,
    name: str,
    style: dict[str, Any],
) -> list[dict[str, Any]]:
    """One trace of many curves with gaps between them, which is far quicker than many traces."""
    if not trials:
        return []
    xs: list[int | None] = []
    ys: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        curve = epochs[trial.number].curves[metric]
        known = [i for i, value in enumerate(curve) if value is not None]
        kept = known[:: -(-len(known) // LONGEST)]
        kept += known[-1:] if kept[-1] != known[-1] else []
        xs += [*(i + 1 for i in kept), None]
        ys += [*(rounded(curve[i]) for i in kept), None]
        numbers += [*[trial.number] * len(kept), None]
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "meta": choice,
            "x": xs,
            "y": ys,
            "customdata": numbers,
            "hovertemplate": "trial %{customdata}<br>epoch %{x}: %{y:.4~g}<extra></extra>",
            "line": style,
            "opacity": 1 if len(trials) <= CROWD else 0.5,
            "marker": {
                "color": style["color"],
                "size": 6 if style["width"] >= 2 else 4 if len(trials) <= CROWD else 2,
            },
        }
    ]


def _ends(
    trials: Sequence[Trial],
    epochs: Mapping[int, Epochs],
    metric: str,
    choice: int,
    look: dict[str, Any],
) -> list[dict[str, Any]]:
    """Where the curves of a state end."""
    ends = []
    for trial in trials:
        curve = epochs[trial.number].curves[metric]
        known = [(i + 1, value) for i, value in enumerate(curve) if value is not None]
        ends.append((trial.number, *known[-1]))
    if not ends:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "meta": choice,
            "x": [x for _, x, _ in ends],
            "y": [rounded(y) for _, _, y in ends],
            "customdata": [trial for trial, _, _ in ends],
            "hovertemplate": "trial %{customdata} ended after epoch %{x}: %{y:.4~g}<extra></extra>",
            "marker": {
                "color": look["role"],
                "symbol": look["end"],
                "size": 9,
                "line": {"color": look["role"], "width": 2},
            },
        }
    ]
