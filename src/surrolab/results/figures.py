"""Pieces of figures that results share: drawn in vectors, so that a file is the same every time."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from surrolab.files import write_text
from surrolab.results.statistics import bounds

COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")


def heat_map(
    axis: Axes,
    values: Sequence[Sequence[float]],
    columns: Sequence[Any],
    rows: Sequence[Any],
    low: float = 0.0,
    high: float = 1.0,
) -> QuadMesh:
    """Values as colours, with their numbers; ``values[row][column]``, the first row below."""
    mesh = axis.pcolormesh(values, cmap="viridis", vmin=low, vmax=high, edgecolors="white")
    middle = (low + high) / 2
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if not math.isnan(value):
                colour = "black" if value > middle else "white"
                text = f"{100 * value:.0f}" if high <= 1 else f"{value:.2g}"
                axis.text(
                    column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, size=7
                )
    axis.set_xticks([n + 0.5 for n in range(len(columns))], [f"{name:g}" for name in columns])
    axis.set_yticks([n + 0.5 for n in range(len(rows))], [f"{name:g}" for name in rows])
    axis.tick_params(length=0, labelsize=7)
    return mesh


def band(
    axis: Axes, x: Sequence[float], seeds: Sequence[Sequence[float]], label: str, **style: Any
) -> None:
    """A line of means with their 95 % intervals as a band; ``seeds[i]`` are the values at x[i]."""
    lower, upper = zip(*(bounds(values) for values in seeds), strict=True)
    means = [(low + high) / 2 for low, high in zip(lower, upper, strict=True)]
    (line,) = axis.plot(x, means, marker="o", markersize=3, label=label, **style)
    axis.fill_between(x, lower, upper, color=line.get_color(), alpha=0.15, linewidth=0)


def scatter(axis: Axes, at: float, values: Sequence[float], **style: Any) -> None:
    """The values of the seeds as dots beside each other around ``at``."""
    places = [at + 0.06 * (number - (len(values) - 1) / 2) for number in range(len(values))]
    axis.plot(places, values, "o", **style)


def save(figure: Figure, path: Path) -> None:
    """Write an SVG file that depends on what is drawn alone."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "surrolab"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    # Matplotlib leaves blanks at the ends of lines.
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()))
