"""Lightning's logger for W&B, whose failures do not reach the training."""

from collections.abc import Iterable
from typing import Any

from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.loggers.logger import Logger

from surrolab.tracking.guard import Guard
from surrolab.tracking.wandb_run import finish_run


class GuardedLogger(WandbLogger):
    """:class:`WandbLogger` through a guard.

    Args:
        guard: of the run.
        already: what an earlier part of the run has logged at each step. A resume computes again
            what came after the last checkpoint, with the same results.
        options: of :class:`WandbLogger`.
    """

    def __init__(self, guard: Guard, already: dict[int, set[str]], **options: Any) -> None:
        super().__init__(**options)
        self.guard = guard
        self._already = already

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        had = self._already.get(step, ()) if step is not None else ()
        new = {name: value for name, value in metrics.items() if name not in had}
        if new:
            with self.guard.guarded("sending metrics"):
                super().log_metrics(new, step)

    def log_hyperparams(self, params: Any) -> None:
        with self.guard.guarded("sending the configuration"):
            super().log_hyperparams(params)

    def finalize(self, status: str) -> None:
        with self.guard.guarded("finishing"):
            super().finalize(status)

    def end(self, exit_code: int, tags: list[str]) -> None:
        """End the run of W&B, with tags that say how it went."""
        run = self.experiment
        if tags:
            with self.guard.guarded("tagging the run"):
                run.tags = (*(run.tags or ()), *tags)
        finish_run(run, self.guard, exit_code)


def end_tracking(loggers: Iterable[Logger], exit_code: int, tags: list[str]) -> None:
    """End what the loggers of a run have begun: runs of one process are runs of their own."""
    for logger in loggers:
        if isinstance(logger, GuardedLogger):
            logger.end(exit_code, tags)
