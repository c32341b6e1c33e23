"""Digests of what files hold, remembered as long as the files look untouched."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from surrolab.data.formats.problem import Source
from surrolab.files import write_text

# A file that was written this recently could be written again without a change of its times.
SETTLED = 2.0


def content_digest(files: Sequence[tuple[str, Path]], memory: Path, option: str) -> str:
    """Return a digest of names and contents.

    It is remembered in a file of ``memory``, whose name is made of the paths, sizes, times of
    change and numbers of all files: content that was changed behind the back of all of these, and
    of these alone, is not noticed. What cannot be remembered is computed anew.

    Args:
        files: each file with the name it goes by.
        memory: folder, made if absent.
        option: the option that gave the files, for errors.

    Raises:
        DataFileError: a file cannot be read.
    """
    looks, newest = [], 0.0
    for name, path in files:
        with Source(option, path).reading():
            found = os.stat(path)
        times = (found.st_mtime_ns, found.st_ctime_ns)
        newest = max(newest, *(stamp / 1e9 for stamp in times))
        looks.append((name, os.path.abspath(path), found.st_size, *times, found.st_ino))
    kept = memory / hashlib.sha256(json.dumps(looks).encode()).hexdigest()
    try:
        text = kept.read_text().strip()
        if len(text) == 64:
            return text
    except (OSError, ValueError):
        pass
    began = time.time()
    whole = hashlib.sha256()
    for name, path in files:
        with Source(option, path).reading(), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(json.dumps([name, digest]).encode())
    if newest < began - SETTLED:
        try:
            memory.mkdir(parents=True, exist_ok=True)
            write_text(kept, whole.hexdigest() + "\n")
        except OSError:
            pass  # said where the events themselves cannot be kept
    return whole.hexdigest()
