"""How far the run is: a bar on a terminal, a line per epoch elsewhere."""

import logging
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar

log = logging.getLogger(__name__)

_SHORT = {
    "train/loss": "loss",
    "val/accuracy": "accuracy",
    "val/mse": "mse",
    "spikes/mean_rate": "rate",
}


class ProgressBar(RichProgressBar):
    """Lightning's Rich bar with loss, validation accuracy and mean firing rate."""

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
