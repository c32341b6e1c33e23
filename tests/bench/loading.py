"""What share of a training step is spent waiting for data, for each set that needs no download.

``.venv/bin/python tests/bench/loading.py`` trains the default network on each set for some epochs,
on the CPU with one thread and the engine that ``engine=auto`` takes, and writes docs/loading.md.

These are real runs: `surrolab.run.execute` with the composed configuration of ``python train.py``.
Clocks stand around the loader's next batch and around the encoder, in training alone; a step lasts
from asking for one batch to asking for the next. The first epoch warms up. Batches of events are
made ahead by a thread, and only what the step waits for them counts: measure on a machine that does
nothing else. Shares are those of the median step.

``speech`` is no shipped set but a file of SHD's size per sample, written here: 700 channels, 8000
spikes, 100 steps, batches of 128.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.data import Batch
from surrolab.data.module import Loader
from surrolab.encoding.base import Encoder
from surrolab.run.directory import RunDirectory
from surrolab.run.execute import execute
from surrolab.schema import CONF, validate

CHECKOUT = Path(__file__).parents[2]
GOAL = 0.10
SETS = (
    *("digits", "mnist5k", "yinyang", "randman", "japanese_vowels", "basic_motions"),
    *("italy_power_demand", "ucr", "languages", "saccades"),
)
AUGMENTED = (
    *("data.augment_drop=0.2", "data.augment_time_jitter=10", "data.augment_shift=1"),
    "data.augment_time_shift=10",
)
CASES: dict[str, tuple[str, ...]] = {
    **{name: (f"data={name}",) for name in SETS},
    "basic_motions": ("data=basic_motions", "data.batch_size=8"),  # else one batch is all
    "saccades, augmented": ("data=saccades", *AUGMENTED),
    "experiment=saccades": ("experiment=saccades",),
    "speech": ("data=events", "data.batch_size=128", "data.time_step=10", "data.steps=100"),
}
CASES["speech, augmented"] = (*CASES["speech"], *AUGMENTED, "data.augment_channel_jitter=5")


@dataclass
class Clocks:
    """Seconds of each training step after the first epoch: all of it, and its parts."""

    steps: list[float] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)
    encodings: list[float] = field(default_factory=list)
    _epochs: int = 0
    _encoding: float = 0.0

    @contextlib.contextmanager
    def set(self) -> Iterator[None]:
        """Set them, and take them out again."""
        iterate, encode = Loader.__iter__, Encoder.forward

        def timed_iterate(loader: Loader) -> Iterator[Batch]:
            inner = iterate(loader)
            return self._timed(inner) if loader.sampler.training else inner

        def timed_encode(encoder: Encoder, *args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = encode(encoder, *args, **kwargs)
            self._encoding += time.perf_counter() - start
            return result

        with (
            mock.patch.object(Loader, "__iter__", timed_iterate),
            mock.patch.object(Encoder, "forward", timed_encode),
        ):
            yield

    def _timed(self, inner: Iterator[Batch]) -> Iterator[Batch]:
        warm, begun, waited = self._epochs > 0, None, 0.0
        self._epochs += 1
        while True:
            start = time.perf_counter()
            # The last step of an epoch counts only where the loop asks for one batch more.
            if warm and begun is not None:
                self.steps.append(start - begun)
                self.batches.append(waited)
                self.encodings.append(self._encoding)
            self._encoding = 0.0
            try:
                batch = next(inner)
            except StopIteration:
                return
            waited, begun = time.perf_counter() - start, start
            yield batch


@dataclass(frozen=True)
class Share:
    """Milliseconds of the median step, and the parts of all steps' time spent on data."""

    step: float
    batch: float
    encoding: float
    batch_share: float
    encoding_share: float


def measure(words: list[str], folder: Path, epochs: int) -> Share:
    """Train what the words say and look at the clocks."""
    words = [*words, "trainer.accelerator=cpu", "threads=1", "logger=none", "name=bench"]
    words += [f"trainer.max_epochs={epochs}", "trainer.limit_val_batches=1"]
    words += ["trainer.limit_test_batches=1", "diagnostics=none"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composition = compose("train", words)
    container: Any = OmegaConf.to_container(composition, resolve=True)
    config = validate(container)
    directory = RunDirectory.claim(folder, must_be_new=True)
    directory.write_config(config, words, {})
    clocks = Clocks()
    with clocks.set(), contextlib.redirect_stdout(sys.stderr):
        execute(config, directory)
    step, batch, encoding = (
        statistics.median(times) for times in (clocks.steps, clocks.batches, clocks.encodings)
    )
    return Share(1000 * step, 1000 * batch, 1000 * encoding, batch / step, encoding / step)


def write_speech(path: Path, samples: int = 1024, events: int = 8000) -> None:
    """Write a file in SHD's layout: spikes of 1 s on 700 channels, ten classes."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, dtype in (("times", np.float16), ("units", np.uint16)):
            made = file.create_dataset(f"spikes/{name}", (samples,), h5py.vlen_dtype(dtype))
            for at in range(samples):
                values = np.sort(rng.random(events)) if name == "times" else None
                if values is None:
                    middle = 70 * (at % 10) + 35
                    values = np.clip(rng.normal(middle, 150, events), 0, 699)
                made[at] = values.astype(dtype)
        file["labels"] = (np.arange(samples) % 10).astype(np.uint16)


def report(found: dict[str, Share]) -> str:
    """A page with the table."""
    out = io.StringIO()
    out.write(
        "# What data cost\n\n"
        "The share of a training step that is spent on waiting for its batch, and on encoding it, "
        "with the default\nnetwork and `engine=auto` on the CPU, one thread "
        f"(torch {torch.__version__}). Goal: batches below {GOAL:.0%}.\n"
        "Medians over the steps of five epochs. Batches of events are made ahead, by a thread.\n"
        "`speech` is a file of SHD's size per sample: 700 channels, 8000 spikes, 100 steps, "
        "batches of 128.\n`augmented`: four kinds of augmentation at once, five for `speech`. Made "
        "by `.venv/bin/python tests/bench/loading.py`.\n\n"
        "| data | step | batch | share | encoding | share |\n|---|---|---|---|---|---|\n"
    )
    for name, share in found.items():
        out.write(
            f"| {name} | {share.step:.2f} ms | {share.batch:.3f} ms | {share.batch_share:.1%} | "
            f"{share.encoding:.3f} ms | {share.encoding_share:.1%} |\n"
        )
    return out.getvalue()


def main() -> None:
    """Measure, print, and write the page where all was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="; by default all")
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_speech(root / "speech.h5")
        for number, name in enumerate(arguments.cases or CASES):
            words = [*CASES[name], f"data.root={root / 'root'}"]
            if name.startswith("speech"):
                words.append(f"data.path={root / 'speech.h5'}")
            found[name] = measure(words, root / str(number), arguments.epochs)
    text = report(found)
    print(text)
    if not arguments.cases:
        (CHECKOUT / "docs" / "loading.md").write_text(text)


if __name__ == "__main__":
    main()
