"""Contenders that are known to compute what they should, as jobs to be timed."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from neurons import BASELINE, is_ours
from timing import Job
from torch import Tensor

Shape = tuple[int, int, int]
Call = Callable[[Tensor], Tensor]


def case(shape: Shape) -> str:
    """How a shape is called in the results."""
    return f"({', '.join(map(str, shape))})"


def synchronize(device: str) -> None:
    """Wait for a GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def both(call: Call, x: Tensor, leaves: Iterable[Tensor], gradient: Tensor) -> Job:
    """Forward and backward with a given gradient; what they allocate is allocated anew.

    On a GPU many in a row, so that the processor runs ahead as it does in training.
    """
    device, leaves = x.device.type, list(leaves)
    times = 10 if device == "cuda" else 1

    def run() -> float:
        for leaf in leaves:
            leaf.grad = None
        synchronize(device)
        start = time.perf_counter()
        for _ in range(times):
            call(x).backward(gradient)
        synchronize(device)
        return (time.perf_counter() - start) / times

    return run


def entrants(makers: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Those that can be had; of the others a line."""
    made = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except (ValueError, TypeError, ImportError) as error:
            print(f"{name}: not available ({str(error).splitlines()[0]})")
    return made


def checked(
    calls: dict[str, Call], x: Tensor, leaves: list[Tensor], gradient: Tensor, ties: float = 0
) -> dict[str, Call]:
    """Those whose spikes and gradients are in order; what cannot run here is left out with a line.

    Ours have to spike as snnTorch does, but for a fraction ``ties`` (sums taken in another order),
    and where the surrogate is the same, the gradients agree.
    """
    good: dict[str, Call] = {}
    expected: dict[str, list[Tensor]] = {}
    for name, call in calls.items():
        for leaf in leaves:
            leaf.grad = None
        try:
            out = call(x)
            out.backward(gradient)
        except (ValueError, ImportError, RuntimeError) as error:
            print(f"{name}: does not run here ({str(error).splitlines()[0]})")
            continue
        grads = [leaf.grad for leaf in leaves]
        assert out.shape == gradient.shape, name
        assert all(grad is not None and grad.isfinite().all() for grad in grads), name
        assert all(grad.abs().sum() > 0 for grad in grads if grad is not None), name
        spk = out.detach()
        if name.startswith("matrix"):
            good[name] = call
            continue
        assert ((spk == 0) | (spk == 1)).all(), name
        assert 0 < spk.float().mean() < 1, name
        if name == BASELINE:
            expected = {"spikes": [spk], "gradients": [g for g in grads if g is not None]}
        elif is_ours(name) or name.startswith(BASELINE):
            differing = float((spk != expected["spikes"][0]).float().mean())
            assert differing <= ties, f"{name}: {differing:.2e} of the spikes differ"
            if "formula" not in name and differing == 0 and x.dtype == torch.float32:
                for grad, other in zip(grads, expected["gradients"], strict=True):
                    assert (grad - other).norm() < 1e-5 * other.norm(), f"{name}: gradient"
        good[name] = call
    for leaf in leaves:
        leaf.grad = None
    return good
