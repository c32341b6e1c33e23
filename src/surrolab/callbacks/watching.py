"""Somebody looks at every epoch of a run, and may end it."""

from typing import Any, Protocol

import pytorch_lightning as pl


class Watch(Protocol):
    """Follows a run, as a sweep follows its trials. Only the first process has one."""

    about: dict[str, Any]
    """What the tracker is to know of the run beside its configuration."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> bool:
        """Called after each epoch (from 0), when its checkpoint is written; True ends the run."""
        ...

    def tags(self, state: str, outcome: dict[str, Any]) -> list[str]:
        """Tags for the tracker at the end.

        ``state`` is completed, pruned, interrupted, diverged or failed; ``outcome`` what the result
        will say beside it, empty unless the run was completed or pruned.
        """
        ...


class Watching(pl.Callback):
    """Ends the run on all processes when the first one's watch says so.

    Args:
        watch: None on the other processes.
    """

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self.pruned = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        end = False
        if self._watch is not None:
            metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            end = self._watch.epoch(trainer.current_epoch, metrics)
        if trainer.world_size > 1:
            end = trainer.strategy.broadcast(end)
        if end:
            self.pruned = True
            trainer.should_stop = True
