"""A run of Weights & Biases that neither ends nor slows the run it follows."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import WandbLogger

from surrolab.errors import one_line

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

STEP = "trainer/global_step"
# Where there is a better and a worse the summary keeps the best.
BETTER = {
    "train/loss_step": "min",
    **{f"{stage}/loss": "min" for stage in ("train", "val", "test")},
    **{f"{stage}/mse": "min" for stage in ("train", "val", "test")},
    **{f"{stage}/accuracy": "max" for stage in ("train", "val", "test")},
}
_SPIKING = ("spikes/*", "synops/*")
LAST = (
    *(f"{stage}{family}" for stage in ("", "train/", "test/") for family in _SPIKING),
    *("membrane/*", "gradients/*", "surrogate/*", "alignment/*", "time/*", "system/*", "epoch"),
)
MEDIA = ("activity/*", "histograms/*", "confusion/*", "surrogate")


class WandbRun(WandbLogger):
    """Lightning's logger with every call guarded, on the first process only.

    What is logged for one step becomes one row, as in ``metrics.csv``. Whatever goes wrong between
    here and W&B is one warning in the log of the run, and the run goes on without.

    Args:
        run: W&B's, started.
        run_dir: of the run, which holds what W&B keeps of artifacts until they are sent.
        media: whether pictures and histograms are wanted.
        artifacts: what is kept of the run at its end: ``checkpoint``, ``report``.
    """

    def __init__(self, run: "wandb.Run", run_dir: Path, media: bool, artifacts: list[str]) -> None:
        super().__init__(experiment=run, save_dir=run_dir)
        self.media = media
        self.artifacts = artifacts
        self._run = run
        self._data = run_dir / "wandb" / "data"
        self._row: dict[str, Any] = {}
        self._warned = False
        self.attempt(lambda run: define_metrics(run))

    def attempt(self, do: Callable[["wandb.Run"], object]) -> None:
        """Do something with the run; every call of W&B goes through here."""
        try:
            with _data_in(self._data):
                do(self._run)
        except Exception as error:
            log.debug("W&B failed", exc_info=True)
            if not self._warned:
                self._warned = True
                log.warning(
                    "not all of the run got to W&B (%s: %s); the run directory has it all",
                    type(error).__name__,
                    one_line(error),
                )

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
        self.attempt(lambda run: run.log({**media(), STEP: step}))

    @rank_zero_only
    def save(self) -> None:
        """Send the row of the current step."""
        if self._row:
            row, self._row = self._row, {}
            self.attempt(lambda run: run.log(row))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()

    @rank_zero_only
    def finish(self, exit_code: int, tags: list[str]) -> None:
        """End the run, with more tags."""
        self.save()
        if tags:
            self.attempt(lambda run: setattr(run, "tags", (*(run.tags or ()), *tags)))
        self.attempt(lambda run: run.finish(exit_code=exit_code))


def define_metrics(run: "wandb.Run") -> None:
    """What a workspace has to know of the metrics: the axis, the summary, and what is better."""
    run.define_metric(STEP, hidden=True)
    # Of several patterns that a name fits W&B takes any: there is none for all the rest.
    for name in MEDIA:
        run.define_metric(name, step_metric=STEP)
    for name in LAST:
        run.define_metric(name, step_metric=STEP, summary="last")
    for name, better in BETTER.items():
        run.define_metric(name, step_metric=STEP, summary=better)
        _define_goal(run, name, better)


def _define_goal(run: "wandb.Run", name: str, better: str) -> None:
    """Whether more or less is better; W&B keeps it, but its clients have ceased to offer it."""
    from wandb.proto import wandb_internal_pb2 as protocol

    kind: Any = protocol.MetricRecord  # type: ignore[attr-defined]
    goal = "GOAL_MAXIMIZE" if better == "max" else "GOAL_MINIMIZE"
    run._metric_callback(kind(name=name, goal=kind.MetricGoal.Value(goal)))


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
