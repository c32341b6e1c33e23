"""Pages made of the files that sweeps leave, and of nothing else.

Nothing here knows how a run or a sweep is made: ``study.json`` and the ``metrics.csv`` of the runs
say it all, also on another machine.
"""

from surrolab.report.sweep import write_sweep_report

__all__ = ["write_sweep_report"]
