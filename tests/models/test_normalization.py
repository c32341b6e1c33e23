"""Batch norms of the current against their formulas, written out in numpy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrolab.models import ConvFactory, MLPFactory, ModelFactory, Surroundings
from surrolab.models.normalization import BNTT, StepNorm, TdBN, TimeNorm, time_norm
from surrolab.neurons import LeakyFactory
from surrolab.surrogates import FastSigmoid

STEPS, BATCH = 5, 6
SHAPES = [(3,), (3, 4, 2)]
EPS, MOMENTUM = 1e-5, 0.1
THRESHOLD = 0.7
Array = NDArray[np.float64]


def currents(shape: tuple[int, ...], seed: int = 0, steps: int = STEPS) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    cur = torch.randn(steps, BATCH, *shape, generator=generator, dtype=torch.float64)
    drift = torch.arange(steps).view(-1, *[1] * (cur.ndim - 1))
    channel = torch.arange(shape[0]).view(-1, *[1] * (len(shape) - 1))
    return (1 + drift) * cur + 2 * drift - channel


def make(name: str, shape: tuple[int, ...]) -> TimeNorm:
    norm = time_norm(name, shape, THRESHOLD, STEPS)
    assert norm is not None
    return norm.double()


def moments(cur: Array, over_time: bool) -> tuple[Array, Array, int]:
    """Mean and (biased) variance, broadcastable to ``cur``, and how many values each is of."""
    axes = (*((0,) if over_time else ()), 1, *range(3, cur.ndim))
    count = int(np.prod([cur.shape[axis] for axis in axes]))
    mean = cur.sum(axes, keepdims=True) / count
    return mean, ((cur - mean) ** 2).sum(axes, keepdims=True) / count, count


def standardized(cur: Array, over_time: bool) -> Array:
    mean, variance, _ = moments(cur, over_time)
    return np.asarray((cur - mean) / np.sqrt(variance + EPS))


def along_channels(values: Any, cur: Array) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(-1, *[1] * (cur.ndim - 3))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "over_time", "scale"),
    [("step", False, 1.0), ("tdbn", True, THRESHOLD), ("bntt", False, 1.0)],
)
def test_the_formula_at_initialisation(
    name: str, over_time: bool, scale: float, shape: tuple[int, ...]
) -> None:
    cur = currents(shape)
    expected = scale * standardized(cur.numpy(), over_time)
    np.testing.assert_allclose(make(name, shape)(cur).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_step_norm_shares_scale_and_shift_over_the_steps(shape: tuple[int, ...]) -> None:
    norm, cur = make("step", shape), currents(shape)
    assert isinstance(norm, StepNorm)
    scale, shift = [0.5, -1.0, 2.0], [1.0, 0.0, -3.0]
    norm.norm.weight.data = torch.tensor(scale).double()
    norm.norm.bias.data = torch.tensor(shift).double()
    x = cur.numpy()
    expected = along_channels(scale, x) * standardized(x, False) + along_channels(shift, x)
    np.testing.assert_allclose(norm(cur).detach().numpy(), expected, atol=1e-12)
    assert sum(p.numel() for p in norm.parameters()) == 2 * shape[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threshold", [0.3, 1.0, 2.5])
def test_tdbn_has_the_thresholds_variance_over_time_and_batch(
    shape: tuple[int, ...], threshold: float
) -> None:
    norm = TdBN(shape, threshold).double()
    out = norm(currents(shape)).detach().numpy()
    mean, variance, _ = moments(out, over_time=True)
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(variance, threshold**2, rtol=1e-4)
    # And not within each step, where the currents drift.
    assert np.ptp(moments(out, over_time=False)[0]) > threshold
    assert sum(p.numel() for p in norm.parameters()) == 2 * shape[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_bntt_has_a_scale_for_each_step_and_no_shift(shape: tuple[int, ...]) -> None:
    norm, cur = make("bntt", shape), currents(shape)
    assert isinstance(norm, BNTT)
    assert [name.split(".")[-1] for name, _ in norm.named_parameters()] == ["weight"] * STEPS
    scales = np.arange(1.0, 1 + STEPS * 3).reshape(STEPS, 1, 3, *[1] * (len(shape) - 1))
    for step, scale in enumerate(scales):
        norm.get_submodule(f"norms.{step}").weight.data = torch.tensor(scale.reshape(3))
    expected = scales * standardized(cur.numpy(), False)
    np.testing.assert_allclose(norm(cur).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["step", "tdbn", "bntt"])
def test_evaluation_uses_running_statistics_and_leaves_them(
    name: str, shape: tuple[int, ...]
) -> None:
    norm = make(name, shape)
    per_step = name == "bntt"
    size = (STEPS if per_step else 1, 1, 3, *[1] * (len(shape) - 1))
    mean, variance = np.zeros(size), np.ones(size)
    for seed in (1, 2):
        cur = currents(shape, seed)
        norm(cur)
        m, v, count = moments(cur.numpy(), over_time=name == "tdbn")
        # One update with all steps (TdBN), one per step and norm (BNTT), or one per step in turn.
        updates = zip(m[:, None], v[:, None], strict=True) if name == "step" else [(m, v)]
        for new_mean, new_variance in updates:
            mean = (1 - MOMENTUM) * mean + MOMENTUM * new_mean
            unbiased = new_variance * count / (count - 1)
            variance = (1 - MOMENTUM) * variance + MOMENTUM * unbiased
    scale = THRESHOLD if name == "tdbn" else 1.0
    norm.eval()
    state = {key: value.clone() for key, value in norm.state_dict().items()}
    cur = currents(shape, seed=3)
    expected = scale * (cur.numpy() - mean) / np.sqrt(variance + EPS)
    np.testing.assert_allclose(norm(cur).detach().numpy(), expected, atol=1e-12)
    # A sample's output does not depend on the others of its batch.
    torch.testing.assert_close(norm(cur[:, :1]), norm(cur)[:, :1])
    torch.testing.assert_close(norm.state_dict(), state)


@pytest.mark.parametrize("shape", SHAPES)
def test_bntt_takes_shorter_sequences_and_refuses_longer_ones(shape: tuple[int, ...]) -> None:
    norm, cur = make("bntt", shape), currents(shape)
    torch.testing.assert_close(norm(cur[:2]), norm(cur)[:2])
    message = rf"^norm: bntt was built for {STEPS} steps and got {STEPS + 1}$"
    with pytest.raises(ValueError, match=message):
        norm(currents(shape, steps=STEPS + 1))


def test_none_is_no_norm() -> None:
    assert time_norm("none", (3,), THRESHOLD, STEPS) is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["step", "tdbn", "bntt"])
def test_the_gradient_is_that_of_the_formula(name: str, shape: tuple[int, ...]) -> None:
    norm = make(name, shape)
    cur = currents(shape)[:, :3].requires_grad_()
    assert torch.autograd.gradcheck(norm, (cur,), fast_mode=True)


@pytest.mark.parametrize("name", ["step", "tdbn", "bntt"])
@pytest.mark.parametrize(
    ("factory", "shape", "sizes"),
    [(MLPFactory, (5,), [3, 4]), (partial(ConvFactory, channels=[2, 5]), (1, 6, 6), [2, 5, 3, 4])],
)
def test_models_normalise_hidden_layers_and_not_the_readout(
    factory: Callable[..., ModelFactory],
    shape: tuple[int, ...],
    sizes: list[int],
    name: str,
) -> None:
    neuron = LeakyFactory(threshold=THRESHOLD)
    torch.manual_seed(0)
    network = factory([3, 4], norm=name).build(
        Surroundings(shape, 2, STEPS, neuron, FastSigmoid(5.0), "auto", "membrane")
    )
    assert network.layers["readout"].norm is None
    hidden = [layer for key, layer in network.layers.items() if key != "readout"]
    x = torch.randn(STEPS, BATCH, *shape)
    assert [len(layer.norm.state_dict()) > 0 for layer in hidden] == [True] * len(sizes)
    for (layer, y), size in zip(_inputs(network, x), sizes, strict=True):
        assert layer.shape[0] == size
        cur = layer.current(y).detach().numpy().astype(np.float64)
        mean, _, _ = moments(cur, over_time=name == "tdbn")
        np.testing.assert_allclose(mean, 0, atol=1e-5)
        if name == "tdbn":
            weight = layer.norm.norm.weight.detach().numpy()
            np.testing.assert_allclose(weight, THRESHOLD, rtol=1e-6)


def _inputs(network: Any, x: Tensor) -> list[tuple[Any, Tensor]]:
    """Each hidden layer with what it gets."""
    pairs = []
    for key, layer in network.layers.items():
        if key != "readout":
            pairs.append((layer, x))
            x = layer(x).out
    return pairs


def test_norms_of_steps_that_are_not_there_get_a_gradient_of_nothing() -> None:
    """And not none at all, for which processes that train together would wait."""
    norm, cur = make("bntt", (3,)), currents((3,))
    norm(cur, torch.tensor([2] * BATCH))[:, :, 0].sum().backward()
    norm(cur[:3])[:, :, 0].sum().backward()
    gradients = [parameter.grad for parameter in norm.parameters()]
    assert len(gradients) == STEPS
    assert all(gradient is not None for gradient in gradients)
    assert not any(gradient.any() for gradient in gradients[3:])
