"""Freed memory stays with the process, so that the next step does not have to map it again."""

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator

# Parameters of mallopt in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}
_KEPT = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
_keeps = False
_loaded = False


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Collect no garbage while libraries are loaded, nor look for any in what they are made of.

    Of some million objects next to none is ever freed, and each full collection looks at them all:
    together the better part of a second at the start, and a third of a second later on. What is
    alive at the end of this is left alone from then on. The first time in a process; then nothing.
    """
    global _loaded
    if _loaded:
        yield
        return
    _loaded = True
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def ask_for_huge_pages() -> None:
    """Have torch ask the system for pages of 2 MiB for large arrays on the CPU.

    Some 10 % faster where arrays are larger than the caches: fewer pages are looked up. Torch reads
    the variable once, at its first array, so this has to come before. A value of the user's stays.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def keep_freed_memory(keep: bool = True) -> bool:
    """Tell the allocator to keep what is freed, or to hand it back again.

    By default glibc returns a block of more than 32 MiB (less, before it has seen larger ones) to
    the system when it is freed; the next one of that size is new, and the system clears every page
    of it at the first touch. For arrays of a spiking layer over time that costs more than the
    computation. Kept memory counts as the process's until it ends: about what it has needed at
    once.

    With ``keep=False`` nothing happens where nothing was kept. Else large blocks are handed back
    from then on, all of them: glibc does not take up its way of learning from sizes again.

    Huge pages are asked for too, which helps where torch has not been used before.

    Applies to the whole process and to the CPU; it takes effect for what is allocated from then on.

    Returns:
        Whether it was possible: only with glibc.
    """
    global _keeps
    if not sys.platform.startswith("linux"):
        return False
    if keep:
        ask_for_huge_pages()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    if keep == _keeps:
        return True
    settings = _KEPT if keep else _DEFAULTS
    done = [mallopt(name, value) for name, value in settings.items()]
    _keeps = keep
    return all(done)
