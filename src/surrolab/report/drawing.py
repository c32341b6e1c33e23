"""What all of the page's plots share: texts, axes, colours, and how they are handed to plotly.

A figure is plotly's JSON as plain dictionaries. Colours that begin with ``@`` are roles, which the
page turns into those of its light, dark or printed self (``page.js``). Plotly takes texts for a
kind of HTML, so every text that a user can name goes through :func:`said`.
"""

import html
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from surrolab.report.study_file import Parameter, Study, Trial, finite

CATEGORIES = 7  # colours and symbols by role, @c0 to @c6
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star")
SHADES = 5  # from worst, @s0, to best, @s4
ABSENT = "not set"
DASH = "\N{EN DASH}"  # where there is nothing to say


@dataclass(frozen=True)
class Figure:
    """A plot and what it says to those who do not see it.

    Args:
        data: plotly's traces; one with a ``meta`` is seen only where the choice of that number is.
        layout: plotly's layout.
        says: the text alternative.
        caption: what stands above it.
        height: in pixels.
        min_width: in pixels; the plot scrolls where the page is narrower.
        choices: what the reader can choose from in a list, each with changes of the layout.
        common: what all traces have, said once.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    says: str
    caption: str = ""
    height: int = 380
    min_width: int = 0
    choices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    common: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        """What the page's script draws."""
        return {
            "data": self.data,
            "layout": {"height": self.height, **self.layout},
            "choices": [changes for _, changes in self.choices],
            **({"common": self.common} if self.common else {}),
        }


def said(text: Any, longest: int = 48) -> str:
    """A text for plotly: shown as it is, on one line, shortened in its middle."""
    words = " ".join(label(text).split())
    if len(words) > longest:
        half = (longest - 1) // 2
        words = f"{words[:half]}…{words[-half:]}"
    return html.escape(words).replace("$", "&#36;")  # two of them would be a formula


def label(value: Any) -> str:
    """A parameter's value as it is typed on the command line."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value)


def exact(value: Any) -> str:
    """A value as it is typed, with all of its digits."""
    text = label(value)
    return repr(value) if isinstance(value, float) and float(text) != value else text


def number(value: Any) -> str:
    """A number for people: four digits; a dash where there is none."""
    if value is None:
        return DASH
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return DASH
    text = re.sub(r"e([+-])0+", r"e\1", f"{value:.4g}")
    return text.replace("-", "\N{MINUS SIGN}")


def rounded(value: float | None) -> float | None:
    """Six digits: what a plot can show, and a smaller file."""
    return None if value is None else float(f"{value:.6g}")


def script_json(value: Any) -> str:
    """JSON that stays data inside a ``script`` element, whatever its texts hold."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def value_axis(values: Sequence[float], title: str, log: bool | None = None) -> dict[str, Any]:
    """An axis for the values; logarithmic where asked for, or where they span three decades."""
    axis: dict[str, Any] = {"title": {"text": title}}
    positive = bool(values) and min(values) > 0
    if log is None:
        log = positive and max(values) / min(values) >= 1000
    if log and positive:
        decades = math.log10(max(values) / min(values))
        axis |= {"type": "log", "tickformat": "~g"}
        axis["dtick"] = "D2" if decades < 1.5 else math.ceil(decades / 8)
    return axis


def padded(axis: dict[str, Any], values: Sequence[float]) -> dict[str, Any]:
    """The axis with a fixed range around the values, so that plots side by side can be compared."""
    low, high = min(values), max(values)
    if axis.get("type") == "log":
        low, high = math.log10(low), math.log10(high)
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 0.1
    return {**axis, "range": [low - margin, high + margin]}


