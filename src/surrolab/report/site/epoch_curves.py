"""Plots of a run's metrics by epoch: those of the network, and those of its layers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from surrolab.report.drawing import CATEGORIES, Figure, number, rounded, said, value_axis
from surrolab.report.site.axes import short
from surrolab.report.site.records import spread
from surrolab.report.site.run_file import RunFile

POINTS = 120  # of a curve; longer ones are thinned
LAYERED = ("spikes", "gradients", "surrogate", "membrane", "alignment", "synops")
_TOGETHER = re.compile(r"^(train|val|test)/")
Lines = Mapping[str, str]  # by what the legend says, the metric


def learning(run: RunFile) -> Figure | None:
    """Losses and accuracies, and what else there is of the whole network."""
    panels: dict[str, dict[str, str]] = {}
    for name in _metrics(run):
        if _layer(name) is not None or name.startswith("train/spikes/"):
            continue
        part = _TOGETHER.match(name)
        title, line = (_TOGETHER.sub("", name), part[1]) if part else (name, name)
        panels.setdefault(title, {})[line] = name
    usual = ["accuracy", "mse", "loss", "spikes/mean_rate", "synops/effective_acs"]
    order = [title for title in usual if title in panels]
    order += sorted(title for title in panels if title not in usual)
    return _figure(run, {title: panels[title] for title in order})


def layers(run: RunFile) -> Figure | None:
    """What each layer does: a metric at a time, a line for each layer."""
    panels: dict[str, dict[str, str]] = {}
    for name in _metrics(run):
        parts = _layer(name)
        if parts is not None:
            kind, layer, what = parts
            panels.setdefault(f"{kind}: {what.replace('_', ' ')}", {})[layer] = name
    usual = ["spikes: rate", "spikes: silent fraction", "gradients: norm"]
    order = [title for title in usual if title in panels]
    order += sorted(title for title in panels if title not in usual)
    return _figure(run, {title: panels[title] for title in order})


def thinned(ends: Sequence[Mapping[str, float]], name: str, most: int) -> tuple[list[int], Any]:
    """The epochs, counted from 1, at which the metric is known, and its values."""
    known = [(epoch + 1, end[name]) for epoch, end in enumerate(ends) if name in end]
    kept = spread(known, most)
    return [epoch for epoch, _ in kept], [rounded(value) for _, value in kept]


def _metrics(run: RunFile) -> list[str]:
    names = dict.fromkeys(name for end in run.ends for name in end)
    return [name for name in names if name not in ("step", "epoch", "train/loss_step")]


def _layer(name: str) -> tuple[str, str, str] | None:
    kind, _, rest = name.partition("/")
    layer, slash, what = rest.partition("/")
    return (kind, layer, what) if kind in LAYERED and slash else None


def _figure(run: RunFile, panels: Mapping[str, Lines]) -> Figure | None:
    if not panels:
        return None
    data: list[dict[str, Any]] = []
    choices = []
    for index, (title, lines) in enumerate(panels.items()):
        values: list[float] = []
        for place, (line, metric) in enumerate(lines.items()):
            epochs, curve = thinned(run.ends, metric, POINTS)
            values += curve
            even = epochs == list(range(1, len(epochs) + 1))
            dash = ("solid", "dash", "dot")[place // CATEGORIES % 3]
            data.append(
                {
                    "name": said(line, 24),
                    "meta": index,
                    **({} if even else {"x": epochs}),
                    "y": [short(value, 4) for value in curve],
                    "marker": {"color": f"@c{place % CATEGORIES}"},  # the line follows it
                    **({} if dash == "solid" else {"line": {"dash": dash}}),
                }
            )
        choices.append((title, {"yaxis": value_axis(values, said(title))}))
    layout = {
        "xaxis": {
            "title": {"text": "epoch"},
            **({"dtick": 1} if run.epochs <= 12 else {"nticks": 12}),
        },
        "yaxis": choices[0][1]["yaxis"],
        "showlegend": True,
    }
    title, lines = next(iter(panels.items()))
    common = {
        "type": "scatter",
        "mode": "lines+markers",
        "x0": 1,
        "dx": 1,
        "line": {"width": 1.8},
        "marker": {"size": 5 if run.epochs <= 40 else 3},
        "hovertemplate": "%{fullData.name}, epoch %{x}: %{y:.4~g}<extra></extra>",
    }
    says = _says(run, title, lines)
    return Figure(data, layout, says, height=360, choices=choices, common=common)


def _says(run: RunFile, title: str, lines: Lines) -> str:
    ends = []
    for line, metric in lines.items():
        epochs, curve = thinned(run.ends, metric, POINTS)
        ends.append(f"{line} from {number(curve[0])} to {number(curve[-1])}, epoch {epochs[-1]}")
    return f"{title} by epoch: {'; '.join(ends)}."
