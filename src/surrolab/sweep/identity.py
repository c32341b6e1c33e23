"""Who a process is, so that others can tell whether it is still there."""

import os
import socket
import zlib
from pathlib import Path


def machine() -> str:
    """This machine since it was started, and this container of it."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass  # not Linux: the name has to do
    return f"{parts[0]}-{zlib.crc32('/'.join(parts).encode()):08x}"


def process(pid: int | None = None) -> str:
    """A process of this machine; a later one with the same number has another name."""
    pid = os.getpid() if pid is None else pid
    return f"{machine()}/{pid}/{_started(pid)}"


def is_dead(name: str) -> bool:
    """Whether a process is known to be gone; of another machine's that cannot be known."""
    where, _, rest = name.rpartition("/")[0].rpartition("/")
    if where != machine():
        return False
    pid = int(rest)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return _is_zombie(pid) or process(pid) != name


def _stat(pid: int) -> list[str]:
    try:
        # The command's name may hold spaces and brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else "0"


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[:1] in (["Z"], ["X"])
