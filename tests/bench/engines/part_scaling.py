"""How cost grows: with T, B and N around a middle point, with depth, with new surrogates."""

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import part_layer
import part_neuron
import torch
from contest import Shape, case
from layers import PRODUCTS
from neurons import BASELINE, engine
from remote import Spyx

MIDDLE: Shape = (100, 64, 256)
SWEEPS = {
    "T": [25, 50, 100, 200, 400, 800],
    "B": [8, 16, 32, 64, 128, 256],
    "N": [32, 64, 128, 256, 512, 1024],
}
DEPTHS = [1, 2, 4, 8]
DEEP: Shape = (100, 64, 256)
SURROGATES = 8


def sweep_shapes(axis: str, quick: bool) -> list[Shape]:
    """The middle point, moved along one axis."""
    shapes = []
    for size in SWEEPS[axis][:: 2 if quick else 1]:
        shape = list(MIDDLE)
        shape["TBN".index(axis)] = size
        shapes.append((shape[0], shape[1], shape[2]))
    return shapes


def measure(seconds: float, quick: bool, spyx: Spyx | None) -> dict[str, Any]:
    """Times along each axis, with depth, and of the first use of new surrogates."""
    found: dict[str, Any] = {}
    for axis in SWEEPS:
        shapes = sweep_shapes(axis, quick)
        found[axis] = part_neuron.measure(shapes, "cpu", torch.float32, seconds / 3, spyx)
    depths = {
        f"{depth} x {case(DEEP)}": part_layer.contest(DEEP, depth, "cpu", seconds / 2, spyx)
        for depth in DEPTHS[: 2 if quick else None]
    }
    found["depth"] = {"baseline": BASELINE, "floor": PRODUCTS, "times": depths}
    if first := first_use():
        found["new surrogates"] = {"first_use": first}
    return found


def first_use() -> dict[str, list[float]]:
    """Seconds of the first forward and backward with one new surrogate after the other.

    In a new process with an empty cache, then in another one that finds the cache filled.
    """
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        around = os.environ | {"SURROLAB_CACHE": cache}
        for name in ("empty cache", "filled cache"):
            done = subprocess.run(
                [sys.executable, __file__], env=around, capture_output=True, text=True
            )
            if done.returncode:
                print(f"first use: not available ({done.stderr.strip().splitlines()[-1]})")
                return {}
            found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def new_surrogates() -> list[float]:
    """In the fresh process."""
    cur, gradient = part_neuron.given((10, 8, 32), "cpu", torch.float32)
    engine("stepwise")(cur).backward(gradient)  # imports and threads are not the surrogate's
    taken = []
    for index in range(SURROGATES):
        start = time.perf_counter()
        engine("native", f"1/({index + 1}+abs(x))**2")(cur).backward(gradient)
        taken.append(time.perf_counter() - start)
    return taken


if __name__ == "__main__":
    print(json.dumps(new_surrogates()))
