"""Locks that end with the process that holds them: in a run directory, and of a file."""

import contextlib
import fcntl
import os
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


def take(path: Path, *, shared: bool = False, wait: bool = True) -> IO[bytes] | None:
    """Open a file, made if it is not there, and lock it until it is closed.

    Args:
        path: the file; who holds it exclusively may remove it.
        shared: with others that share it, instead of alone.
        wait: until it can be had.

    Returns:
        The file; None where another process holds it and ``wait`` is false.

    Raises:
        OSError: the file cannot be made, or the file system has no locks.
    """
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        file = open(path, "ab")  # noqa: SIM115  (whoever asked closes it)
        try:
            fcntl.flock(file, how if wait else how | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        file.close()  # removed by whoever held it before: others would lock a new one


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
