"""A linear layer that adds up what its input spikes pick, where that pays."""

import logging
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.parameter import Parameter

from surrolab.native import CompilerError
from surrolab.surrogates.reach import Reach, taken_reach
from surrolab.synapses.kernel import REALS, Kernel, Spikes, load
from surrolab.synapses.one_hot import OneHot
from surrolab.synapses.rule import most_spikes, most_within

MODES = ("auto", "true", "false")
# Rows of a first look at the spike rate, and how far above the limit it ends the search.
LOOKED_AT, MARGIN = 64, 1.25
log = logging.getLogger(__name__)
_warned = False


def spike_linear(
    x_TBF: Tensor, weight_NF: Tensor, bias_N: Tensor | None = None, sparse: str | bool = "auto"
) -> Tensor:
    """``x weight^T + bias``, as `torch.nn.functional.linear`, for an input of few spikes.

    An input of zeros and one other finite value, 1 or a dropout's 1 / (1 - p), can be taken by
    its spikes: the output is a sum of columns of the weight, and the weight's gradient one of
    rows of the output's gradient. The sums' order depends on the input alone, neither on the
    number of threads nor on the time, and differs from that of the matrix product: outputs
    agree to rounding, and a membrane that is at its threshold up to rounding may cross or not.
    The gradient of the input is a matrix product, unless the spikes come from neurons whose
    surrogate has compact support, such as one that is cut off: where their membrane is outside of
    it the gradient is about to be multiplied by 0, and where so few are inside that a rule says it
    pays, it is computed for those alone and is 0 for the others (Perez-Nieves & Goodman 2021,
    arXiv:2105.08810); who asks for the whole gradient at the spikes themselves
    says "false". What is kept for the backward pass are the spikes' places, a byte each; the input
    may be overwritten.

    `OneHot` vectors pick columns of the weight, on every device and without such limits.

    All else is a matrix product in every mode: other values (NaN and infinities thus reach the
    output), float16 and bfloat16, autocast, other devices than the CPU. The sparse sums do not
    look at weights where there is no spike: 0 * infinity is 0 there, not NaN.

    Args:
        x_TBF: input, ``[..., F]``; any leading dimensions.
        weight_NF: weight, ``[N, F]``.
        bias_N: bias, ``[N]``.
        sparse: ``true`` wherever the input allows it, ``false`` never, or ``auto``: where the
            number of spikes is below what a benchmark found for such shapes (`rule`).

    Raises:
        ValueError: another ``sparse``.
    """
    mode = str(sparse).lower()
    if mode not in MODES:
        raise ValueError(f"sparse: {sparse!r} is none of {', '.join(MODES)}")
    if isinstance(x_TBF, OneHot):
        if mode == "false":
            return F.linear(x_TBF.dense(), weight_NF, bias_N)
        return x_TBF.gathered(weight_NF, bias_N)
    if mode == "false" or not _suits(x_TBF, weight_NF, bias_N):
        return F.linear(x_TBF, weight_NF, bias_N)
    outputs, features = weight_NF.shape
    rows = x_TBF.numel() // features
    most = rows * features
    if mode == "auto":
        trained = torch.is_grad_enabled() and weight_NF.requires_grad
        most = most_spikes(rows, features, outputs, trained, torch.get_num_threads())
    kernel = None if most < 0 else _kernel(x_TBF.dtype, told=mode == "true")
    if kernel is None:
        return F.linear(x_TBF, weight_NF, bias_N)
    x_MF = x_TBF.detach().reshape(rows, features).contiguous()
    spikes = None if _too_many(x_MF, most) else kernel.find_spikes(x_MF, most)
    if spikes is None:
        return F.linear(x_TBF, weight_NF, bias_N)
    reach = taken_reach(x_TBF) if x_TBF.requires_grad else None
    mem = None if reach is None else reach.mem
    if mem is None or mem.numel() != x_TBF.numel():
        reach = None
    out_MN: Tensor = _SpikeLinear.apply(  # type: ignore[no-untyped-call]
        x_TBF, weight_NF, bias_N, kernel, (reach, mode == "true"), *spikes
    )
    return out_MN.view(*x_TBF.shape[:-1], outputs)


def _suits(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether the kernel can take these; wrong shapes are left for torch to name."""
    given = [x, weight] if bias is None else [x, weight, bias]
    return (
        x.dtype in REALS
        and all(
            type(a) in (Tensor, Parameter)
            and a.dtype == x.dtype
            and a.device.type == "cpu"
            and a.layout == torch.strided
            for a in given
        )
        and weight.dim() == 2
        and x.dim() > 0
        and x.shape[-1] == weight.shape[1]
        and (bias is None or bias.shape == weight.shape[:1])
        and x.numel() * weight.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def _kernel(dtype: torch.dtype, told: bool) -> Kernel | None:
    global _warned
    try:
        return load(dtype)
    except CompilerError as error:
        if told and not _warned:
            log.warning("sparse=true is computed as a dense product: %s", error)
            _warned = True
        return None


def _too_many(x_MF: Tensor, most: int) -> bool:
    """By some rows over the whole length, whether a search for so many spikes would be in vain."""
    if most == x_MF.numel() or len(x_MF) < 4 * LOOKED_AT:
        return False
    some = x_MF[:: len(x_MF) // LOOKED_AT]
    return int(some.count_nonzero()) * x_MF.numel() > MARGIN * most * some.numel()


class _SpikeLinear(torch.autograd.Function):
    """``out_MN`` from spikes that were found; ``x`` is here for its gradient only."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_NF: Tensor,
        bias_N: Tensor | None,
        kernel: Kernel,
        reach: tuple[Reach | None, bool],
        counts: Tensor,
        starts: Tensor,
        places: Tensor,
        *rest: Any,
    ) -> Tensor:
        spikes = Spikes(counts, starts, places, *rest)
        needs_x, needs_weight = ctx.needs_input_grad[:2]
        kept = (counts, starts, places) if needs_weight else (None, None, None)
        ctx.save_for_backward(weight_NF if needs_x else None, *kept)
        ctx.kernel, ctx.rest, ctx.shape, ctx.reach = kernel, rest, x.shape, reach
        bias = None if bias_N is None else bias_N.contiguous()
        return kernel.product(spikes, weight_NF.contiguous(), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_MN: Tensor) -> tuple[Tensor | None, ...]:
        weight_NF, *kept = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        grad_MN = grad_MN.contiguous()
        grad_x = None
        if needs_x:
            grad_x = _input_gradient(ctx.kernel, grad_MN, weight_NF, *ctx.reach).view(ctx.shape)
        grad_weight = grad_bias = None
        if needs_weight:
            spikes = Spikes(*kept, *ctx.rest)
            grad_weight, grad_bias = ctx.kernel.weight_gradient(spikes, grad_MN, needs_bias)
        elif needs_bias:
            grad_bias = grad_MN.sum(0)
        return (grad_x, grad_weight, grad_bias, *[None] * 8)


def _input_gradient(
    kernel: Kernel, grad_MN: Tensor, weight_NF: Tensor, reach: Reach | None, told: bool
) -> Tensor:
    """``grad_MN @ weight_NF``, or that of it which a surrogate passes on."""
    if reach is not None and reach.mem is not None:
        rows, (outputs, features) = len(grad_MN), weight_NF.shape
        most = rows * features
        if not told:
            most = most_within(rows, features, outputs, torch.get_num_threads())
        found = None if most < 0 else kernel.input_gradient(grad_MN, weight_NF, reach, most)
        if found is not None:
            return found
    return grad_MN @ weight_NF
