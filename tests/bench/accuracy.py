"""Test accuracy of every surrogate with the shipped defaults, beside the true derivative.

Run as `make bench`, or `.venv/bin/python tests/bench/accuracy.py`; takes minutes. Writes
docs/accuracy.md and docs/surrogates.svg.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean

import matplotlib
import matplotlib.pyplot as plt
import torch

import surrolab.surrogates
from surrolab.schema import options

CHECKOUT = Path(__file__).parents[2]
SEEDS = (0, 1, 2)


def measure() -> dict[str, list[dict[str, float]]]:
    """Results of every surrogate on the same seeds and splits, in one process."""
    names = list(options("surrogate"))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, str(CHECKOUT / "train.py"), "--multirun", "logger=none"),
            f"surrogate={','.join(names)}",
            f"data.split_seed={','.join(map(str, SEEDS))}",
            f"hydra.sweep.dir={folder}",
            "hydra.sweep.subdir=${hydra:runtime.choices.surrogate}-${data.split_seed}",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {
            name: [
                json.loads((Path(folder) / f"{name}-{seed}" / "result.json").read_text())
                for seed in SEEDS
            ]
            for name in names
        }


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """A Markdown table, best first."""

    def accuracies(name: str) -> list[float]:
        return [result["metrics"]["test/accuracy"] for result in results[name]]

    rows = []
    for name in sorted(results, key=lambda name: -mean(accuracies(name))):
        gains = [a - b for a, b in zip(accuracies(name), accuracies("none"), strict=True)]
        rate = mean(result["metrics"]["spikes/hidden1/rate"] for result in results[name])
        seconds = mean(result["duration_s"] for result in results[name])
        rows.append(
            f"| `{name}` | {mean(accuracies(name)):.4f} | "
            f"{', '.join(f'{a:.4f}' for a in accuracies(name))} | "
            f"{min(gains):+.4f} | {rate:.3f} | {seconds:.0f} s |"
        )
    head = (
        "| surrogate | test accuracy | by split | least gain over `none` | firing rate | time |\n"
        "|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def picture(results: dict[str, list[dict[str, float]]], path: Path) -> None:
    """The derivatives at their shipped settings, each with the accuracy it reaches."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "surrolab"  # the same file from the same numbers
    x = torch.linspace(-1.5, 1.5, 201, dtype=torch.float64)
    rows = math.ceil(len(results) / 6)
    figure, axes = plt.subplots(
        rows, 6, figsize=(12, 1.7 * rows), sharex=True, layout="constrained"
    )
    for axis in axes.flat[len(results) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, results, strict=False):
        node = options("surrogate")[name]
        arguments = {key: value for key, value in node.items() if key != "_target_"}
        make = getattr(surrolab.surrogates, node["_target_"].rpartition(".")[2])
        with torch.random.fork_rng():  # one of them is random
            h = make(**arguments).derivative(x)
        accuracy = mean(result["metrics"]["test/accuracy"] for result in results[name])
        axis.fill_between(x, h / h.max() if h.max() > 0 else h, alpha=0.3, color="tab:blue")
        axis.plot([-1.5, 0, 0, 1.5], [0, 0, 1, 1], color="black", linewidth=0.8)
        axis.set_title(f"{name}: {accuracy:.1%}", fontsize=8)
        axis.set_yticks([])
        axis.set_ylim(0, 1.15)
    figure.supxlabel("membrane potential minus threshold", fontsize=9)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print, and write both files."""
    results = measure()
    text = (
        "# Accuracy of every surrogate\n\n"
        "Handwritten digits (1797 images, `data=digits`), shipped defaults, splits 0, 1 and 2; "
        "the epoch is chosen on validation. `none` is the true derivative: its hidden weights do "
        "not move, only the readout learns. Made by `.venv/bin/python tests/bench/accuracy.py`.\n\n"
        + table(results)
    )
    print(text)
    (CHECKOUT / "docs" / "accuracy.md").write_text(text)
    picture(results, CHECKOUT / "docs" / "surrogates.svg")


if __name__ == "__main__":
    main()
