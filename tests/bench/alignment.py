"""Alignment and reach of surrogate gradients against their slope, at depths 1 to 5.

``python tests/bench/alignment.py`` writes ``docs/alignment/``: a row for every network and
surrogate in ``alignment.csv``, tables and what they say in ``README.md``, a picture per data set.
Some twenty minutes on two cores. ``--only DATA --depths 1 2 --output DIR`` does a part,
``--redraw`` makes tables and pictures from the CSV file.
"""

import argparse
import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib
import torch
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from surrolab.diagnostics import Problem, agreement, probe_batch
from surrolab.diagnostics.escape_noise import expected_gradient
from surrolab.diagnostics.references import (
    REFERENCE_SLOPE,
    reference_noise,
    smoothed_gradient,
)
from surrolab.run.build import build_parts
from surrolab.run.construct import build
from surrolab.schema import CONF, options, validate

CHECKOUT = Path(__file__).parents[2]
# Weights such that every layer of the deepest network fires before training.
DATA = {
    "digits": ["data=digits", "model.init_rate=0.05"],
    "randman": ["experiment=randman_zenke2021", "model.init_rate=0.02"],
}
SURROGATES = ("sigmoid", "fast_sigmoid", "atan", "gaussian", "triangle", "boxcar")
SLOPES = (0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0)
DEPTHS = (1, 2, 3, 4, 5)
SEEDS = (0, 1, 2)
SAMPLES, DRAWS, WIDTH = 32, 256, 64


