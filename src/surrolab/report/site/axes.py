"""Axes below each other, and lines and bands in them."""

import base64
from typing import Any

import numpy as np
import numpy.typing as npt


def short(value: float, digits: int) -> float | None:
    """So many digits, which is what a plot can show; None where it is not finite."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def levels(values: npt.ArrayLike, low: float, high: float, log: bool = False) -> dict[str, Any]:
    """Values as bytes, 1 to 255 from the low to the high one: finer than the pixels of a plot.

    0 is a value that is not there. The page's script makes numbers of them.
    """
    found = np.asarray(values, dtype=np.float64)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            found, low, high = np.log10(found), float(np.log10(low)), float(np.log10(high))
    known = np.isfinite(found)
    span = high - low or 1.0
    steps = 1 + np.rint(254 * np.clip((np.where(known, found, low) - low) / span, 0, 1))
    signs = np.where(known, steps, 0).astype(np.uint8).tobytes()
    made = {"data": base64.b64encode(signs).decode(), "low": short(low, 4), "span": short(span, 4)}
    return {**made, "log": True} if log else made


def domain(row: int, rows: int) -> list[float]:
    """The part of the height that a row has, the first on top."""
    gap = 0.06 / max(1, rows - 1) if rows > 1 else 0.0
    height = (1 - gap * (rows - 1)) / rows
    bottom = 1 - (row + 1) * height - row * gap
    return [max(0.0, bottom), min(1.0, bottom + height)]


def band(axis: str, low: float, high: float) -> dict[str, Any]:
    """A shaded range of x."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": f"{axis} domain",
        "x0": low,
        "x1": high,
        "y0": 0,
        "y1": 1,
        "fillcolor": "@c1",
        "opacity": 0.16,
        "line": {"width": 0},
        "layer": "below",
    }


def upright(axis: str, x: float, role: str = "@ink", dash: str = "solid") -> dict[str, Any]:
    """A line from the bottom to the top."""
    return {
        "type": "line",
        "xref": "x",
        "yref": f"{axis} domain",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": {"color": role, "width": 1.2, "dash": dash},
    }


def level(axis: str, value: float) -> dict[str, Any]:
    """A dashed line across."""
    return {
        "type": "line",
        "xref": "x domain",
        "yref": axis,
        "x0": 0,
        "x1": 1,
        "y0": value,
        "y1": value,
        "line": {"color": "@ink", "width": 1, "dash": "dash"},
    }
