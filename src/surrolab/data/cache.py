"""Generated arrays kept on disk, safe against half-written files and against each other."""

import json
import logging
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Array = NDArray[np.int32]
Recipe = Mapping[str, str | int | float]


def cache_file(folder: Path, recipe: Recipe) -> Path:
    """Return the file in which the array made by ``recipe`` is kept."""
    return folder / f"{sha256(_text(recipe).encode()).hexdigest()[:24]}.npz"


def cached(
    folder: Path, recipe: Recipe, make: Callable[[], Array], fits: Callable[[Array], bool]
) -> Array:
    """Return the array made by ``recipe``, from disk where it is there and good.

    A file that is damaged, or holds something else, is made anew. A folder that cannot be written
    costs the time to make the array each time: that is logged, and no error.

    Args:
        folder: where the file is kept; made if absent.
        recipe: every parameter that the array depends on, and the version of its format.
        make: makes the array.
        fits: whether an array that was read has the right type, shape and range.
    """
    path = cache_file(folder, recipe)
    array = _read(path, recipe, fits)
    if array is None:
        array = make()
        _write(path, recipe, array)
    return array


def _text(recipe: Recipe) -> str:
    return json.dumps(dict(recipe), sort_keys=True)


def _read(path: Path, recipe: Recipe, fits: Callable[[Array], bool]) -> Array | None:
    try:
        # Reading a member to its end checks its checksum. Opened here, as numpy leaves a file
        # that is no good zip open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            array: Array = file["array"]
            good = str(file["recipe"]) == _text(recipe) and fits(array)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        if good:
            return array
        reason = "its content is not what its name says"
    log.warning("cannot use the cache file %s (%s); making its data anew", path, reason)
    return None


def _write(path: Path, recipe: Recipe, array: Array) -> None:
    # In the same folder, as only there the move is one step: a reader finds the old file or the
    # whole new one, and of two writers the last one wins with equal content.
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                np.savez_compressed(file, array=array, recipe=np.array(_text(recipe)))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        log.warning("cannot keep generated data in %s (%s); going on without", path, error)