@dataclass(frozen=True)
class Scale:
    """A parameter's values as places along an axis.

    Categories are whole numbers with their texts as ticks, so that no text of a user's is taken
    for a number or a date.
    """

    parameter: Parameter
    categories: tuple[str, ...]

    @classmethod
    def of(cls, parameter: Parameter, trials: Sequence[Trial]) -> "Scale":
        """The scale on which all these trials have a place."""
        if parameter.numeric:
            return cls(parameter, ())
        texts = [label(choice) for choice in parameter.choices]
        name = parameter.name
        seen = sorted({label(t.parameters[name]) for t in trials if name in t.parameters})
        return cls(parameter, tuple(dict.fromkeys([*texts, *seen])))

    @property
    def log(self) -> bool:
        return self.parameter.log and (self.parameter.low is None or self.parameter.low > 0)

    def place(self, trial: Trial) -> float | None:
        """Where the trial lies; None where it lacks the parameter."""
        if self.parameter.name not in trial.parameters:
            return None
        value = trial.parameters[self.parameter.name]
        if not self.parameter.numeric:
            return float(self.categories.index(label(value)))
        place = finite(value)
        return None if place is None or (self.log and place <= 0) else place

    def share(self, place: float) -> float:
        """The place as a share of the searched range, between 0 and 1 within it."""
        if not self.parameter.numeric:
            return (place + 0.5) / max(1, len(self.categories))
        low, high = self.parameter.low, self.parameter.high
        if low is None or high is None or not low < high:
            return 0.5
        if self.log:
            low, high, place = math.log(low), math.log(high), math.log(place)
        return (place - low) / (high - low)

    def axis(self) -> dict[str, Any]:
        """Plotly's axis over the searched range."""
        title = {"text": said(self.parameter.name)}
        if not self.parameter.numeric:
            count = len(self.categories)
            return {
                "title": title,
                "tickvals": list(range(count)),
                "ticktext": [said(category, 18) for category in self.categories],
                "range": [-0.5, max(count, 1) - 0.5],
                "showgrid": False,
            }
        low, high = self.parameter.low, self.parameter.high
        ends = [end for end in (low, high) if end is not None]
        axis = value_axis(ends, title["text"], self.log)
        if low is not None and high is not None and low < high:
            if self.log:
                low, high = math.log10(low), math.log10(high)
            margin = (high - low) * 0.04
            axis["range"] = [low - margin, high + margin]
        return axis


def placed_at(trials: Sequence[Trial], scale: Scale) -> list[tuple[Trial, float]]:
    """The trials that have a place on the scale, and where."""
    return [(trial, place) for trial in trials if (place := scale.place(trial)) is not None]


def jitter(scale: Scale, trial: Trial) -> float:
    """How far a trial is moved aside among those of its category: the same for the same trial."""
    if scale.parameter.numeric:
        return 0.0
    return 0.18 * (2 * (trial.number * 0.6180339887 % 1) - 1)  # evenly, by the golden ratio


def of_trials(trials: Iterable[Trial | None]) -> dict[str, Any]:
    """What makes the points of a trace those of trials: the page shows their notes (:func:`notes`).

    The notes are kept apart because many plots show the same trials.
    """
    numbers = [None if trial is None else trial.number for trial in trials]
    return {"customdata": numbers, "hoverinfo": "text"}


def notes(study: Study) -> dict[str, str]:
    """By trial, what is shown where the reader points at it."""
    return {str(trial.number): _note(study, trial) for trial in study.trials}


def _note(study: Study, trial: Trial) -> str:
    state = "" if trial.state == "complete" else f", {trial.state}"
    lines = [f"<b>trial {trial.number}</b>{state}"]
    for objective, value in zip(study.objectives, trial.values, strict=True):
        if value is not None:
            spread = trial.spread(objective.name)
            seeds = f" (seeds {number(spread[0])} to {number(spread[1])})" if spread else ""
            lines.append(f"{said(objective.name)}: {number(value)}{seeds}")
    if trial.state == "pruned" and trial.intermediate:
        metric = said(study.pruning.get("metric", "value"))
        last = trial.intermediate[max(trial.intermediate)]
        lines.append(f"{metric}: {number(last)} when it was stopped")
    lines += [said(trial.reason)] if trial.reason else []
    lines += [f"{said(k)} = {said(v)}" for k, v in list(trial.parameters.items())[:12]]
    return "<br>".join(lines)


def marker(role: Any, symbol: str = "circle", size: int = 8, **more: Any) -> dict[str, Any]:
    """A point with a rim in the page's colour, so that points that lie on each other differ."""
    rim = {"color": "@paper", "width": 1}
    return {"color": role, "symbol": symbol, "size": size, "line": rim, **more}


def seeds_bars(pairs: Sequence[tuple[float, tuple[float, float] | None]]) -> dict[str, Any]:
    """Plotly's error bars from each value to the lowest and highest over its seeds."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [rounded(max(0.0, s[1] - value)) if s else 0 for value, s in pairs],
        "arrayminus": [rounded(max(0.0, value - s[0])) if s else 0 for value, s in pairs],
        "thickness": 1.2,
        "width": 3,
    }
