"""The protocol of Open Neuromorphic's comparison of libraries (2023, last revised in 2024).

Batch 16, 500 steps, one Linear and LIF layer; forward and backward are timed apart, and backward
is repeated on one graph with ``retain_graph=True``.
"""

import time
from typing import Any

from contest import Shape, checked, entrants, synchronize
from layers import PRODUCTS, layer_makers, synapses
from neurons import BASELINE
from part_layer import TIES, bound, given
from remote import Spyx
from timing import Job, interleave
from torch import Tensor

BATCH, STEPS = 16, 500


def _forward(call: Any, x: Tensor) -> Job:
    def run() -> float:
        synchronize(x.device.type)
        start = time.perf_counter()
        call(x)
        synchronize(x.device.type)
        return time.perf_counter() - start

    return run


def _backward(call: Any, x: Tensor, leaves: list[Tensor], gradient: Tensor) -> Job:
    out = call(x)

    def run() -> float:
        for leaf in leaves:
            leaf.grad = None
        synchronize(x.device.type)
        start = time.perf_counter()
        out.backward(gradient, retain_graph=True)
        synchronize(x.device.type)
        return time.perf_counter() - start

    return run


def measure(widths: list[int], device: str, seconds: float, spyx: Spyx | None) -> dict[str, Any]:
    """Times of both passes; a membrane that is overwritten cannot be gone back through twice."""
    times = {}
    for width in widths:
        shape: Shape = (STEPS, BATCH, width)
        x, gradient = given(shape, device)
        fcs = synapses(width, 1, device)
        weights: list[Tensor] = [fc.weight for fc in fcs]
        made = entrants({n: m for n, m in layer_makers(device).items() if "overwrit" not in n})
        calls = {name: bound(layers, fcs) for name, layers in made.items()}
        good = checked(calls, x, weights, gradient, TIES)
        forward = {name: _forward(call, x) for name, call in good.items()}
        backward = {name: _backward(call, x, weights, gradient) for name, call in good.items()}
        if spyx is not None:
            key = spyx.make(shape, depth=1)
            forward["Spyx"] = spyx.job(key, "forward")
            backward["Spyx"] = spyx.job(key, "backward")
        times[f"forward, {width}"] = interleave(forward, seconds / 2)
        times[f"backward, {width}"] = interleave(backward, seconds / 2)
        if spyx is not None:
            spyx.drop(key)
    return {"baseline": BASELINE, "floor": PRODUCTS, "times": times}
