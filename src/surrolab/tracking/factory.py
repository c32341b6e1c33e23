"""Trackers as the configuration describes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers.logger import Logger

from surrolab.errors import UserError, one_line
from surrolab.tracking.guard import Guard
from surrolab.tracking.restore import UNTRACKED
from surrolab.tracking.segments import logged, segments_in
from surrolab.tracking.session import drop_dead_service, start_run
from surrolab.tracking.wandb_run import WandbRun


@dataclass(frozen=True)
class Tracking:
    """Makes the loggers that a run has beside ``metrics.csv``."""

    def loggers(
        self, run_dir: Path, name: str, config: dict[str, Any], run_id: str
    ) -> list[Logger]:
        """The loggers.

        Args:
            run_dir: where they may keep files.
            name: what the run is called.
            config: configuration and provenance, for the tracker's own record.
            run_id: the same before and after a resume.

        Further processes of a run have none.
        """
        return []


@dataclass(frozen=True)
class FilesOnly(Tracking):
    """Nothing beside the files of the run directory."""


@dataclass(frozen=True)
class WandbTracking(Tracking):
    """Weights & Biases through Lightning's logger.

    Args:
        mode: ``offline`` writes to the run directory and needs no account (``surrolab sync``
            sends it later), ``online`` needs one, ``disabled`` does nothing.
        project, entity, group, tags, notes: as W&B has them.
        job_type: likewise; ``train`` unless given.
        media: whether looks leave pictures and histograms there.
        artifacts: what is kept of a run at its end: ``checkpoint``, the best one, as a model, and
            ``report``, its result, configuration, metrics and records.
    """

    mode: str
    project: str
    entity: str | None
    group: str | None
    job_type: str | None
    tags: list[str]
    notes: str | None
    media: bool
    artifacts: list[str]

    def loggers(
        self, run_dir: Path, name: str, config: dict[str, Any], run_id: str
    ) -> list[Logger]:
        if self.mode == "disabled" or getattr(rank_zero_only, "rank", 0) != 0:
            return []
        guard = Guard(run_dir)
        already = logged(segments_in(run_dir, run_id))
        try:
            run = start_run(
                self.mode,
                guard,
                name=name,
                dir=run_dir,
                id=run_id,
                config=config,
                project=self.project,
                entity=self.entity,
                group=self.group,
                job_type=self.job_type or "train",
                tags=self.tags,
                notes=self.notes,
            )
        except UserError:
            raise
        except Exception as error:
            guard.tell(f"it cannot be started here ({type(error).__name__}: {one_line(error)})")
            drop_dead_service()
            (run_dir / UNTRACKED).touch()
            return []
        if run_dir.resolve() not in Path(run.settings.sync_file).resolve().parents:
            guard.tell(f"its folder in {run_dir} cannot be written")
            (run_dir / UNTRACKED).touch()
        return [WandbRun(run, run_dir, self.media, self.artifacts, guard, already)]
