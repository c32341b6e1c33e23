"""The spike-sparse linear layer against the matrix product in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spike_trains import assert_right, by_spikes, layer, results
from torch.nn import functional as F

from surrolab.synapses import kernel, spike_linear

INF, NAN = float("inf"), float("nan")


@given(
    shape=st.tuples(st.integers(1, 500), st.integers(1, 450), st.integers(1, 140)),
    rate=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    value=st.sampled_from([1.0, 1.25, -0.7]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_output_and_gradients_are_those_of_the_product(
    shape: tuple[int, int, int], rate: float, value: float, dtype: torch.dtype, seed: int
) -> None:
    drawn = layer(shape, rate, value, dtype, seed)
    assert_right(results(drawn), drawn)


# Edges of the kernel's blocks (192), panels (64 columns) and shares (512 features).
@pytest.mark.parametrize(
    "shape",
    [
        *[(1, 1, 1), (192, 192, 64), (193, 193, 65), (191, 191, 63), (385, 1, 1), (1, 1500, 1)],
        *[(2, 512, 128), (3, 513, 64), (3, 1300, 200), (1000, 3, 129), (5, 384, 10)],
    ],
)
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_shapes_at_the_edges_of_blocks(shape: tuple[int, int, int], rate: float) -> None:
    drawn = layer(shape, rate)
    assert_right(results(drawn), drawn)


def test_a_weight_too_large_to_be_turned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = layer((400, 300, 333), 0.2)
    whole = results(drawn)
    monkeypatch.setattr(kernel, "PACKED", 2 * 300 * kernel.VECTOR)  # two panels of six
    for one, other in zip(results(drawn), whole, strict=True):
        assert torch.equal(one, other)


def test_gradients_by_finite_differences() -> None:
    drawn = layer((7, 9, 5), 0.4, dtype=torch.float64)

    def of(weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        out = spike_linear(drawn.x, weight, bias, "true")
        assert by_spikes(out)
        return out

    assert torch.autograd.gradcheck(of, (drawn.weight, drawn.bias))


def test_nothing_depends_on_the_number_of_threads_or_the_call() -> None:
    drawn = layer((2000, 300, 200), 0.15)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 7, 2):
            torch.set_num_threads(threads)
            out = spike_linear(drawn.x, drawn.weight, drawn.bias, "true")
            # Without x: its gradient is torch's product.
            grads = torch.autograd.grad(out, (drawn.weight, drawn.bias), drawn.grad)
            found.append((out, *grads))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", ["leading", "transposed", "strided", "expanded", "vector"])
def test_any_layout_and_leading_dimensions(kind: str) -> None:
    drawn = layer((60, 40, 30), 0.3)
    x = {
        "leading": lambda: drawn.x.view(3, 4, 5, 40),
        "transposed": lambda: drawn.x.view(6, 10, 40).transpose(0, 1),
        "strided": lambda: drawn.x.repeat_interleave(2, 1)[:, ::2],
        "expanded": lambda: drawn.x[:10].expand(6, 10, 40),
        "vector": lambda: drawn.x[0],
    }[kind]()
    x = x.detach().requires_grad_()
    out = spike_linear(x, drawn.weight.T.contiguous().T, drawn.bias, "true")
    assert by_spikes(out)
    exact = F.linear(x, drawn.weight, drawn.bias)
    torch.testing.assert_close(out, exact)
    grad = drawn.grad.flatten()[: out.numel()].view_as(out)
    leaves = (x, drawn.weight, drawn.bias)
    for one, other in zip(
        torch.autograd.grad(out, leaves, grad),
        torch.autograd.grad(exact, leaves, grad),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_a_gradient_that_is_one_number_expanded() -> None:
    drawn = layer((300, 20, 70), 0.3)
    spike_linear(drawn.x, drawn.weight, drawn.bias, "true").sum().backward()
    assert drawn.bias.grad is not None
    assert torch.equal(drawn.bias.grad, torch.full((70,), 300.0))


@pytest.mark.parametrize("shape", [(0, 5), (2, 0, 5)])
def test_no_rows(shape: tuple[int, ...]) -> None:
    drawn = layer((1, 5, 3), 0.5)
    out = spike_linear(torch.zeros(shape), drawn.weight, drawn.bias, "true")
    assert out.shape == (*shape[:-1], 3)
    out.sum().backward()
    assert drawn.weight.grad is not None
    assert not drawn.weight.grad.any()


def test_no_features_or_no_outputs() -> None:
    bias = torch.arange(3.0)
    assert torch.equal(spike_linear(torch.zeros(2, 0), torch.zeros(3, 0), bias, "true")[1], bias)
    assert spike_linear(torch.ones(2, 4), torch.zeros(0, 4), None, "true").shape == (2, 0)


@pytest.mark.parametrize("needed", ["weight", "bias", "x", "x weight", "x bias", "weight bias"])
def test_each_gradient_alone(needed: str) -> None:
    drawn = layer((250, 30, 20), 0.3)
    x, weight, bias = (
        a.detach().requires_grad_(name in needed.split())
        for name, a in (("x", drawn.x), ("weight", drawn.weight), ("bias", drawn.bias))
    )
    leaves = [a for a in (x, weight, bias) if a.requires_grad]
    out = spike_linear(x, weight, bias, "true")
    assert by_spikes(out)
    expected = torch.autograd.grad(F.linear(x, weight, bias), leaves, drawn.grad)
    for one, other in zip(torch.autograd.grad(out, leaves, drawn.grad), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_without_bias() -> None:
    drawn = layer((250, 30, 20), 0.3)
    out = spike_linear(drawn.x, drawn.weight, None, "true")
    assert by_spikes(out)
    torch.testing.assert_close(out, F.linear(drawn.x, drawn.weight))
    (grad,) = torch.autograd.grad(out, drawn.weight, drawn.grad)
    torch.testing.assert_close(grad, drawn.grad.T @ drawn.x, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_without_gradients(guard: type[torch.no_grad]) -> None:
    drawn = layer((30, 20, 10), 0.3)
    x = drawn.x.clone()
    x[:, 7] = 0
    weight = drawn.weight.detach().clone()
    weight[:, 7] = INF
    with guard():
        out = spike_linear(x, weight, drawn.bias, "true")
        # A weight that no spike meets is not looked at, which the product does: 0 * inf is NaN.
        assert out.isfinite().all()
        assert spike_linear(x, weight, drawn.bias, "false").isnan().all()
    weight[:, 7] = 0
    torch.testing.assert_close(out, F.linear(x, weight, drawn.bias.detach()))


def test_a_weight_that_is_not_finite_reaches_the_rows_that_spike() -> None:
    drawn = layer((30, 20, 10), 0.3)
    weight = drawn.weight.detach().clone()
    weight[4, 7], weight[5, 8] = INF, NAN
    out = spike_linear(drawn.x, weight, drawn.bias, "true")
    assert torch.equal(out[:, 4] == INF, drawn.x[:, 7] != 0)
    assert torch.equal(out[:, 5].isnan(), drawn.x[:, 8] != 0)


@pytest.mark.parametrize("other", [NAN, INF, -INF, 0.5, 2.0])
@pytest.mark.parametrize("place", [0, 1000, -1])
def test_other_numbers_are_left_to_the_product(other: float, place: int) -> None:
    drawn = layer((300, 30, 20), 0.3)
    drawn.x.view(-1)[place] = other
    out = spike_linear(drawn.x, drawn.weight, drawn.bias, "true")
    assert not by_spikes(out)
    exact = F.linear(drawn.x, drawn.weight, drawn.bias)
    torch.testing.assert_close(out, exact, rtol=0, atol=0, equal_nan=True)
    assert out.isfinite().all() == (abs(other) < INF)


def test_minus_zero_is_no_spike() -> None:
    drawn = layer((30, 20, 10), 0.3)
    x = torch.where(drawn.x == 0, -0.0, drawn.x)
    out = spike_linear(x, drawn.weight, drawn.bias, "true")
    assert by_spikes(out)
    assert torch.equal(out, spike_linear(drawn.x, drawn.weight, drawn.bias, "true"))


def test_the_input_may_be_overwritten_and_the_backward_repeated() -> None:
    drawn = layer((300, 30, 20), 0.3)
    x = drawn.x.clone()
    out = spike_linear(x, drawn.weight, drawn.bias, "true")
    x.fill_(NAN)
    leaves = (drawn.weight, drawn.bias)
    first = torch.autograd.grad(out, leaves, drawn.grad, retain_graph=True)
    again = torch.autograd.grad(out, leaves, drawn.grad)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    torch.testing.assert_close(first[0], drawn.grad.T @ drawn.x, rtol=1e-5, atol=1e-4)


def test_a_weight_overwritten_before_the_backward_pass_is_an_error() -> None:
    drawn = layer((30, 20, 10), 0.3)
    out = spike_linear(drawn.x.requires_grad_(), drawn.weight, drawn.bias, "true")
    with torch.no_grad():
        drawn.weight.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_a_second_derivative_is_refused() -> None:
    drawn = layer((30, 20, 10), 0.3)
    out = spike_linear(drawn.x.requires_grad_(), drawn.weight, drawn.bias, "true")
    (grad,) = torch.autograd.grad(out.square().sum(), drawn.x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_what_is_kept_is_small() -> None:
    drawn = layer((2000, 500, 64), 0.1)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda a: kept.append(a.nbytes) or a, lambda a: a
    ):
        out = spike_linear(drawn.x, drawn.weight, drawn.bias, "true")
    assert by_spikes(out)
    assert 0 < sum(kept) < drawn.x.nbytes / 25
