"""How far the run is: a bar on a terminal, a line per epoch elsewhere."""

import logging
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.callbacks.progress.rich_progress import (
    CustomTimeColumn,
    ProcessingSpeedColumn,
)
from rich.console import Console
from rich.progress import BarColumn

log = logging.getLogger(__name__)

WIDE = 110

_SHORT = {
    "train/loss": "loss",
    "val/accuracy": "accuracy",
    "val/mse": "mse",
    "spikes/mean_rate": "rate",
}


class ProgressBar(RichProgressBar):
    """Lightning's Rich bar with the loss, accuracy and mean firing rate of the last epoch.

    It is drawn ten times a second. Lightning's would be a hundred times, by a thread that takes
    turns with training.
    """

    def __init__(self) -> None:
        super().__init__(refresh_rate=10)

    def configure_columns(self, trainer: pl.Trainer) -> list[Any]:
        columns = super().configure_columns(trainer)
        for column in columns:
            if isinstance(column, BarColumn):
                column.bar_width = 12
        # The numbers come first: on a narrow terminal the clocks give way to them.
        if Console().width < WIDE:
            return [
                c for c in columns if not isinstance(c, CustomTimeColumn | ProcessingSpeedColumn)
            ]
        return columns

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)
        shown: dict[str, Any] = {}
        for name, short in _SHORT.items():
            if name in metrics:
                shown[short] = metrics[name]
        return shown


class EpochLines(pl.Callback):
    """A line in the log after each epoch."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        values = [
            f"{short} {float(trainer.callback_metrics[name]):.4f}"
            for name, short in _SHORT.items()
            if name in trainer.callback_metrics
        ]
        log.info(
            "epoch %d/%s: %s", trainer.current_epoch + 1, trainer.max_epochs, ", ".join(values)
        )
