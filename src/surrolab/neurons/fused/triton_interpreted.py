"""Functions of CUDA's libdevice, computed by torch, for Triton's interpreter, which has none."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def _elementwise(function: Callable[..., Tensor]) -> Callable[..., Any]:
    def apply(*values: Any) -> Any:
        from triton.language import tensor
        from triton.runtime.interpreter import TensorHandle

        first = values[0]
        found = function(*(torch.from_numpy(value.handle.data) for value in values))
        return tensor(TensorHandle(found.numpy(), first.handle.dtype), first.type)

    return apply


exp, expm1 = _elementwise(torch.exp), _elementwise(torch.expm1)
log, log1p = _elementwise(torch.log), _elementwise(torch.log1p)
sin, cos = _elementwise(torch.sin), _elementwise(torch.cos)
sinh, cosh, tanh = _elementwise(torch.sinh), _elementwise(torch.cosh), _elementwise(torch.tanh)
atan, erf, pow = _elementwise(torch.atan), _elementwise(torch.erf), _elementwise(torch.pow)
