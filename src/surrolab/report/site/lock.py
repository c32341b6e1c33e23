"""Whether a process runs in a run directory: the one that does holds the lock in it."""

import fcntl
from pathlib import Path

from surrolab.report.reading import open_file


def is_held(directory: Path) -> bool | None:
    """Whether the directory's ``.lock`` is held; None where there is none to ask."""
    try:
        with open_file(directory / ".lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (OSError, ValueError):
        return None  # nor is it where the file system has no locks
    return False
