"""Where the numbers of a run go: always a file, and Weights & Biases where it is asked for."""

from surrolab.tracking.early import prepare
from surrolab.tracking.factory import FilesOnly, Tracking, WandbTracking
from surrolab.tracking.guard import Guard
from surrolab.tracking.metrics_file import MetricsFile, last_metrics
from surrolab.tracking.wandb_run import WandbRun

__all__ = [
    "FilesOnly",
    "Guard",
    "MetricsFile",
    "Tracking",
    "WandbRun",
    "WandbTracking",
    "last_metrics",
    "prepare",
]
