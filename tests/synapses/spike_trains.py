"""Spikes, the layer in float64, and whether a result came from spikes."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from surrolab.synapses import spike_linear


class Layer(NamedTuple):
    """Input, parameters and the output's gradient."""

    x: Tensor
    weight: Tensor
    bias: Tensor
    grad: Tensor


def layer(
    shape: tuple[int, int, int],
    rate: float,
    value: float = 1.0,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Layer:
    rows, features, outputs = shape
    numbers = torch.Generator().manual_seed(seed)
    x = (torch.rand(rows, features, generator=numbers) < rate).to(dtype) * value
    weight, bias, grad = (
        torch.randn(*size, generator=numbers, dtype=dtype)
        for size in ((outputs, features), (outputs,), (rows, outputs))
    )
    return Layer(x, weight.requires_grad_(), bias.requires_grad_(), grad)


def by_spikes(out: Tensor) -> bool:
    node = out.grad_fn
    while node is not None and "SpikeLinear" not in node.name():
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)
    return node is not None


def results(given: Layer, sparse: str = "true") -> tuple[Tensor, ...]:
    """The output and all gradients; by spikes where that is asked for."""
    x = given.x.detach().requires_grad_()
    out = spike_linear(x, given.weight, given.bias, sparse)
    assert by_spikes(out) == (sparse == "true")
    return (
        out.detach(),
        *torch.autograd.grad(out, (x, given.weight, given.bias), given.grad),
    )


def references(given: Layer) -> tuple[tuple[Tensor, Tensor], ...]:
    """The same in float64, each with the sums of the magnitudes of what was added up."""

    def linear(x: Tensor, weight: Tensor, bias: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
        return F.linear(x, weight, bias), grad @ weight, grad.T @ x, grad.sum(0)

    wide = [a.detach().double() for a in given]
    return tuple(zip(linear(*wide), linear(*[a.abs() for a in wide]), strict=True))


def assert_right(found: tuple[Tensor, ...], given: Layer) -> None:
    """Each within the rounding of its own sum."""
    longest = 2 + max(given.x.shape[0], given.weight.shape[0], given.weight.shape[1])
    rounding = torch.finfo(given.x.dtype).eps / 2 * longest
    for name, one, (exact, magnitude) in zip(
        ("output", "x", "weight", "bias"), found, references(given), strict=True
    ):
        error = (one.double() - exact).abs()
        # The float64 reference is itself rounded where the layer is of float64.
        assert (error <= 2 * rounding * magnitude).all(), (name, float(error.max()))
