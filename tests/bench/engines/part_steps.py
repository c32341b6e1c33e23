"""Whole training steps of the shipped models: forward, loss, backward, Adam."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from part_memory import in_a_process
from peak import RETURNING, peak_bytes
from timing import Job, interleave

from surrolab.data import Batch
from surrolab.errors import UserError
from surrolab.run.build import build_parts
from surrolab.schema import CONF, validate

MODELS = {
    "mlp": ["model=mlp"],
    "recurrent": ["model=recurrent"],
    "conv": ["model=conv"],
    "4 x 512, T = 100, B = 256": [
        *("data=randman", "data.batch_size=256", "model.hidden=[512,512,512,512]"),
        *("model.init=fluctuation_driven", "model.init_rate=0.02"),
    ],
}
BASELINE = "stepwise"
ENGINES = {name: [f"engine={name}"] for name in (BASELINE, "torch", "native", "auto")}


def training_step(words: list[str]) -> Callable[[], float]:
    """A step on a batch of random numbers in the shape of the data."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composition = compose("train", [*words, "name=bench", "logger=none"])
    config: Any = OmegaConf.to_container(composition, resolve=True)
    parts = build_parts(validate(config))
    data, size = parts.data, config["data"]["batch_size"]
    torch.manual_seed(0)
    if data.is_sequence:
        x = torch.bernoulli(torch.full((data.steps, size, *data.sample_shape), 0.02))
    else:
        x = torch.rand(size, *data.sample_shape)
    lengths = torch.full((size,), data.steps if data.is_sequence else 1)
    batch = Batch(x, torch.randint(data.classes, (size,)), lengths)
    optimizer = torch.optim.Adam(parts.task.network.parameters(), lr=1e-4)

    def step() -> float:
        optimizer.zero_grad()
        loss = parts.task.evaluate(batch).loss
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    parts.task.train()
    return step


def _timed(step: Callable[[], float]) -> Job:
    def run() -> float:
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return run


def measure(seconds: float, threads: int, quick: bool) -> dict[str, Any]:
    """Times and peak memory of each model with each engine."""
    times, peaks = {}, {}
    for model, words in list(MODELS.items())[: 3 if quick else None]:
        jobs, row = {}, {}
        first = None
        for name, choice in ENGINES.items():
            try:
                step = training_step([*words, *choice])
                loss = step()
            except (UserError, ValueError) as error:
                print(f"{model}, {name}: not available ({error})")
                continue
            first = loss if first is None else first
            # Another order of sums may move a spike; another network would be far off.
            assert abs(loss - first) < 0.01 * abs(first), (model, name, loss, first)
            jobs[name] = _timed(step)
            found = in_a_process(
                Path(__file__), RETURNING, json.dumps([*words, *choice]), str(threads)
            )
            if found is not None:
                row[name] = found
        times[model], peaks[model] = interleave(jobs, seconds), row
    return {"baseline": BASELINE, "times": times, "bytes": peaks}


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    print(peak_bytes(training_step(json.loads(sys.argv[1]))))
