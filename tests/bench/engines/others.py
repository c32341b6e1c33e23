"""How much of the machine other processes took meanwhile: with much of it, measure again."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Others:
    """Counts from its making on; ``mine`` are processes whose time is ours too."""

    def __init__(self, mine: list[int]) -> None:
        self._mine = [os.getpid(), *mine]
        self._start = (time.perf_counter(), _busy(), self._own())

    def share(self) -> float | None:
        """Of the cores' time, what was spent neither idle nor by us."""
        since, busy, own = self._start
        if busy is None or (now := _busy()) is None:
            return None
        spent = (now - busy) - (self._own() - own)
        return max(0.0, spent / (time.perf_counter() - since) / (os.cpu_count() or 1))

    def _own(self) -> float:
        return sum(_of_process(pid) for pid in self._mine)


def _busy() -> float | None:
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    except OSError:
        return None
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS  # all but idle and waiting for disks


def _of_process(pid: int) -> float:
    """Seconds of a process and of those that it has started and seen end."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in after_name[11:15]) / TICKS
