"""The picture: ratios, memory, and growth."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from spread import ratio

# The same colour and order everywhere; what is not listed is in the tables.
COLOURS = {
    "snnTorch": "black",
    "stepwise": "tab:gray",
    "torch": "tab:cyan",
    "native": "tab:blue",
    "native, overwriting": "navy",
    "native, sparse": "tab:purple",
    "triton": "tab:blue",
    "SpikingJelly": "tab:orange",
    "norse": "tab:green",
    "Spyx": "tab:red",
    "floor": "lightgray",
    "matrix products alone": "lightgray",
}


def draw(results: dict[str, Any], path: Path) -> None:
    """One panel for each part that has been measured."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "surrolab"  # the same file from the same numbers
    panels: list[Callable[[Axes], None]] = []
    for part, title in (("neuron", "neuron alone"), ("layer", "Linear and LIF")):
        found = _variant(results, part)
        if found:
            panels.append(lambda axis, found=found, title=title: _ratios(axis, found, title))
    if memory := _variant(results, "memory"):
        panels.append(lambda axis: _memory(axis, memory))
    for key in ("T", "B", "N", "depth"):
        if growth := _variant(results, "scaling", key):
            panels.append(lambda axis, key=key, found=growth: _growth(axis, found["times"], key))
    if not panels:
        return
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(6.5 * columns, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis in axes:
        axis.set_visible(False)
    for axis, panel in zip(figure.axes, panels, strict=False):
        axis.set_visible(True)
        panel(axis)
    figure.savefig(path, metadata={"Date": None})


def _variant(results: dict[str, Any], part: str, name: str = "float32") -> Any:
    """The variant to be shown: on the CPU, with freed memory kept where that was measured."""
    variants = results.get(part, {})
    for wanted in (f"cpu, {name}, freed memory kept", f"cpu, {name}"):
        for variant, found in variants.items():
            if variant.startswith(wanted):
                return found
    return None


def _bars(axis: Axes, cases: dict[str, dict[str, float]]) -> None:
    names = [name for name in COLOURS if any(name in row for row in cases.values())]
    width = 0.8 / max(len(names), 1)
    for index, name in enumerate(names):
        at = [k + index * width for k, row in enumerate(cases.values()) if name in row]
        heights = [row[name] for row in cases.values() if name in row]
        axis.bar(at, heights, width, label=name, color=COLOURS[name])
    axis.set_xticks([k + 0.4 for k in range(len(cases))], list(cases), fontsize=8)
    axis.legend(fontsize=6, ncols=2)


def _ratios(axis: Axes, found: dict[str, Any], title: str) -> None:
    cases = {
        where: {
            name: ratio(taken, row[found["baseline"]]).middle
            for name, taken in row.items()
            if name != found["baseline"]
        }
        for where, row in found["times"].items()
    }
    _bars(axis, cases)
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_title(f"{title}: times faster than snnTorch", fontsize=9)
    axis.set_xlabel("(T, B, N)", fontsize=8)


def _memory(axis: Axes, found: dict[str, Any]) -> None:
    cases = {}
    for where, row in found["bytes"].items():
        steps, batch, width = _sizes(where)
        cases[where] = {name: peak / (4 * steps * batch * width) for name, peak in row.items()}
    _bars(axis, cases)
    axis.set_title("neuron alone: peak memory in tensors [T, B, N]", fontsize=9)
    axis.set_xlabel("(T, B, N)", fontsize=8)


def _sizes(case: str) -> list[int]:
    return [int(size) for size in case.strip("()").split(",")]


def _growth(axis: Axes, times: dict[str, Any], key: str) -> None:
    """Milliseconds against T, B, N or depth, on logarithmic axes."""
    points: dict[str, list[tuple[int, float]]] = {}
    for label, row in times.items():
        head, _, shape = label.rpartition("(")
        x = int(head.split()[0]) if key == "depth" else _sizes(shape)["TBN".index(key)]
        for name, taken in row.items():
            points.setdefault(name, []).append((x, 1000 * median(taken)))
    for name in COLOURS:
        if name in points:
            axis.loglog(*zip(*points[name], strict=True), ".-", label=name, color=COLOURS[name])
    if points:
        axis.legend(fontsize=6, ncols=2)
        sizes = sorted({x for line in points.values() for x, _ in line})
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
    fixed = "Linear and LIF layers" if key == "depth" else "neuron alone"
    axis.set_title(f"{fixed}: ms against {key}", fontsize=9)