def rows(data: str, depth: int, seed: int, slopes: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """A network at initialisation, and what each surrogate's gradient is worth in it.

    All for ``hidden1``, which the gradient reaches last.
    """
    words = [
        *DATA[data],
        *(f"model.hidden={[WIDTH] * depth}", "model.init=fluctuation_driven", "model.bias=false"),
        *(f"seed={seed}", "name=alignment", "logger=none"),
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", words), resolve=True)
    parts = build_parts(validate(config))
    parts.data.setup()
    problem = Problem.of(parts.task, probe_batch(parts.data, SAMPLES))
    fixed = reference_noise(problem, REFERENCE_SLOPE)
    smoothed = smoothed_gradient(problem, fixed)
    expected = expected_gradient(problem, fixed, draws=DRAWS)
    with torch.no_grad():
        output = problem.network(problem.x_TBF, record=True)
    rates = [spk.mean().item() for spk in output.hidden.values()]
    first = dict(problem.spiking())["hidden1"]
    distance = (output.records["hidden1"].membrane - first.neuron.threshold).abs()
    for name, slope in itertools.product(SURROGATES, slopes):
        for _, layer in problem.spiking():
            node = options("surrogate")[name] | {"slope": slope, "normalize": "peak"}
            layer.neuron.spike_grad = build("surrogate", node)
        gradient = problem.gradient()
        to_fixed = agreement(gradient, smoothed)["hidden1"]
        to_matched = agreement(gradient, smoothed_gradient(problem))["hidden1"]
        to_expected = agreement(gradient, expected.mean, expected.groups)["hidden1"]
        weights = gradient["layers.hidden1.synapse.weight"]
        yield {
            "data": data,
            "depth": depth,
            "seed": seed,
            "surrogate": name,
            "slope": slope,
            "cosine_fixed": to_fixed.cosine,
            "cosine_matched": to_matched.cosine,
            "cosine_expected": to_expected.cosine,
            "signs_fixed": to_fixed.signs,
            "norm_ratio_fixed": to_fixed.norm_ratio,
            "window": (distance <= first.surrogate.window).double().mean().item(),
            "nonzero": (weights != 0).double().mean().item(),
            "rate_first": rates[0],
            "rate_last": rates[-1],
        }


def average(table: list[dict[str, Any]], figure: str, **where: Any) -> float | None:
    """Mean over seeds of a figure; None where there is none."""
    values = [
        row[figure]
        for row in table
        if all(row[key] == value for key, value in where.items()) and row[figure] is not None
    ]
    return mean(values) if values else None


def tables(table: list[dict[str, Any]]) -> str:
    """Markdown: for each data set and figure, surrogates and depths down, slopes across."""
    text = ""
    titles = {
        "cosine_fixed": "Cosine with the smoothed network of fixed width",
        "cosine_expected": "Cosine with the expected gradient under escape noise of fixed width",
        "cosine_matched": "Cosine with the smoothed network as wide as the surrogate",
        "window": "Reach: share of neuron-steps of hidden1 inside the window",
        "nonzero": "Reach: share of hidden1's weights with a gradient",
    }
    for data in dict.fromkeys(row["data"] for row in table):
        depths = sorted({row["depth"] for row in table if row["data"] == data})
        slopes = sorted({row["slope"] for row in table})
        text += f"\n## {data}\n"
        for figure, title in titles.items():
            shown = depths if figure.startswith("cosine") else depths[:1]
            text += f"\n### {title}\n\n| surrogate | depth | "
            text += " | ".join(f"{slope:g}" for slope in slopes) + " |\n"
            text += "|---|---|" + "---|" * len(slopes) + "\n"
            for name, depth in itertools.product(SURROGATES, shown):
                cells = []
                for slope in slopes:
                    where = {"data": data, "depth": depth, "surrogate": name, "slope": slope}
                    value = average(table, figure, **where)
                    cells.append("-" if value is None else f"{value:.2f}")
                text += f"| `{name}` | {depth} | {' | '.join(cells)} |\n"
    return text


def verdict(table: list[dict[str, Any]]) -> str:
    """What the numbers say about steepness, alignment and reach, counted and not judged by eye."""
    lines = ["| data | depth | slope of the best alignment, by surrogate | rises then falls |"]
    lines.append("|---|---|---|---|")
    slopes = sorted({row["slope"] for row in table})
    for data, depth in dict.fromkeys((row["data"], row["depth"]) for row in table):
        best, bent = [], 0
        for name in SURROGATES:
            where = {"data": data, "depth": depth, "surrogate": name}
            curve = [average(table, "cosine_fixed", slope=slope, **where) for slope in slopes]
            numbers = [-2.0 if value is None else value for value in curve]
            at = numbers.index(max(numbers))
            bent += 0 < at < len(slopes) - 1
            best.append(f"{name} {slopes[at]:g} ({max(numbers):.2f})")
        lines.append(f"| {data} | {depth} | {', '.join(best)} | {bent} of {len(SURROGATES)} |")
    return "\n".join(lines) + "\n"


def picture(table: list[dict[str, Any]], data: str, path: Path) -> None:
    """Alignment against slope, a panel per depth, and reach in the last panel."""
    matplotlib.rcParams["svg.hashsalt"] = "surrolab"  # the same file from the same numbers
    depths = sorted({row["depth"] for row in table if row["data"] == data})
    slopes = sorted({row["slope"] for row in table})
    figure = Figure(figsize=(2.6 * (len(depths) + 1), 3.4), layout="constrained")
    panels = figure.subplots(1, len(depths) + 1)
    for name in SURROGATES:
        for axes, depth in zip(panels, depths, strict=False):
            where = {"data": data, "depth": depth, "surrogate": name}
            curve = [average(table, "cosine_fixed", slope=slope, **where) for slope in slopes]
            axes.plot(slopes, [float("nan") if c is None else c for c in curve], label=name)
            axes.set_title(f"depth {depth}", fontsize=10)
            axes.set_ylim(-0.3, 1.02)
        where = {"data": data, "depth": depths[0], "surrogate": name}
        reach = [average(table, "window", slope=slope, **where) for slope in slopes]
        panels[-1].plot(slopes, reach)
    panels[-1].set_title("reach (hidden1, window)", fontsize=10)
    panels[0].set_ylabel("cosine with the fixed smoothed network", fontsize=9)
    for axes in panels:
        axes.set_xscale("log")
        axes.axhline(0, color="black", linewidth=0.6)
    figure.supxlabel("slope", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    figure.suptitle(data, x=0.02, ha="left", fontsize=10)
    figure.savefig(path, metadata={"Date": None})


FINDING = """
## What was found

A steeper surrogate does not agree better. With all six shapes and on both data sets alignment rises
with the slope only until the surrogate is about as wide as the reference, and falls from there, the
faster the deeper the network: with one hidden layer the slope hardly matters, with five the
gradient of the first layer has lost its direction at slope 100. Reach falls with the slope
throughout. "Steeper is more faithful and reaches less" therefore holds only to the left of the
best slope, where the surrogate is wider than the reference; to its right a steeper surrogate loses
both. At its best slope every shape does about as well as any other: the width matters, the shape
hardly does. With the expected gradient under escape noise, which knows nothing of any smoothed
network, it is the same, at slopes a little lower still. Narrow shapes with compact support
(triangle, boxcar) fall first, heavy tails (fast_sigmoid) last.

This is before training, for networks whose layers all fire. A network that is silent is another
case: there reach is all, and a heavy tail the only gradient there is.
"""

HEADER = f"""# Alignment against slope

How well the surrogate gradient of the first hidden layer agrees with a reference, and how much of
the layer it reaches, before training. Networks of 1 to 5 hidden layers of {WIDTH} neurons with
fluctuation-driven weights (`model.init=fluctuation_driven`), {SAMPLES} validation samples, mean of
{len(SEEDS)} seeds; `surrogate.normalize=peak`, the neurons' reset detached. References: the exact
gradient of the smoothed network, in which logistic noise of slope {REFERENCE_SLOPE:g} / threshold
smooths the step (fixed: the surrogate's slope does not move it); the gradient of the expected loss
under escape noise of that width ({DRAWS} draws; `-` where its noise leaves no cosine); and the
smoothed network whose step is as wide as the surrogate (matched: it moves with the slope, and
therefore says nothing about the choice of it). Every network and surrogate is a row of
[alignment.csv](alignment.csv). Made by

```
.venv/bin/python tests/bench/alignment.py
```
"""


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file in their types; None where a field is empty."""
    kinds = {"data": str, "surrogate": str, "depth": int, "seed": int}
    with path.open() as file:
        return [
            {k: kinds.get(k, float)(v) if v else None for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*DATA], help="one data set")
    parser.add_argument("--depths", type=int, nargs="+", default=list(DEPTHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--redraw", action="store_true", help="from the CSV file")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "docs" / "alignment")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    chosen = [arguments.only] if arguments.only else list(DATA)
    table: list[dict[str, Any]] = []
    if arguments.redraw:
        table = read(arguments.output / "alignment.csv")
        chosen = list(dict.fromkeys(row["data"] for row in table))
    else:
        for data, depth, seed in itertools.product(chosen, arguments.depths, arguments.seeds):
            table += rows(data, depth, seed, SLOPES)
            print(f"{data}, depth {depth}, seed {seed}: {len(table)} rows", flush=True)
    with (arguments.output / "alignment.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        for row in table:
            rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
            writer.writerow(rounded)
    summary = "\n## Where alignment is best\n\n" + verdict(table)
    pictures = ""
    for data in chosen:
        picture(table, data, arguments.output / f"{data}.svg")
        pictures += f"\n![Alignment and reach against slope, {data}]({data}.svg)\n"
    text = HEADER + FINDING + summary + pictures + tables(table)
    (arguments.output / "README.md").write_text(text)


if __name__ == "__main__":
    main()
