"""A run of Weights & Biases that neither ends nor slows the run it follows."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import WandbLogger

from surrolab.tracking.definitions import best_values, define_metrics
from surrolab.tracking.guard import Guard
from surrolab.tracking.metrics_file import numbers_of
from surrolab.tracking.segments import STEP
from surrolab.tracking.session import finish_run, record_artifacts

if TYPE_CHECKING:
    import wandb


class WandbRun(WandbLogger):
    """Lightning's logger with every call guarded, on the first process only.

    What is logged for one step becomes one row, as in ``metrics.csv``. Whatever goes wrong between
    here and W&B is one warning in the log of the run, and the run goes on without.

    Args:
        run: W&B's, started.
        run_dir: of the run, which holds what W&B keeps of artifacts until they are sent.
        media: whether pictures and histograms are wanted.
        artifacts: what is kept of the run at its end: ``checkpoint``, ``report``.
        guard: of the run.
        already: the names of what an earlier part of the run has logged at each step. A resume
            computes again what came after the last checkpoint, with the same results.
    """

    def __init__(
        self,
        run: "wandb.Run",
        run_dir: Path,
        media: bool,
        artifacts: list[str],
        guard: Guard,
        already: dict[int, set[str]],
    ) -> None:
        super().__init__(experiment=run, save_dir=run_dir)
        self.media = media
        self.artifacts = artifacts
        self._run = run
        self._metrics = run_dir / "metrics.csv"
        self._data = run_dir / "wandb" / "data"
        self._row: dict[str, Any] = {}
        self._guard = guard
        self._already = already
        self.attempt(record_artifacts)
        self.attempt(define_metrics)

    def attempt(self, do: Callable[["wandb.Run"], object]) -> None:
        """Do something with the run; every call of W&B goes through here."""
        with self._guard.guarded("sending to it"), _data_in(self._data):
            do(self._run)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Take the values of a step into its row."""
        if self._row and self._row[STEP] != step:
            self.save()
        self._row |= {**metrics, STEP: step}

    @rank_zero_only
    def log_media(self, media: Callable[[], Mapping[str, Any]], step: int) -> None:
        """Make pictures, histograms and charts, and send them in a row of their own."""
        self.save()
        self.attempt(lambda run: self._log(run, {**media(), STEP: step}))

    @rank_zero_only
    def save(self) -> None:
        """Send the row of the current step."""
        if self._row:
            row, self._row = self._row, {}
            self.attempt(lambda run: self._log(run, row))

    def _log(self, run: "wandb.Run", row: dict[str, Any]) -> None:
        had = self._already.get(row[STEP], set()) - {STEP}
        new = {name: value for name, value in row.items() if name not in had}
        if len(new) > 1:
            run.log(new)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    @rank_zero_only
    def finish(self, exit_code: int, tags: list[str]) -> None:
        """End the run, with more tags."""
        self.save()
        if self._already:  # W&B looks for the best anew in each part of a run
            best = best_values(numbers_of(self._metrics))
            self.attempt(lambda run: run.summary.update(best))
        if tags:
            self.attempt(lambda run: setattr(run, "tags", (*(run.tags or ()), *tags)))
        with _data_in(self._data):
            finish_run(self._run, self._guard, exit_code)


@contextlib.contextmanager
def _data_in(folder: Path) -> Iterator[None]:
    """Let W&B keep what artifacts are made of there, and not in the user's home, unless told."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
