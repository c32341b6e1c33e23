"""Memory of the neuron alone, each contender in fresh processes (see ``peak.py``).

Three figures: the peak of what is alive in forward and backward; what of it is held between the
two, which is what every layer of a deep network adds; and by how much a process grows that has
the C library's default settings, which keep some freed memory without being able to use it again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from contest import Shape, case, entrants
from neurons import BASELINE, makers
from part_neuron import given
from peak import RETURNING, held_bytes, peak_bytes
from remote import start_spyx

Found = dict[str, list[int]]  # by shape, the bytes at the peak and between the passes


def in_a_process(script: Path, environment: dict[str, str], *words: str) -> Any:
    """What a script in a process of its own prints last, or None and a line of what went wrong."""
    command = [sys.executable, str(script), *words]
    around = os.environ | environment
    done = subprocess.run(command, env=around, capture_output=True, text=True)
    if done.returncode:
        print(f"{' '.join(words)}: {done.stderr.strip().splitlines()[-1]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measure(shapes: list[Shape], device: str, threads: int) -> dict[str, Any]:
    """Bytes beyond the current and the given gradient."""
    tables: dict[str, Any] = {"bytes": {}, "held": {}, "grown": {}}

    def note(table: str, name: str, found: Found, which: int) -> None:
        for shape, row in found.items():
            tables[table].setdefault(shape, {})[name] = row[which]

    for name in [*entrants(makers(device)), *(["Spyx"] if device == "cpu" else [])]:
        found = _found(name, shapes, device, threads, RETURNING)
        note("bytes", name, found, 0)
        note("held", name, found, 1)
        for shape in shapes if device == "cpu" else ():
            # A process for each: what it keeps from one shape it would use for the next.
            note("grown", name, _found(name, [shape], device, threads, {}), 0)
    return {"baseline": BASELINE, **{name: table for name, table in tables.items() if table}}


def _found(
    name: str, shapes: list[Shape], device: str, threads: int, environment: dict[str, str]
) -> Found:
    if device == "cuda":
        rows = [_on_gpu(name, shape) for shape in shapes]
    elif name == "Spyx":
        rows = _spyx(shapes, threads, environment)
    else:
        words = (name, json.dumps(shapes), str(threads))
        rows = in_a_process(Path(__file__), environment, *words) or []
    return dict(zip(map(case, shapes), rows, strict=False))


def _spyx(shapes: list[Shape], threads: int, environment: dict[str, str]) -> list[list[int]]:
    spyx = start_spyx(threads, environment)
    if spyx is None:
        return []
    with spyx:
        rows = []
        for shape in shapes:
            key = spyx.make(shape, depth=0)
            rows.append(spyx.ask(do="memory", key=key)["bytes"])
            spyx.drop(key)
        return rows


def _on_gpu(name: str, shape: Shape) -> list[int]:
    # By torch's own count.
    cur, gradient = given(shape, "cuda", torch.float32)
    call = makers("cuda")[name]()
    for _ in range(2):
        cur.grad = None
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        out = call(cur)
        held = torch.cuda.memory_allocated() - before
        out.backward(gradient)
        peak = torch.cuda.max_memory_allocated() - before
        del out
    return [peak, held]


def main(name: str, shapes: list[Shape], threads: int) -> None:
    """In the fresh process."""
    torch.set_num_threads(threads)
    call = makers("cpu")[name]()
    found = []
    for shape in shapes:
        cur, gradient = given(shape, "cpu", torch.float32)

        def run(cur: Any = cur, gradient: Any = gradient) -> Any:
            out = call(cur)
            out.backward(gradient)
            held, cur.grad = (out, cur.grad), None
            return held

        found.append([peak_bytes(run), held_bytes(lambda cur=cur: call(cur))])
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]))
