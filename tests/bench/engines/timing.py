"""Interleaved timing: A B C, A B C, so that what the machine does meanwhile meets all alike."""

import gc
import time
from collections.abc import Callable
from statistics import median

Job = Callable[[], float]  # runs once and says how many seconds that took
Times = dict[str, list[float]]  # by contender, a value for each round

WARM_UP = 2
TURN = 0.03


def interleave(jobs: dict[str, Job], seconds: float, rounds: tuple[int, int] = (7, 60)) -> Times:
    """Rounds of all jobs for about so many ``seconds``, at least and at most so many ``rounds``.

    In its turn a job runs untimed for ``TURN`` seconds and then timed for as long, of which the
    median counts. So a run comes behind others of the same job, as a step of training does: the
    caches hold its own data, and no other library's threads still spin.
    """
    for _ in range(WARM_UP):
        for job in jobs.values():
            job()
    gc.collect()
    taken: Times = {name: [] for name in jobs}
    start = time.perf_counter()
    least, most = rounds
    for done in range(most):
        if done >= least and time.perf_counter() - start > seconds:
            break
        for name, job in jobs.items():
            _turn(job)
            taken[name].append(round(median(_turn(job)), 7))
    return taken


def _turn(job: Job) -> list[float]:
    runs = [job()]
    while sum(runs) < TURN:
        runs.append(job())
    return runs
