"""A saved run, loaded to be looked at."""

from pathlib import Path
from typing import Any, Literal

from surrolab.callbacks import load_checkpoint
from surrolab.errors import UserError
from surrolab.run.build import Parts, build_parts
from surrolab.run.construct import blame
from surrolab.run.directory import RunDirectory
from surrolab.schema import validate

Checkpoint = Literal["best", "last", "initial"]


def load_run(directory: RunDirectory, checkpoint: Checkpoint) -> tuple[dict[str, Any], Parts]:
    """The run's configuration, and its parts with the weights of a checkpoint and data set up.

    ``initial`` is the network before the first step, which the configuration's seed gives.

    Raises:
        UserError: the configuration or the checkpoint cannot be read, or do not fit together.
    """
    config = validate(directory.read_config())
    parts = build_parts(config)
    if checkpoint != "initial":
        path: Path = directory.best if checkpoint == "best" else directory.last
        loaded = load_checkpoint(path)
        mismatch = parts.mismatch(loaded)
        if mismatch is not None:
            raise UserError(
                f"checkpoint: {path} is of another model: {mismatch}; allowed: the run's own "
                "checkpoint, or --checkpoint initial"
            )
        parts.load(loaded)
    with blame("data", config["data"]):
        parts.data.setup()
    return config, parts
