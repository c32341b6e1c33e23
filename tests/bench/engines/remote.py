"""This side of the pipe to the Spyx worker."""

import itertools
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from timing import Job

# What keep_freed_memory does for torch, said to the worker's C library.
# With huge pages (glibc.malloc.hugetlb=1) beside these it is slower.
KEEPING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2000000000"}


class Spyx:
    """A Spyx worker that computes only while it is asked to."""

    def __init__(self, python: str, threads: int, environment: dict[str, str]) -> None:
        worker = [python, str(Path(__file__).with_name("spyx_worker.py"))]
        self._process = subprocess.Popen(
            worker,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu"} | environment,
            # Before jax starts its threads: as many cores as torch has threads.
            preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads]),
        )
        self.pid = self._process.pid
        self._keys = itertools.count()
        self.version: str = self.ask(do="version")["version"]

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the Spyx worker has stopped")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def make(self, shape: tuple[int, ...], depth: int) -> int:
        """A job that is known to compute spikes and gradients; ``depth`` 0 is the neuron alone."""
        key = next(self._keys)
        made = self.ask(do="make", key=key, shape=shape, depth=depth)
        assert made["shape"] == list(shape), made
        assert 0 < made["rate"] < 1, made
        assert made["gradient"] > 0, made
        return key

    def job(self, key: int, which: str = "both") -> Job:
        """Forward and backward, or one of them."""
        return lambda: float(self.ask(do="run", key=key, which=which)["seconds"])

    def drop(self, key: int) -> None:
        """Free what a job holds."""
        self.ask(do="drop", key=key)

    def __enter__(self) -> "Spyx":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def start_spyx(threads: int, environment: dict[str, str]) -> Spyx | None:
    """A worker, or None where Spyx is not installed."""
    python = os.environ.get("BENCH_JAX")
    if not python:
        return None
    try:
        return Spyx(python, threads, environment)
    except (OSError, RuntimeError) as error:
        print(f"Spyx: not available ({error})")
        return None
