"""Trackers as the configuration describes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.loggers.logger import Logger

from surrolab.errors import UserError, one_line


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
        """
        return []


@dataclass(frozen=True)
class FilesOnly(Tracking):
    """Nothing beside the files of the run directory."""


@dataclass(frozen=True)
class WandbTracking(Tracking):
    """Weights & Biases through Lightning's logger.

    Args:
        mode: ``offline`` writes to the run directory and needs no account (``wandb sync`` sends
            it later), ``online`` needs one, ``disabled`` does nothing.
        project, entity, group, tags, notes: as W&B has them.
    """

    mode: str
    project: str
    entity: str | None
    group: str | None
    tags: list[str]
    notes: str | None

    def loggers(
        self, run_dir: Path, name: str, config: dict[str, Any], run_id: str
    ) -> list[Logger]:
        if self.mode == "disabled":
            return []
        import wandb

        if getattr(rank_zero_only, "rank", 0) != 0:
            return [WandbLogger(name=name, save_dir=run_dir, offline=True, id=run_id)]
        try:
            run = wandb.init(
                name=name,
                dir=run_dir,
                mode="offline" if self.mode == "offline" else "online",
                id=run_id,
                config=config,
                project=self.project,
                entity=self.entity,
                group=self.group,
                tags=self.tags,
                notes=self.notes,
                resume="allow",
                # Its own console capture and messages would break up the progress bar.
                settings=wandb.Settings(console="off", silent=True, x_disable_meta=True),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"logger.mode: {self.mode} does not work here ({one_line(error)}); allowed: "
                "offline, disabled, or online after `wandb login`"
            ) from error
        return [WandbLogger(experiment=run, save_dir=run_dir)]
