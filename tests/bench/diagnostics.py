"""What the default diagnostics cost, against ``diagnostics=none``.

``python tests/bench/diagnostics.py`` prints two figures, each the median of many, both sides
interleaved: the share of the training time at 4 x 512 hidden neurons and 100 steps, from the parts
that a run is made of; and the time that whole default runs take more. ``--runs N`` of the latter.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.callbacks import Diagnostics
from surrolab.diagnostics import gradient_flow, probe_batch
from surrolab.run.build import Parts, build_parts
from surrolab.schema import CONF, validate
from surrolab.stages import StageMetrics

CHECKOUT = Path(__file__).parents[2]
LARGE = ["experiment=randman_zenke2021", "model.hidden=[512,512,512,512]", "data.batch_size=64"]


def composed(*words: str) -> dict[str, Any]:
    """The configuration that a command line gives."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composition = compose("train", [*words, "name=bench"])
    config: Any = OmegaConf.to_container(composition, resolve=True)
    return validate(config)


def seconds(what: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def parts_of_a_run(repetitions: int) -> None:
    """The share of a long run's time, from its training steps, validation steps and looks."""
    config = composed(*LARGE, "model.init=fluctuation_driven", "model.init_rate=0.02")
    parts: Parts = build_parts(config)
    parts.data.setup()
    task = parts.task
    optimizer = torch.optim.Adam(task.network.parameters(), lr=1e-4)
    training = next(iter(parts.data.train_dataloader()))
    validation = next(iter(parts.data.val_dataloader()))
    probe = probe_batch(parts.data, parts.diagnostics.samples)
    bare, counting = (StageMetrics(task.network, True, on) for on in (False, True))
    callback = Diagnostics(parts.diagnostics, Path("unused"))

    def step() -> None:
        optimizer.zero_grad()
        task.train()
        task.evaluate(training).loss.backward()
        optimizer.step()

    def evaluated(metrics: StageMetrics) -> None:
        task.eval()
        with torch.inference_mode():
            metrics.update(task.evaluate(validation), validation.y, task.network)

    def look() -> None:
        task.eval()
        with torch.inference_mode():
            callback._activity(task, gradient_flow(task, probe))

    jobs = {
        "training step": step,
        "validation step, off": lambda: evaluated(bare),
        "validation step, on": lambda: evaluated(counting),
        "look at the probe batch": look,
    }
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for repetition in range(repetitions + 1):
        for name, job in jobs.items():
            spent = seconds(job)
            if repetition:  # the first one warms up
                taken[name].append(spent)
    median = {name: statistics.median(values) for name, values in taken.items()}
    sizes = parts.data.split_sizes
    batches, passes = (-(-sizes[stage] // 64) for stage in ("train", "val"))
    epochs = config["trainer"]["max_epochs"]
    looks = 1 + epochs // parts.diagnostics.every_epochs
    off = epochs * (batches * median["training step"] + passes * median["validation step, off"])
    more = median["validation step, on"] - median["validation step, off"]
    on = off + epochs * passes * more + looks * median["look at the probe batch"]
    for name, value in median.items():
        print(f"{name}: {1000 * value:.1f} ms (median of {repetitions})")
    print(f"4 x 512, T = 100, {epochs} epochs, {looks} looks: {on / off - 1:+.2%} of the time\n")


def whole_runs(count: int) -> None:
    """Default runs as a user starts them."""
    taken: dict[str, list[float]] = {"default": [], "none": []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(count):
            for option in ("default", "none") if run % 2 else ("none", "default"):
                command = [
                    *(sys.executable, str(CHECKOUT / "train.py"), "surrogate=sigmoid"),
                    *("logger=none", f"diagnostics={option}"),
                    f"hydra.run.dir={folder}/{option}{run}",
                ]
                run_it = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
                taken[option].append(seconds(run_it))
    more = [a - b for a, b in zip(taken["default"], taken["none"], strict=True)]
    off = statistics.median(taken["none"])
    print(
        f"whole default run: {statistics.median(more):+.2f} s, median of {count} pairs "
        f"(from {min(more):+.2f} to {max(more):+.2f} s), on {off:.1f} s: "
        f"{statistics.median(more) / off:+.1%}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    if arguments.repetitions:
        parts_of_a_run(arguments.repetitions)
    if arguments.runs:
        whole_runs(arguments.runs)


if __name__ == "__main__":
    main()
