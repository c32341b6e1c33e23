"""Tables in Markdown, and the files."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import picture
from spread import Spread, ratio

TITLES = {
    "neuron": "Neuron alone, forward and backward",
    "memory": "Peak memory of the neuron alone",
    "layer": "Linear and LIF, forward and backward",
    "steps": "Training steps of the shipped models",
    "onm": "Open Neuromorphic's protocol",
    "scaling": "How cost grows",
}
TEXTS = {
    "neuron": "The gradient of the input is computed, that of the output is given. `snnTorch` is "
    "`Leaky` (atan, subtract reset) stepped over `unbind`. The floor is what has to be read and "
    "written, 24 bytes per element in float32, at the speed of a copy measured in the same "
    "rounds: of six arrays of that size, which a large cache may hold in part, and of arrays that "
    "no cache holds.",
    "memory": "Largest resident size while forward and backward run, beyond the given current and "
    "the given gradient, in tensors [T, B, N]; each contender in fresh processes, the kernel's "
    "VmHWM reset before. With freed memory returned at once this is what is alive; what is held "
    "between the passes is what every layer of a deep network adds; the last table is how much a "
    "process grows by default. On a GPU by torch's own count.",
    "layer": "N inputs, N neurons, 10 % of the inputs spike; the input has no gradient. `snnTorch` "
    "calls both in every step. The last row is both matrix products (forward, and the gradient of "
    "the weights) and nothing else.",
    "steps": "Forward, loss, backward and Adam on a random batch of the shape of the data; peak "
    "memory of a step as above.",
    "onm": "Batch 16, 500 steps, one Linear and LIF layer, number of neurons after the comma; "
    "backward repeated with `retain_graph=True`, so nothing may be overwritten.",
    "scaling": "One of T, B, N at a time around a middle point (neuron alone); then Linear and LIF "
    "layers in a row.",
}


def table(rows: dict[str, list[str]], columns: list[str]) -> str:
    """A Markdown table."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


def cells(values: dict[str, dict[str, Any]], cell: Callable[[str, str], str]) -> str:
    """A table with contenders as rows and cases as columns; a dash where one is missing."""
    names = list(dict.fromkeys(name for row in values.values() for name in row))
    rows = {
        name: [cell(where, name) if name in row else "-" for where, row in values.items()]
        for name in names
    }
    return table(rows, list(values))


def section(part: str, variant: str, result: dict[str, Any]) -> str:
    """What one part has found, with the machine that it ran on."""
    blocks = [f"### {variant}\n", machine_line(result)]
    if "times" in result:
        blocks += speed(result)
    if "bytes" in result:
        blocks.append("Peak memory:\n\n" + memory(part, result["bytes"]))
    if "held" in result:
        blocks.append("Held between forward and backward:\n\n" + memory(part, result["held"]))
    if result.get("grown"):
        said = "Growth of a process with the C library's default settings:\n\n"
        blocks.append(said + memory(part, result["grown"]))
    if result.get("first_use"):
        blocks.append(first_use(result["first_use"]))
    return "\n".join(blocks)


def machine_line(result: dict[str, Any]) -> str:
    """Processor, threads, versions."""
    about = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    quick = " A quick run: few rounds." if result["quick"] else ""
    if result["others"] is not None:
        quick += f" Other processes took {result['others']:.0%} of the machine meanwhile."
    return (
        f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, "
        f"{about['simd']}; Python {about['python']}, {versions}; commit {about['commit']}.{quick}\n"
    )


def speed(result: dict[str, Any]) -> list[str]:
    """Ratios to the baseline, then milliseconds and multiples of the floor."""
    times, base, floor = result["times"], result["baseline"], result.get("floor")

    def faster(where: str, name: str) -> str:
        row = times[where]
        if name == base:
            return f"{short(1000 * median(row[base]))} ms"
        return _with_quartiles(ratio(row[name], row[base]))

    def taken(where: str, name: str) -> str:
        row = times[where]
        text = f"{short(1000 * median(row[name]))} ms"
        if floor in row and name != floor:
            text += f", {short(ratio(row[floor], row[name]).middle)} x"
        return text

    said = f"Times faster than {base} (quartiles of the rounds):\n"
    then = "Time" + (f", and in multiples of the {floor}" if floor else "") + ":\n"
    return [said, cells(times, faster), then, cells(times, taken)]


def memory(part: str, peaks: dict[str, Any]) -> str:
    """In tensors of the given size, or of whole steps in megabytes."""

    def peak(where: str, name: str) -> str:
        found = peaks[where][name]
        if part == "memory":
            sizes = [int(size) for size in where.strip("()").split(",")]
            return f"{found / (4 * sizes[0] * sizes[1] * sizes[2]):.1f}"
        return f"{short(found / 1e6)} MB"

    return cells(peaks, peak)


def first_use(found: dict[str, list[float]]) -> str:
    """Cost of the first call with each new surrogate."""
    counts = [1, 2, 4, 8]
    rows = {name: [f"{sum(taken[:n]):.2f} s" for n in counts] for name, taken in found.items()}
    head = "First forward and backward of so many surrogates that were never used before:\n\n"
    return head + table(rows, [str(n) for n in counts])


def _with_quartiles(value: Spread) -> str:
    return f"**{short(value.middle)}** ({short(value.low)} to {short(value.high)})"


def short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def write(results: dict[str, Any], folder: Path) -> None:
    """``benchmark.md`` and ``benchmark.svg``, from whatever has been measured."""
    blocks = [
        "# Speed and memory of the engines\n",
        "Made by `python tests/bench/engines`; raw numbers in `benchmark.json`. All contenders of "
        "a table ran in turn, round by round, in one session. Ratios are taken within each round, "
        "then their median.\n",
        "![](benchmark.svg)\n",
    ]
    for part, title in TITLES.items():
        if part in results:
            blocks += [f"## {title}\n", TEXTS[part] + "\n"]
            blocks += [section(part, name, found) for name, found in results[part].items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.md").write_text("\n".join(blocks))
    picture.draw(results, folder / "benchmark.svg")
