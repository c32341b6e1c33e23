"""Surrogates drawn with matplotlib: all of them side by side, or a run's own among the others."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from surrolab.pictures.portrait import (
    REACH,
    Axis,
    Curves,
    Portrait,
    curves,
    figures,
    stretch,
    tick_label,
    unstretch,
)
from surrolab.surrogates import Surrogate

BLUE, ORANGE, GREY, RED = "#1f5fa8", "#b45309", "#9a9a9a", "#b91c1c"
_STYLE: Any = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
_X = "membrane potential minus threshold"
_Y = "linear up to 1, logarithmic beyond"


def draw_gallery(portraits: Sequence[Portrait]) -> bytes:
    """A PNG of all, a panel each, on the same axes; the current choice is framed."""
    points = [curves(portrait.surrogate) for portrait in portraits]
    axis = Axis.over(points)
    columns = min(5, max(1, math.ceil(math.sqrt(len(portraits)))))
    rows = math.ceil(len(portraits) / columns)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(2.7 * columns + 0.5, 2.15 * rows + 1.1))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for index, panel in enumerate(panels.flat):
            if index >= len(portraits):
                panel.set_visible(False)
                continue
            portrait = portraits[index]
            _frame(panel, axis)
            _draw(panel, points[index], portrait.figures[2])
            below = index + columns < len(portraits)
            panel.tick_params(labelbottom=not below, labelleft=index % columns == 0)
            heading = f"{portrait.name} (chosen)" if portrait.current else portrait.name
            colour = RED if portrait.current else "black"
            panel.set_title(heading, fontsize=10, fontweight="bold", color=colour, pad=18)
            panel.text(0.5, 1.03, _caption(portrait.surrogate), fontsize=7.5, **_above(panel))
            if portrait.current:
                for side in panel.spines.values():
                    side.set(visible=True, color=RED, linewidth=2)
        height = figure.get_figheight()
        figure.subplots_adjust(
            left=0.5 / figure.get_figwidth(),
            right=0.985,
            bottom=0.55 / height,
            top=1 - 1.0 / height,
            hspace=0.42,
            wspace=0.08,
        )
        figure.suptitle(
            "Surrogate derivatives on common axes", fontsize=13, y=1 - 0.12 / height, va="top"
        )
        _legend(figure, panels.flat, 1 - 0.45 / height, ncols=3)
        figure.supxlabel(f"{_X};  vertical axis: {_Y}", fontsize=9, y=0.12 / height)
        return _png(figure, dpi=110)


def draw_choice(choices: Mapping[str, Surrogate], others: Sequence[Surrogate]) -> bytes:
    """A PNG of a run's own surrogates, each with the derivatives of the others in grey.

    Args:
        choices: by a heading, for example the names of the layers that have it.
        others: what could have been chosen.
    """
    points = {heading: curves(surrogate) for heading, surrogate in choices.items()}
    # Noise would hide what lies behind it, and of the others only the derivative is drawn.
    grey = [replace(curves(other), primitive=None) for other in others if other.has_primitive]
    axis = Axis.over([*points.values(), *grey])
    columns = min(3, max(1, len(choices)))
    rows = max(1, math.ceil(len(choices) / columns))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(6.4 * columns, 4.0 * rows + 0.4))
        panels = figure.subplots(rows, columns, squeeze=False)
        for panel in panels.flat[len(choices) :]:
            panel.set_visible(False)
        for panel, (heading, surrogate) in zip(panels.flat, choices.items(), strict=False):
            _frame(panel, axis)
            for index, other in enumerate(grey):
                label = "derivatives of others" if index == 0 else None
                panel.plot(
                    other.x, other.derivative, color=GREY, linewidth=0.8, alpha=0.6, label=label
                )
            _draw(panel, points[heading], figures(surrogate)[2])
            panel.set_title(heading, fontsize=11, fontweight="bold", pad=32)
            panel.text(
                0.5, 1.02, f"{surrogate!r}\n{_caption(surrogate)}", fontsize=8, **_above(panel)
            )
            panel.set_xlabel(_X)
            panel.set_ylabel(f"h and its primitive, {_Y}", fontsize=8)
        height = figure.get_figheight()
        figure.subplots_adjust(
            left=0.1 / columns,
            right=1 - 0.03 / columns,
            bottom=0.95 / height,
            top=1 - 0.75 / height,
            hspace=0.55,
            wspace=0.2,
        )
        _legend(figure, panels.flat, 0.24 / height, ncols=2 if columns == 1 else 4)
        return _png(figure, dpi=110)


def _frame(panel: Axes, axis: Axis) -> None:
    panel.set_yscale("function", functions=(stretch, unstretch))
    panel.set_xlim(-REACH, REACH)
    panel.set_ylim(*axis.limits)
    panel.set_xticks([-1, 0, 1])
    panel.set_yticks(axis.ticks, labels=[tick_label(tick) for tick in axis.ticks])
    panel.set_yticks([], minor=True)
    panel.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    panel.axvline(0, color=GREY, linewidth=0.6, zorder=0)


def _draw(panel: Axes, points: Curves, window: float) -> None:
    half = min(window, REACH)
    panel.plot(points.x, points.derivative, color=BLUE, linewidth=1.8, label="derivative h")
    if points.primitive is not None:
        panel.plot(points.x, points.primitive, "--", color=ORANGE, linewidth=1.4, label="primitive")
    label = "window: |h| at least 1 % of its peak"
    panel.axvspan(-half, half, color=BLUE, alpha=0.1, linewidth=0, label=label)


def _caption(surrogate: Surrogate) -> str:
    peak, area, window = (f"{value:.4g}".replace("inf", "∞") for value in figures(surrogate))
    return f"peak {peak}   area {area}   window ±{window}"


def _above(panel: Axes) -> dict[str, Any]:
    return {"transform": panel.transAxes, "ha": "center", "va": "bottom", "color": "#333333"}


def _legend(figure: Figure, panels: Iterable[Axes], y: float, ncols: int) -> None:
    # A random surrogate has no primitive: take a panel that has all there is.
    handles, labels = max((panel.get_legend_handles_labels() for panel in panels), key=_entries)
    figure.legend(
        handles,
        labels,
        loc="center",
        bbox_to_anchor=(0.5, y),
        ncols=ncols,
        frameon=False,
        fontsize=9,
    )


def _entries(legend: tuple[list[Any], list[Any]]) -> int:
    return len(legend[0])


def _png(figure: Figure, dpi: int) -> bytes:
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()
