"""Where the numbers of a run go: always a file, and Weights & Biases where it is asked for."""

from surrolab.tracking.factory import FilesOnly, Tracking, WandbTracking
from surrolab.tracking.guard import Guard, guarded
from surrolab.tracking.guarded_logger import GuardedLogger, end_tracking
from surrolab.tracking.metrics_file import MetricsFile, last_metrics

__all__ = [
    "FilesOnly",
    "Guard",
    "GuardedLogger",
    "MetricsFile",
    "Tracking",
    "WandbTracking",
    "end_tracking",
    "guarded",
    "last_metrics",
]
