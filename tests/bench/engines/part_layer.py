"""Linear and LIF, without a gradient of the input; the floor is the matrix products alone."""

from typing import Any

import torch
from contest import Shape, both, case, checked, entrants
from layers import PRODUCTS, RATE, layer_makers, synapses
from neurons import BASELINE
from remote import Spyx
from timing import Times, interleave
from torch import Tensor, nn

# Sums taken in another order: a membrane at the threshold may come to lie on its other side.
TIES = 1e-4


def given(shape: Shape, device: str) -> tuple[Tensor, Tensor]:
    """Random spikes, and the gradient to go back with."""
    torch.manual_seed(0)
    return torch.bernoulli(torch.full(shape, RATE)).to(device), torch.randn(shape).to(device)


def contest(
    shape: Shape, depth: int, device: str, seconds: float, spyx: Spyx | None, names: Any = None
) -> Times:
    """One shape and depth; all contenders or those named."""
    x, gradient = given(shape, device)
    fcs = synapses(shape[-1], depth, device)
    weights = [fc.weight for fc in fcs]
    made = entrants({n: m for n, m in layer_makers(device).items() if not names or n in names})
    calls = {name: bound(layers, fcs) for name, layers in made.items()}
    good = checked(calls, x, weights, gradient, TIES * depth**2)
    jobs = {name: both(call, x, weights, gradient) for name, call in good.items()}
    key = None
    if spyx is not None:
        key = spyx.make(shape, depth)
        jobs["Spyx"] = spyx.job(key)
    times = interleave(jobs, seconds)
    if spyx is not None and key is not None:
        spyx.drop(key)
    return times


def bound(layers: Any, fcs: list[nn.Linear]) -> Any:
    """Layers with their weights, as a call of the input alone."""
    return lambda x_TBN: layers(x_TBN, fcs)


def measure(shapes: list[Shape], device: str, seconds: float, spyx: Spyx | None) -> dict[str, Any]:
    """Times of all contenders at each shape."""
    times = {case(shape): contest(shape, 1, device, seconds, spyx) for shape in shapes}
    return {"baseline": BASELINE, "floor": PRODUCTS, "times": times}
