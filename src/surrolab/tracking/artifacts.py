"""What W&B keeps of a run at its end: the best checkpoint, and the files that tell of it."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wandb


def log_artifact(
    run: "wandb.Run",
    kind: str,
    files: Mapping[str, Path],
    metadata: Mapping[str, Any],
    aliases: list[str],
) -> None:
    """Log files as an artifact of the run: a further version where it has logged one before.

    Args:
        run: W&B's. The artifact's name is made of its id, which a resumed run keeps.
        kind: the artifact's type: ``model`` or ``report``.
        files: by the name they have in the artifact; what is not there is left out.
        metadata: numbers and words that can be searched for.
        aliases: names for this version, beside ``latest``.
    """
    import wandb

    name = re.sub(r"[^\w.-]+", "-", f"{kind}-{run.id}", flags=re.ASCII)
    artifact = wandb.Artifact(name, type=kind, metadata=dict(metadata))
    folder = Path(run.dir).parent / "artifacts" / kind
    for inside, path in files.items():
        if path.is_file():
            kept = _kept(path, folder / inside)
            artifact.add_file(str(kept), inside, policy="immutable", skip_cache=True)
    run.log_artifact(artifact, aliases=aliases)


def _kept(path: Path, to: Path) -> Path:
    """The file under another name, as it is now: where the run goes on, it may be replaced.

    Checkpoints are replaced whole and not written into, so that a link holds what it held and takes
    no room.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)
    if path.suffix == ".ckpt":
        try:
            os.link(path, to)
            return to
        except OSError:  # a file system without links
            pass
    shutil.copyfile(path, to)
    return to
