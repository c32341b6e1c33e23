"""What a training step costs beside the network's forward, backward and optimizer.

``python tests/bench/overhead.py`` runs the default experiment at its default size, to a file and to
a terminal (where there is a progress bar), and 4 x 512 hidden neurons with 100 steps and a batch of
256 (a few batches of it), and prints for each what a step takes and where.

These are real runs: `surrolab.run.execute` with the composed configuration, data, callbacks and
loggers of ``python train.py``, W&B offline and ``metrics.csv`` among them, on the CPU. Clocks
stand around three things and nothing else:

- forward: ``Task.evaluate``, which is encoder, network and objective;
- backward: ``Tensor.backward``;
- optimizer: ``step`` of torch's optimizer, less the closure that Lightning hands it, in which
  forward, backward and the callbacks before the update run.

A step lasts from one call of the optimizer, which begins with the forward, to the next one of its
epoch. What is left of it is the time outside: Lightning's loop, hooks and progress bar, callbacks,
metrics, logging, data loading, the schedule of the learning rate, zeroing the gradients, freeing
the graph. The first epoch warms up. The second figure is the mean over whole epochs, of the time
from the epoch's begin to its validation, so that shuffling the data and whatever else happens once
per epoch counts too.
"""

import argparse
import contextlib
import functools
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.run import execute as execution
from surrolab.run.directory import RunDirectory
from surrolab.schema import CONF, validate

DEFAULT = ["trainer.max_epochs=16"]
LARGE = [
    *("experiment=randman_zenke2021", "model.hidden=[512,512,512,512]", "data.batch_size=256"),
    *("model.init=fluctuation_driven", "model.init_rate=0.02", "optimizer.lr=1e-4"),
    *("trainer.max_epochs=2", "trainer.limit_train_batches=8", "trainer.limit_val_batches=1"),
    "trainer.limit_test_batches=1",
]
PARTS = ("forward", "backward", "optimizer")


@dataclass
class Epoch:
    """Seconds on the clock: the begin, the end, each step's begin, and each step's parts."""

    begin: float
    end: float = 0.0
    starts: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})

    def outside(self) -> list[float]:
        """Of every step but the last, whose end is not known."""
        return [
            total - sum(parts)
            for total, *parts in zip(self.totals(), *self.parts.values(), strict=False)
        ]

    def totals(self) -> list[float]:
        return [b - a for a, b in zip(self.starts, self.starts[1:], strict=False)]

    def mean_outside(self) -> float:
        inside = sum(sum(part) for part in self.parts.values())
        return (self.end - self.begin - inside) / len(self.starts)


