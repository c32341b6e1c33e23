"""Which samples a run was trained, validated and tested on, kept in its directory."""

import hashlib
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from surrolab.data import DataModule
from surrolab.data.formats.labels import SPLITS
from surrolab.data.text import TokenSequences
from surrolab.errors import UserError
from surrolab.files import atomic

log = logging.getLogger(__name__)

WORDS = {"split": "split is not the one", "content": "content is not the one"}


def keep_split(data: DataModule, path: Path) -> None:
    """Write the split of a run, or make sure that it is the one that the run began with.

    The file holds ``train``, ``val`` and ``test``: int64 indices, which count within the official
    part that the stage is or was split off, or within all samples where there is none; ``classes``;
    ``labels``, a digest of the labels in that order; of texts ``tokens``, one of the tokens; and
    where the samples are of files, ``content``, one of what these hold.

    Args:
        data: set up.
        path: the file.

    Raises:
        UserError: the split or the labels are not those that the file has.
    """
    arrays: dict[str, Any] = {stage: data.split_indices[stage].numpy() for stage in SPLITS}
    arrays["classes"] = np.array(data.class_names)
    arrays["labels"] = np.array(_digest(data))
    if isinstance(data, TokenSequences):
        names = "\0".join(data.token_names)
        arrays["tokens"] = np.array(hashlib.sha256(names.encode("utf-8", "replace")).hexdigest())
    if data.content is not None:
        arrays["content"] = np.array(data.content)
    kept = _read(path)
    if kept is not None:
        for name, array in arrays.items():
            if name in kept and not np.array_equal(kept[name], array):
                plural = f"{name} are not those"
                what = WORDS.get(name, plural) if name not in SPLITS else WORDS["split"]
                raise UserError(
                    f"data: its {what} that the run began with; allowed: the data as they were, "
                    "or a new run"
                )
        return
    try:
        path.parent.mkdir(exist_ok=True)
        with atomic(path, "wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        log.warning("the split is not kept: %s: %s", path.name, error.strerror)


def _digest(data: DataModule) -> str:
    digest = hashlib.sha256()
    for samples in data.samples.values():
        digest.update(samples.y.numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        return found if {*SPLITS, "classes", "labels"} <= set(found) else None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
