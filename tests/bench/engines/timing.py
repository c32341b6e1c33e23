"""Interleaved timing: A B C, A B C, so that what the machine does meanwhile meets all alike."""

import gc
import time
from collections.abc import Callable

Job = Callable[[], float]  # runs once and says how many seconds that took
Times = dict[str, list[float]]  # by contender, a value for each round

WARM_UP = 3


def interleave(jobs: dict[str, Job], seconds: float, rounds: tuple[int, int] = (7, 60)) -> Times:
    """Rounds of all jobs for about so many ``seconds``, at least and at most so many ``rounds``.

    Every timed run comes right behind an untimed one of the same job, as a step of training does
    behind another one: caches hold its own data, and no other library's threads still spin.
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
            job()
            taken[name].append(round(job(), 7))
    return taken
