"""What becomes of a run in its tracker when the result is known."""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from surrolab.run.directory import RunDirectory
from surrolab.tracking import WandbRun
from surrolab.tracking.artifacts import log_artifact

if TYPE_CHECKING:
    import wandb


@dataclass
class Ending:
    """Keeps artifacts of a run that has ended well, and ends the tracker's own run.

    Args:
        directory: of the run.
        config: of the run.
        runs: the trackers that have been started; none on further processes.
        tags: for the tracker.
    """

    directory: RunDirectory
    config: dict[str, Any]
    runs: list[WandbRun] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def finish(self, result: dict[str, Any]) -> None:
        """Do it, after ``result.json`` is written; what goes wrong is a warning."""
        good = result["status"] in ("completed", "pruned")
        for run in self.runs:
            if good and "checkpoint" in run.artifacts:
                run.attempt(partial(self._log_model, result=result))
            if good and "report" in run.artifacts:
                run.attempt(partial(self._log_report, result=result))
            run.finish(0 if good else 1, self.tags)

    def _log_model(self, run: "wandb.Run", result: dict[str, Any]) -> None:
        surrogate = self.config["surrogate"]
        about = {
            "epoch": result["best_epoch"],
            "surrogate": surrogate["_target_"].rpartition(".")[2],
            "slope": surrogate.get("slope"),
            **_numbers(result["metrics"]),  # with the slopes of that epoch, where they move
        }
        log_artifact(run, "model", {"best.ckpt": self.directory.best}, about, ["best"])

    def _log_report(self, run: "wandb.Run", result: dict[str, Any]) -> None:
        here = self.directory
        paths = [here.result, here.config, here.metrics, here.provenance, here.surrogate]
        paths += sorted(here.records.glob("[!.]*.npz"))
        files = {str(path.relative_to(here.path)): path for path in paths}
        about = {"status": result["status"], **_numbers(result["metrics"])}
        log_artifact(run, "report", files, about, [])


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """Scores and slopes: what somebody may look for."""
    return {
        name: value
        for name, value in metrics.items()
        if name.startswith(("val/", "test/", "surrogate/"))
        and name.count("/") < 3
        and math.isfinite(value)
    }
