"""One-hot vectors kept as numbers: what a large vocabulary would otherwise be made of is zeros."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

_aten = torch.ops.aten
# What is done to the numbers alone, as long as the last axis is left as it is.
_ALONG_AN_AXIS = (_aten.slice.Tensor, _aten.select.int, _aten.index_select.default)
_WHOLE = (_aten.detach.default, _aten.alias.default, _aten.clone.default)


class OneHot(Tensor):
    """One-hot vectors ``[..., V]``, kept as the numbers of their ones.

    A tensor like any other, which is made of ones and zeros as soon as something is done to it
    that needs them; a linear layer picks columns of its weight instead (`gathered`). Slices of it,
    copies, and copies on another device or of another dtype stay compact. It is not written to,
    and has no gradient.

    Args:
        numbers: int64 ``[...]`` from 0 to V - 1; -1 is a vector of zeros.
        width: V.
        dtype: of the ones.
    """

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor, width: int, dtype: torch.dtype = torch.float32) -> "OneHot":
        made: OneHot = torch.Tensor._make_wrapper_subclass(
            cls, (*numbers.shape, width), dtype=dtype, device=numbers.device
        )
        made.numbers = numbers
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = args[0] if args else None
        if isinstance(given, OneHot):
            width, dtype = given.shape[-1], given.dtype
            if func._schema.is_mutable:
                raise TypeError("one-hot vectors are not written to")
            if func in _WHOLE:
                return OneHot(func(given.numbers), width, dtype)
            axes = given.dim()
            if func in _ALONG_AN_AXIS and (args[1] if len(args) > 1 else 0) % axes < axes - 1:
                axis = (args[1] if len(args) > 1 else 0) % axes
                return OneHot(func(given.numbers, axis, *args[2:], **kwargs), width, dtype)
            to = kwargs.get("dtype") or dtype
            if func is _aten._to_copy.default and to.is_floating_point:
                numbers = given.numbers.to(kwargs.get("device"))
                return OneHot(numbers, width, to)
        args, kwargs = tree_map_only(OneHot, OneHot.dense, (args, kwargs))
        return func(*args, **kwargs)

    def dense(self) -> Tensor:
        """The ones and zeros."""
        at = self.numbers.unsqueeze(-1)
        found = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        return found.scatter_(-1, at.clamp(min=0), (at >= 0).to(self.dtype))

    def gathered(self, weight_NV: Tensor, bias_N: Tensor | None) -> Tensor:
        """``x weight^T + bias`` without a product: to the bit what a product gives.

        The gradients agree to rounding. Weights at which there is no one are not looked at: 0 *
        infinity is 0 here.

        Args:
            weight_NV: weight.
            bias_N: bias, if there is one.

        Returns:
            ``[..., N]`` in the dtype of the weight; under autocast in that of autocast.
        """
        rows = torch.cat([weight_NV.t(), weight_NV.new_zeros(1, len(weight_NV))])
        if torch.is_autocast_enabled(self.device.type):
            rows = rows.to(torch.get_autocast_dtype(self.device.type))
        if bias_N is not None:
            rows = rows + bias_N.to(rows.dtype)
        # A number of -1 is the last row.
        at = self.numbers.remainder(len(rows))
        return rows.index_select(0, at.reshape(-1)).view(*at.shape, -1)

    def numpy(self, *, force: bool = False) -> Any:
        return self.dense().numpy(force=force)

    def tolist(self) -> Any:
        return self.dense().tolist()

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"OneHot({self.numbers!r}, width={self.shape[-1]})"
