"""Checkpoints that are whole or not there: ``best.ckpt`` and ``last.ckpt``."""

import logging
import math
import pickle
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO

from surrolab.errors import UserError
from surrolab.files import atomic

log = logging.getLogger(__name__)


def load_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint without running any code that it may hold.

    Raises:
        UserError: it is not there, is cut off, or is no checkpoint.
    """
    try:
        loaded = torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"checkpoint: {path} is not there; allowed: a file") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(
            f"checkpoint: {path} cannot be read, it is cut off or not a checkpoint of surrolab's; "
            "allowed: a whole one, or remove it to start over"
        ) from error
    needed = {"state_dict", "global_step", "callbacks", "loops"}
    if not isinstance(loaded, dict) or not needed <= loaded.keys():
        raise UserError(
            f"checkpoint: {path} is not a checkpoint of a run; allowed: one that a run has written"
        )
    return loaded


class AtomicCheckpointIO(CheckpointIO):
    """Writes beside the target and renames; reads with ``weights_only``.

    Lightning's own writes by way of the temporary directory, which may be another file system,
    where a move is not atomic.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic(Path(path), "wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load_checkpoint(Path(path), map_location)

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class Checkpoints(pl.Callback):
    """Writes ``last.ckpt`` after every epoch and ``best.ckpt`` when validation got better.

    Better is a higher accuracy (a lower squared error), and at equal accuracy a lower loss. The
    best is written before the last: killed in between, the run repeats the epoch and writes the
    same best again.

    Args:
        best, last: the two files.
    """

    def __init__(self, best: Path, last: Path) -> None:
        self.best_path = best
        self.last_path = last
        self.best_metrics: dict[str, float] = {}
        self.best_epoch = -1

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for logger in trainer.loggers:
            logger.save()
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not self.best_metrics or _rank(metrics) > _rank(self.best_metrics):
            self.best_metrics = metrics
            self.best_epoch = trainer.current_epoch
            trainer.save_checkpoint(self.best_path)
        trainer.save_checkpoint(self.last_path)

    def state_dict(self) -> dict[str, Any]:
        return {"best_metrics": self.best_metrics, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_metrics = state_dict["best_metrics"]
        self.best_epoch = state_dict["best_epoch"]


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    score = metrics.get("val/accuracy", -metrics.get("val/mse", math.inf))
    return score, -metrics["val/loss"]
