"""What a run costs with everything it can log, against none of it.

On: W&B offline with pictures and artifacts, the default diagnostics, and the report of what is
wrong with a layer. Off: ``logger=none diagnostics=none callbacks.health=false``. Both by turns:

- ``large``: 4 x 512 hidden neurons, 100 steps, 30 epochs, put together from the parts a run is
  made of: medians of training steps, validation steps, looks with their pictures and records, rows,
  and the begin and end of a W&B run.
- ``runs``: whole default runs, each a process; seconds of the clock and of the processor.

``python tests/bench/tracking.py`` prints both; ``--only`` one, ``--runs N`` pairs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from diagnostics import CHECKOUT, LARGE, composed, seconds

from surrolab.callbacks import Diagnostics
from surrolab.callbacks.media import look_media
from surrolab.diagnostics import gradient_flow, probe_batch
from surrolab.run.build import Parts, build_parts
from surrolab.run.directory import RunDirectory
from surrolab.run.ending import Ending
from surrolab.stages import StageMetrics

OFF = ["logger=none", "diagnostics=none", "callbacks.health=false"]


class Spent(NamedTuple):
    """Seconds of the clock, and of the processor (without W&B's own program)."""

    clock: float
    processor: float


def large(repetitions: int) -> None:
    """The share of a long run's time, from its parts."""
    config = composed(*LARGE, "model.init=fluctuation_driven", "model.init_rate=0.02")
    parts: Parts = build_parts(config)
    parts.data.setup()
    task = parts.task
    optimizer = torch.optim.Adam(task.network.parameters(), lr=1e-4)
    training = next(iter(parts.data.train_dataloader()))
    validation = next(iter(parts.data.val_dataloader()))
    probe = probe_batch(parts.data, parts.diagnostics.samples)
    bare = StageMetrics(task.network, True)
    full = StageMetrics(task.network, True, True, task.classes)
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory.claim(Path(folder) / "run", True)
        directory.write_config(config, [], {})
        directory.write_result({"status": "completed"})
        directory.best.parent.mkdir()
        torch.save(task.state_dict(), directory.best)
        callback = Diagnostics(parts.diagnostics, directory.records)
        trainer: Any = SimpleNamespace(global_step=0, is_global_zero=True)
        callback.look = lambda *_: gradient_flow(task, probe)  # type: ignore[method-assign]

        def started() -> Any:
            (run,) = parts.tracking.loggers(directory.path, "bench", config, f"b{time.time_ns()}")
            return run

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
                callback._diagnose(trainer, task, 0)
            seen = callback.last
            assert seen is not None
            tracked.log_media(lambda: look_media(seen), 0)

        def row() -> None:
            tracked.log_metrics({f"spikes/{i}/rate": float(i) for i in range(80)}, 0)
            tracked.save()

        def begin_and_end() -> None:
            ending = Ending(directory, config, [started()])
            ending.finish({"status": "completed", "best_epoch": 0, "metrics": {}})

        started().finish(0, [])  # the first finds libraries that are not loaded yet
        tracked = started()
        jobs: dict[str, Callable[[], None]] = {
            "training step": step,
            "validation step, off": lambda: evaluated(bare),
            "validation step, on": lambda: evaluated(full),
            "look": look,
            "row": row,
        }
        taken: dict[str, list[float]] = {name: [] for name in jobs}
        for repetition in range(repetitions + 1):
            for name, job in jobs.items():
                spent = seconds(job)
                if repetition:  # the first one warms up
                    taken[name].append(spent)
        tracked.finish(0, [])
        ends = [seconds(begin_and_end) for _ in range(4)][1:]
    median = {name: statistics.median(values) for name, values in taken.items()}
    median["begin and end of a W&B run"] = statistics.median(ends)
    sizes = parts.data.split_sizes
    batches, passes = (-(-sizes[stage] // 64) for stage in ("train", "val"))
    epochs = config["trainer"]["max_epochs"]
    looks = 1 + epochs // parts.diagnostics.every_epochs
    off = epochs * (batches * median["training step"] + passes * median["validation step, off"])
    more = epochs * passes * (median["validation step, on"] - median["validation step, off"])
    more += looks * median["look"] + epochs * median["row"] + median["begin and end of a W&B run"]
    for name, value in median.items():
        print(f"{name}: {1000 * value:.1f} ms")
    print(f"4 x 512, T = 100, {epochs} epochs of {off / epochs:.1f} s: {more / off:+.2%}\n")


def whole(command: list[str]) -> Spent:
    """Run a process to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Spent(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)


def runs(count: int) -> None:
    """Default runs as a user starts them."""
    taken: dict[str, list[Spent]] = {"on": [], "off": []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(count + 1):
            for side in ("on", "off") if run % 2 else ("off", "on"):
                words = OFF if side == "off" else ["logger=wandb"]
                where = f"hydra.run.dir={folder}/{side}{run}"
                spent = whole(
                    [sys.executable, str(CHECKOUT / "train.py"), "surrogate=sigmoid", where, *words]
                )
                if run:  # the first pair warms up the file cache
                    taken[side].append(spent)
    for clock in Spent._fields:
        on, off = ([getattr(spent, clock) for spent in taken[side]] for side in ("on", "off"))
        more = [a - b for a, b in zip(on, off, strict=True)]
        print(
            f"whole default run, {clock}: {statistics.median(more):+.2f} s, of {count} pairs "
            f"({min(more):+.2f} to {max(more):+.2f}), on {statistics.median(off):.1f} s: "
            f"{statistics.median(more) / statistics.median(off):+.1%}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["large", "runs"])
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    if given.only != "runs":
        large(given.repetitions)
    if given.only != "large":
        runs(given.runs)


if __name__ == "__main__":
    main()
