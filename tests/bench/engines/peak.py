"""Peak memory of a call, from outside of any allocator: alike for torch, jax and our own C.

Linux keeps the largest resident size of a process (VmHWM) and forgets it on request. With the C
library told to hand freed memory back at once (``RETURNING``, in the process's environment), the
rise of that peak over the size before is what was alive at once, to a few pages.
"""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

RETURNING = {
    "MALLOC_MMAP_THRESHOLD_": "16384",
    "MALLOC_TRIM_THRESHOLD_": "0",
    "MALLOC_TOP_PAD_": "0",
    "MALLOC_MMAP_MAX_": "1000000",
    "MALLOC_ARENA_MAX": "1",
}


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"no {key} in /proc/self/status")


def _settled() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def held_bytes(call: Callable[[], object], warm_ups: int = 2, repetitions: int = 3) -> int:
    """How much ``call`` leaves behind, what it returns included; the least of a few."""
    for _ in range(warm_ups):
        call()
    rises = []
    for _ in range(repetitions):
        before = _settled()
        result = call()
        rises.append(_settled() - before)
        del result
    return min(rises)


def peak_bytes(call: Callable[[], object], warm_ups: int = 2, repetitions: int = 3) -> int:
    """How far the resident size rises while ``call`` runs; the least of a few repetitions.

    What it returns is dropped after the peak was read, and before the next repetition.
    """
    for _ in range(warm_ups):
        call()
    rises = []
    for _ in range(repetitions):
        before = _settled()
        result = call()
        rises.append(_status("VmHWM") - before)
        del result
    return min(rises)
