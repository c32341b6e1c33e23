"""Surrogates of others, such as snnTorch's closures, as surrogates of ours."""

import functools
import math
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from surrolab.neurons.fused.tracing import OF_MODULES, NotPrintableError, record
from surrolab.surrogates import Surrogate

SpikeGrad = Callable[[Tensor], Tensor]


class Foreign(Surrogate):
    """A hard step of someone else's, whose derivative is what its own backward pass gives.

    Only for the engines: slope, scale and the facts of its shape are unknown.
    """

    shape_peak = 1.0
    shape_area = math.inf
    shape_window = math.inf

    def __init__(self, function: SpikeGrad, holds: Any) -> None:
        super().__init__(1.0)
        self.holds = holds  # tells it from the same function with other settings
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
        return _adopted(function, _holds(function))
    except (TypeError, RecursionError):  # cannot be hashed, or calls itself
        return None


@functools.lru_cache(maxsize=128)
def _adopted(function: Any, holds: Any) -> Surrogate | None:
    if isinstance(function, nn.Module) and next(function.parameters(), None) is not None:
        return None
    x = torch.cat([torch.linspace(-4, 4, 161), torch.tensor([0.0, -30.0, 30.0, 1e-6, -1e-6])])
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            if not torch.equal(function(x), (x > 0).to(x.dtype)):
                return None
        found = Foreign(function, holds)
        record(lambda x, slope, scale: [found.shape(x)])
    except NotPrintableError:
        return None
    except Exception:  # whatever it does, it can be stepped
        return None
    return found


def _holds(value: Any) -> Any:
    """What a function computes with, as long as it is plain: its code, closure and globals.

    What the methods of a class read from elsewhere, such as those of an ``autograd.Function``, is
    not seen.

    Raises:
        TypeError: it holds something that may change unseen.
    """
    plain = bool | int | float | str | type | ModuleType | BuiltinFunctionType
    if value is None or isinstance(value, plain):
        return value
    if isinstance(value, nn.Module) and not (value._buffers or value._modules):
        kept = ((n, v) for n, v in value.__dict__.items() if n not in OF_MODULES)
        return type(value), *((name, _holds(part)) for name, part in kept)
    if isinstance(value, FunctionType):
        named = [value.__globals__.get(name) for name in value.__code__.co_names]
        parts = [
            *(cell.cell_contents for cell in value.__closure__ or ()),
            *(value.__defaults__ or ()),
            *(part for part in named if part is not value),
        ]
        return value.__code__, *map(_holds, parts)
    if isinstance(value, MethodType) and isinstance(value.__self__, type):  # Function.apply
        return value.__self__, value.__func__
    raise TypeError(f"{type(value).__name__} may change")
