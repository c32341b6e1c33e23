"""W&B's program started while other things are done."""

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Any

from surrolab.tracking.light import quiet, without_docstrings


def prepare(logger_config: Mapping[str, Any]) -> None:
    """Load W&B and begin to start its program, where a run is going to need it.

    The program takes a fifth of a second, in which nothing here is computed. Whatever goes wrong is
    met again, and told, by whoever needs it.

    Args:
        logger_config: the ``logger`` node of the run's configuration.
    """
    further_process = "LOCAL_RANK" in os.environ
    if logger_config.get("mode") not in ("offline", "online") or further_process:
        return
    with contextlib.suppress(Exception):
        with without_docstrings():
            import wandb

        quiet(wandb)
        threading.Thread(target=_start_program, name="start W&B").start()


def _start_program() -> None:
    with contextlib.suppress(Exception):
        import wandb

        wandb.setup().ensure_service()
