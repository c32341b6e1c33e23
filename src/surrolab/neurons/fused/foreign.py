"""Surrogates of others, such as snnTorch's closures, as surrogates of ours."""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from surrolab.neurons.fused.tracing import NotPrintableError, record
from surrolab.surrogates import Surrogate

SpikeGrad = Callable[[Tensor], Tensor]


class Foreign(Surrogate):
    """A hard step of someone else's, whose derivative is what its own backward pass gives.

    Only for the engines: slope, scale and the facts of its shape are unknown.
    """

    shape_peak = 1.0
    shape_area = math.inf
    shape_window = math.inf

    def __init__(self, function: SpikeGrad) -> None:
        super().__init__(1.0)
        # In a tuple, so that a module is not registered: it has nothing to train or to move.
        self.functions = (function,)

    def shape(self, u: Tensor) -> Tensor:
        with torch.enable_grad():
            x = u.detach().clone().requires_grad_()
            spikes = self.functions[0](x)
            return torch.autograd.grad(spikes, x, torch.ones_like(spikes))[0]


def adopted(function: Any) -> Surrogate | None:
    """A ``spike_grad`` for the fused engines, or None where they would not compute the same.

    It has to be a hard step and elementwise, without parameters, random numbers or a look at the
    values.
    """
    if isinstance(function, Surrogate):
        return function
    try:
        return _adopted(function)
    except TypeError:  # cannot be hashed
        return None


@functools.lru_cache(maxsize=128)
def _adopted(function: Any) -> Surrogate | None:
    if isinstance(function, nn.Module) and next(function.parameters(), None) is not None:
        return None
    x = torch.cat([torch.linspace(-4, 4, 161), torch.tensor([0.0, -30.0, 30.0, 1e-6, -1e-6])])
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            if not torch.equal(function(x), (x > 0).to(x.dtype)):
                return None
        found = Foreign(function)
        record(lambda x, slope, scale: [found.shape(x)])
    except NotPrintableError:
        return None
    except Exception:  # whatever it does, it can be stepped
        return None
    return found
