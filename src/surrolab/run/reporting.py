"""What a run says: its log, and the table at its end."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from surrolab.callbacks.epoch_tests import BEST
from surrolab.run.directory import RunDirectory

log = logging.getLogger(__name__)


@contextlib.contextmanager
def log_to(path: Path, rank: int) -> Iterator[None]:
    """Send the program's messages to the console and, with traces, to the log file of the run."""
    logger = logging.getLogger("surrolab")
    handlers: list[logging.Handler] = []
    if rank == 0:
        file = logging.FileHandler(path)
        file.setLevel(logging.DEBUG)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(file)
        if sys.stdout.isatty():
            console: logging.Handler = RichHandler(
                console=Console(), show_path=False, show_time=False, markup=False
            )
        else:
            console = logging.StreamHandler(sys.stdout)
            console.setFormatter(logging.Formatter("%(message)s"))
        console.setLevel(logging.INFO)
        handlers.append(console)
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


def summarize(result: dict[str, Any], directory: RunDirectory) -> None:
    """Print the table that ends a run."""
    metrics = result["metrics"]
    table = Table(title=f"{result['status']} in {result['duration_s']:.0f} s", show_header=True)
    table.add_column("")
    table.add_column("value", justify="right")
    for name in ("test/accuracy", "val/accuracy", "test/mse", "val/mse", "test/loss", "val/loss"):
        if name in metrics:
            table.add_row(name, f"{metrics[name]:.4f}")
    for name in BEST.values():
        if name in metrics:
            table.add_row(f"{name} (chosen on the test)", f"{metrics[name]:.4f}")
    if "best_epoch" in result:
        table.add_row("best epoch (on validation)", str(result["best_epoch"] + 1))
    for name, value in metrics.items():
        if name.startswith("spikes/") and name.count("/") == 2:
            table.add_row(name, f"{value:.4f}")
    console = Console()
    console.print(table)
    findings = result.get("findings", [])
    for finding in findings:
        first, last = finding["first_epoch"] + 1, finding["last_epoch"] + 1
        when = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        console.print(f"{when}: {finding['message']}", markup=False, soft_wrap=True)
    console.print(f"run directory: {directory.path}", markup=False, soft_wrap=True)


def say_engines(layers: dict[str, Any]) -> None:
    """Say what computes the layers, and why it is not the engine that was asked for."""
    by_engine: dict[tuple[str, str | None], list[str]] = {}
    for name, facts in layers.items():
        by_engine.setdefault((facts["engine"], facts["why"]), []).append(name)
    for (engine, why), names in by_engine.items():
        log.info("engine: %s for %s%s", engine, ", ".join(names), f" ({why})" if why else "")


def quiet_lightning() -> None:
    """Leave out what Lightning says at every start and no user can act on."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # The data lie in memory and are batched by one indexing; workers would slow that down.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # The project logs by itself; a short epoch misses no values.
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
    # Lightning 2.6 calls functions that torch 2.13 deprecates.
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", "torch.distributed.nn.functional.all_gather is deprecated")
