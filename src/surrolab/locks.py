"""The lock in a run directory, which the process that runs there holds."""

import contextlib
import fcntl
import time
from pathlib import Path
from typing import IO

from surrolab.files import open_file


def hold(file: IO[str]) -> None:
    """Take the lock; who only asks for it has it for a moment.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the file system has no locks.
    """
    for _ in range(5):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.05)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
