"""Signals, and the further processes of a distributed run."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from surrolab.errors import RunError
from surrolab.run.directory import RunDirectory

_RANK_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that a run that is told to stop writes its result."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Use so many CPU threads; None leaves torch's choice. The next run starts as this one did."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def memory_limits() -> Iterator[None]:
    """Say in one line that the memory does not suffice.

    Raises:
        RunError: torch could not allocate.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        full = isinstance(error, MemoryError) or "out of memory" in str(error)
        if full or "can't allocate memory" in str(error):
            raise RunError(
                "the memory does not suffice; try a smaller data.batch_size, encoding.steps or "
                "model.hidden"
            ) from error
        raise


@contextlib.contextmanager
def ranks_join(directory: RunDirectory, *words: str) -> Iterator[None]:
    """Have Lightning start further ranks from the run directory.

    Lightning's launcher runs ``sys.argv`` again for each rank. The command line cannot serve for
    that: it may name a directory by the time of day, or a whole multirun. So the ranks are given
    ``surrolab/rank`` and the directory, whose configuration is the one this process runs. What the
    launcher leaves in the environment is taken out again, for the next run in this process.

    Args:
        directory: of the run.
        words: ``resume`` and ``watched``, as the first process does it.
    """
    argv = sys.argv
    program = sys.modules["__main__"]
    module = program.__spec__
    variables = {name: os.environ.get(name) for name in _RANK_VARIABLES}
    if "LOCAL_RANK" not in os.environ:
        script = Path(__file__).parent.parent / "rank"
        sys.argv = [str(script), str(directory.path), *words]
        program.__spec__ = None  # of `python -m` Lightning would run the module again
    try:
        yield
    finally:
        sys.argv = argv
        program.__spec__ = module
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