class Clocks:
    """The clocks in a run; they stand in it while it is in training."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []

    @contextlib.contextmanager
    def around(self, trainer: Any, task: Any) -> Iterator[None]:
        """Set them, and take them out again."""
        fit, backward, patch = trainer.fit_loop, torch.Tensor.backward, mock.patch.object
        validation, evaluate = fit.epoch_loop.val_loop, task.evaluate

        def begins(*args: Any) -> None:
            self.epochs.append(Epoch(time.perf_counter()))
            self._set_on_optimizers(trainer)
            begin(*args)

        def ends(*args: Any) -> Any:
            self.epochs[-1].end = time.perf_counter()
            return run(*args)

        def forward(*args: Any, **kwargs: Any) -> Any:
            return self._timed("forward", evaluate, *args, **kwargs)

        def backwards(*args: Any, **kwargs: Any) -> None:
            self._timed("backward", backward, *args, **kwargs)

        begin, run = fit.on_advance_start, validation.run
        with (
            patch(fit, "on_advance_start", begins),
            patch(validation, "run", ends),
            patch(task, "evaluate", forward),
            patch(torch.Tensor, "backward", backwards),
        ):
            yield

    def _timed(self, part: str, what: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self.epochs or self.epochs[-1].end:  # a look before the first step, or validation
            return what(*args, **kwargs)
        start = time.perf_counter()
        result = what(*args, **kwargs)
        self.epochs[-1].parts[part].append(time.perf_counter() - start)
        return result

    def _set_on_optimizers(self, trainer: Any) -> None:
        for optimizer in trainer.optimizers:
            if len(self.epochs) == 1:
                optimizer.step = self._timed_step(optimizer.step)

    def _timed_step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)  # the schedule has left a mark there, and looks for it
        def timed(closure: Callable[[], Any]) -> Any:
            inside = 0.0

            def timed_closure() -> Any:
                nonlocal inside
                start = time.perf_counter()
                result = closure()
                inside = time.perf_counter() - start
                return result

            start = time.perf_counter()
            self.epochs[-1].starts.append(start)
            result = step(closure=timed_closure)
            spent = time.perf_counter() - start - inside
            self.epochs[-1].parts["optimizer"].append(spent)
            return result

        return timed


@dataclass(frozen=True)
class Overhead:
    """Milliseconds of the steps of a run, without its first epoch.

    ``epochs`` is the time outside per step, as a mean of each epoch.
    """

    total: list[float]
    parts: dict[str, list[float]]
    outside: list[float]
    epochs: list[float]

    @property
    def median(self) -> float:
        """The time outside of a step."""
        return statistics.median(self.outside)

    @property
    def share(self) -> float:
        """The share of the training epochs' time spent outside, by the median step."""
        return self.median / statistics.median(self.total)

    def __str__(self) -> str:
        rows = {"step": self.total, **self.parts, "outside": self.outside}
        lines = [_row(name, values) for name, values in rows.items()]
        lines.append(_row("outside, mean of an epoch", self.epochs))
        return "\n".join([*lines, f"{'share outside':26}{self.share:9.2%}"])


def _row(name: str, values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values) if len(values) > 1 else [values[0]] * 3
    return f"{name:26}{middle:9.3f} ms (quartiles {low:.3f} to {high:.3f}, of {len(values)})"


def measure(words: list[str], folder: Path) -> Overhead:
    """Run what the words say in a new folder and look at the clocks."""
    words = [*words, "trainer.accelerator=cpu", "name=bench"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composition = compose("train", words)
    container: Any = OmegaConf.to_container(composition, resolve=True)
    config = validate(container)
    directory = RunDirectory.claim(folder, must_be_new=True)
    directory.write_config(config, words, {})
    clocks, fit = Clocks(), execution._fit

    def clocked(trainer: Any, parts: Any, *others: Any) -> None:
        with clocks.around(trainer, parts.task):
            fit(trainer, parts, *others)

    with mock.patch.object(execution, "_fit", clocked):
        execution.execute(config, directory)
    warm = clocks.epochs[1:]
    milli = 1000.0
    return Overhead(
        [milli * t for epoch in warm for t in epoch.totals()],
        {part: [milli * t for epoch in warm for t in epoch.parts[part]] for part in PARTS},
        [milli * t for epoch in warm for t in epoch.outside()],
        [milli * epoch.mean_outside() for epoch in warm],
    )


@contextlib.contextmanager
def terminal() -> Iterator[None]:
    """Standard output is a terminal whose other end is read and thrown away."""
    ours, theirs = pty.openpty()
    with (
        subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL) as reader,
        open(theirs, "w") as file,
        contextlib.redirect_stdout(file),
        mock.patch.dict(os.environ, TERM="xterm-256color"),
    ):
        os.close(ours)
        try:
            yield
        finally:
            reader.terminate()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    cases = {
        "default": ("default experiment", DEFAULT, False),
        "terminal": ("the same on a terminal", DEFAULT, True),
        "large": ("4 x 512, T = 100, batch 256", LARGE, False),
    }
    parser.add_argument("cases", nargs="*", choices=[*cases, []], help="; by default all")
    parser.add_argument("--with", dest="words", nargs="*", default=[], help="further key=value")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for case in arguments.cases or cases:
            name, words, shown = cases[case]
            with terminal() if shown else contextlib.redirect_stdout(sys.stderr):
                found = measure([*words, *arguments.words], Path(folder) / case)
            print(f"{name}, {torch.get_num_threads()} threads\n{found}\n")


if __name__ == "__main__":
    main()
