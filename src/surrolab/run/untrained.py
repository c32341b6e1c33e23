"""What a run would say that has not learned anything."""

import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from surrolab.run.build import build_parts
from surrolab.run.construct import build
from surrolab.run.processes import threads
from surrolab.run.reporting import quiet_lightning
from surrolab.seeding import seed_all


def chance(config: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, float]:
    """Scores of guessing, in place of those among ``metrics``: all classes being equally likely."""
    classes: int = build("data", config["data"]).classes
    scores: dict[str, float] = {}
    if "val/accuracy" in metrics:
        for stage in ("train", "val"):
            scores |= {f"{stage}/accuracy": 1 / classes, f"{stage}/loss": math.log(classes)}
    return scores


def untrained_metrics(config: dict[str, Any]) -> dict[str, float]:
    """The metrics of validation before the first step."""
    quiet_lightning()
    with threads(config["threads"]):
        parts = build_parts(config)
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            logger=False,
            barebones=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            use_distributed_sampler=False,
        )
        seed_all(config["seed"], "validate")
        trainer.validate(parts.task, datamodule=parts.data, verbose=False)
    values = {name: float(value) for name, value in trainer.callback_metrics.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}
