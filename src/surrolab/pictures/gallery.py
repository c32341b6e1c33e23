"""The gallery of surrogates as one HTML page that needs nothing beside it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from surrolab.pictures.page import render
from surrolab.pictures.portrait import REACH, Axis, Points, Portrait, curves, tick_label

# Of a card's drawing, in units of its viewBox.
WIDTH, HEIGHT = 320, 218
LEFT, RIGHT, TOP, BOTTOM = 30, 312, 8, 180


def gallery_page(portraits: Sequence[Portrait], command: str, version: str) -> str:
    """The page, with the current choice first.

    Args:
        portraits: what it shows, in this order.
        command: the command line that made it.
        version: of the program.
    """
    points = [curves(portrait.surrogate) for portrait in portraits]
    axis = Axis.over(points)
    cards = []
    for portrait, curve in zip(portraits, points, strict=True):
        half = min(portrait.figures[2], REACH)
        primitive = None if curve.primitive is None else _path(axis, curve.x, curve.primitive)
        cards.append(
            {
                "portrait": portrait,
                "derivative": _path(axis, curve.x, curve.derivative),
                "primitive": primitive,
                "window": (_across(-half), _across(half) - _across(-half)),
            }
        )
    return render(
        "gallery.html.j2",
        number,
        cards=cards,
        box={"width": WIDTH, "height": HEIGHT},
        plot={"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
        x_ticks=[(tick_label(x), _across(x)) for x in (-1.0, 0.0, 1.0)],
        y_ticks=[(tick_label(y), _up(axis, y)) for y in axis.ticks],
        command=command,
        version=version,
    )


def number(value: Any) -> str:
    """A number for people: four digits, ``∞`` where it is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return "∞" if math.isinf(value) else f"{value:.4g}"


def _across(x: float) -> float:
    return round(LEFT + (x + REACH) / (2 * REACH) * (RIGHT - LEFT), 2)


def _up(axis: Axis, y: float) -> float:
    return round(BOTTOM - float(axis.share(np.array(y))) * (BOTTOM - TOP), 2)


def _path(axis: Axis, x: Points, y: Points) -> str:
    """An SVG path; points that a tenth of a unit cannot tell apart are left out."""
    good = np.isfinite(y)
    across = LEFT + (x[good] + REACH) / (2 * REACH) * (RIGHT - LEFT)
    down = BOTTOM - axis.share(y[good]) * (BOTTOM - TOP)
    words: list[str] = []
    for a, b in zip(across, down, strict=True):
        word = f"{a:.1f} {b:.1f}"
        if not words or words[-1] != word:
            words.append(word)
    return "M" + "L".join(words) if words else ""
