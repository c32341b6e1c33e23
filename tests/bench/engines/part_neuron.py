"""Neuron alone, forward and backward, beside the floor that the memory's speed sets."""

import math
import time
from typing import Any

import torch
from contest import Shape, both, case, checked, entrants, synchronize
from neurons import BASELINE, makers
from remote import Spyx
from timing import Job, interleave
from torch import Tensor

SHAPES: list[Shape] = [(25, 128, 512), (100, 64, 512), (500, 16, 512), (100, 256, 128)]
FLOOR = "floor"
FAR = "floor, out of all caches"


def given(shape: Shape, device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A current that makes one neuron in twenty fire, and the gradient to go back with."""
    torch.manual_seed(0)
    cur = (0.5 * torch.randn(shape)).to(device, dtype).requires_grad_()
    return cur, torch.randn(shape).to(device, dtype)


def floor(shape: Shape, device: str, dtype: torch.dtype) -> Job:
    """What cannot be done without, at the speed of a copy.

    Forward reads the current and writes spikes and membrane; backward reads the given gradient and
    the membrane and writes the gradient: six accesses per element, three copies. 24 bytes in
    float32.
    """
    tensors = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(6)]

    def run() -> float:
        synchronize(device)
        start = time.perf_counter()
        for source, target in zip(tensors[::2], tensors[1::2], strict=True):
            target.copy_(source)
        synchronize(device)
        return time.perf_counter() - start

    return run


def far_floor(shape: Shape) -> Job:
    """The same bytes at the speed of a copy of arrays that no cache holds."""
    source, target = torch.zeros(2, 1 << 25)
    share = 24 * math.prod(shape) / (2 * 4 * len(source))

    def run() -> float:
        start = time.perf_counter()
        target.copy_(source)
        return share * (time.perf_counter() - start)

    return run


def measure(
    shapes: list[Shape], device: str, dtype: torch.dtype, seconds: float, spyx: Spyx | None
) -> dict[str, Any]:
    """Times of all contenders at each shape."""
    calls = entrants(makers(device))
    results = {}
    for shape in shapes:
        cur, gradient = given(shape, device, dtype)
        ties = 0 if dtype == torch.float32 else 0.01
        good = checked(calls, cur, [cur], gradient, ties)
        jobs = {name: both(call, cur, [cur], gradient) for name, call in good.items()}
        jobs[FLOOR] = floor(shape, device, dtype)
        if device == "cpu":
            jobs[FAR] = far_floor(shape)
        key = None
        if spyx is not None:
            key = spyx.make(shape, depth=0)
            jobs["Spyx"] = spyx.job(key)
        results[case(shape)] = interleave(jobs, seconds)
        if spyx is not None and key is not None:
            spyx.drop(key)
    return {"baseline": BASELINE, "floor": FLOOR, "times": results}


def kernel_times(shapes: list[Shape], dtype: torch.dtype) -> dict[str, Any]:
    """On a GPU: how long it computes, in which the processor's part does not count."""
    from torch.profiler import ProfilerActivity, profile

    calls, repetitions = entrants(makers("cuda")), 5
    results: dict[str, Any] = {}
    for shape in shapes:
        cur, gradient = given(shape, "cuda", dtype)
        row = {}
        for name, call in checked(calls, cur, [cur], gradient, 0.01).items():
            run = both(call, cur, [cur], gradient)
            run()
            with profile(activities=[ProfilerActivity.CUDA]) as profiled:
                for _ in range(repetitions):
                    run()
            micros = sum(event.self_device_time_total for event in profiled.key_averages())
            row[name] = [1e-6 * micros / (10 * repetitions)]
        run = floor(shape, "cuda", dtype)
        row[FLOOR] = [min(run() for _ in range(20))]
        results[case(shape)] = row
    return {"baseline": BASELINE, "floor": FLOOR, "times": results}
