"""Pages made of the files that runs and sweeps leave, and of nothing else.

Nothing here knows how a run or a sweep is made: the files of run directories and ``study.json``
say it all, also on another machine.
"""

from pathlib import Path


def write_sweep_report(directory: Path) -> Path:
    """Write ``report.html`` of the sweep in the directory, see :mod:`surrolab.report.sweep`."""
    from surrolab.report.sweep import write_sweep_report as write  # Optuna takes its time

    return write(directory)


__all__ = ["write_sweep_report"]
