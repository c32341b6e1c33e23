"""W&B loaded, and its program started, while other things are waited for."""

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Any

from surrolab.tracking.session import quiet


def prepare(logger_config: Mapping[str, Any]) -> None:
    """Begin with it, where a run is going to need it.

    Args:
        logger_config: the ``logger`` node of the run's configuration.
    """
    further_process = "LOCAL_RANK" in os.environ
    if logger_config.get("mode") in ("offline", "online") and not further_process:
        threading.Thread(target=_load, name="load W&B").start()


def _load() -> None:
    with contextlib.suppress(Exception):  # whoever needs it meets the same, and tells it
        import wandb

        quiet(wandb)
        wandb.setup().ensure_service()
