"""Against snnTorch where that is right, and what other libraries publish in their own words."""

import math

import numpy as np
import pytest
import snntorch.surrogate
import torch

from surrolab.surrogates import (
    ATan,
    Circular,
    Exponential,
    FastSigmoid,
    Gaussian,
    LeakySpikeOperator,
    MultiGaussian,
    PiecewiseLeaky,
    QPseudoSpike,
    Sigmoid,
    SparseFastSigmoid,
    SpikeRateEscape,
    StochasticSpikeOperator,
    StraightThrough,
    Tanh,
)


def spikes_and_gradient(surrogate, x):
    weights = torch.randn(len(x), generator=torch.Generator().manual_seed(0))
    leaf = x.clone().requires_grad_()
    torch.manual_seed(1)
    spikes = surrogate(leaf)
    (spikes * weights).sum().backward()
    return spikes.detach(), leaf.grad


@pytest.mark.parametrize(
    ("ours", "theirs", "reach"),
    [
        (ATan(3.0), snntorch.surrogate.atan(3.0), 100.0),
        (FastSigmoid(30.0), snntorch.surrogate.fast_sigmoid(30.0), 100.0),
        (Sigmoid(25.0), snntorch.surrogate.sigmoid(25.0), 1.5),
        (StraightThrough(), snntorch.surrogate.straight_through_estimator(), 100.0),
        (StochasticSpikeOperator(), snntorch.surrogate.SSO(), 100.0),
        # snnTorch multiplies the mean by the variance.
        (StochasticSpikeOperator(mean=0.3, variance=0.6), snntorch.surrogate.SSO(0.5, 0.6), 100.0),
        (LeakySpikeOperator(leak=0.0), snntorch.surrogate.heaviside(), 100.0),
    ],
    ids=["atan", "fast_sigmoid", "sigmoid", "straight_through", "sso", "sso_mean", "heaviside"],
)
def test_equals_snntorch_where_that_is_right(ours, theirs, reach):
    x = torch.linspace(-reach, reach, 4001)
    (spikes, gradient), expected = spikes_and_gradient(ours, x), spikes_and_gradient(theirs, x)
    assert torch.equal(spikes, expected[0])
    # Relative to the largest gradient, as 1 - s loses its digits in snnTorch's tails.
    assert (gradient - expected[1]).abs().max() / expected[1].abs().max() < 1e-6


def test_snntorch_sigmoid_overflows_where_ours_does_not():
    """If the first half fails, snnTorch was mended; so in the three tests that follow."""
    x = torch.tensor([-4.0, -100.0], requires_grad=True)
    snntorch.surrogate.sigmoid(25)(x).sum().backward()
    assert x.grad.isnan().any()
    x.grad = None
    Sigmoid(25.0)(x).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad[0].item() == pytest.approx(25 * math.exp(-100), rel=1e-5)


def test_snntorch_leaky_spike_operator_cannot_be_called():
    x = torch.tensor([-1.0, 1.0], requires_grad=True)
    with pytest.raises(TypeError):
        snntorch.surrogate.LSO(0.1)(x)
    LeakySpikeOperator()(x).sum().backward()
    assert x.grad.tolist() == pytest.approx([0.1, 1.0])


def test_snntorch_spike_rate_escape_is_ours_one_unit_off_the_threshold():
    x = torch.linspace(-3, 3, 601)
    _, theirs = spikes_and_gradient(snntorch.surrogate.spike_rate_escape(2.0, 25.0), x + 1)
    _, ours = spikes_and_gradient(SpikeRateEscape(2.0, 25.0), x)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_snntorch_sparse_fast_sigmoid_lets_through_what_ours_leaves_out():
    x = torch.linspace(0.01, 2, 202)  # without 1 itself
    weights = spikes_and_gradient(StraightThrough(), x)[1]
    _, theirs = spikes_and_gradient(snntorch.surrogate.SFS(25, 1), x)
    _, ours = spikes_and_gradient(SparseFastSigmoid(25.0, cutoff=1.0), x)
    whole = weights * FastSigmoid(25.0).derivative(x)
    torch.testing.assert_close(ours + theirs, whole)
    assert ours[0] != 0
    assert ours[-1] == 0


def _norse_circ(x, alpha):
    square = alpha**2 + x**2
    return (-(x**2) / (2 * square**1.5) + 1 / (2 * np.sqrt(square))) * 2 * alpha


def _yin(x, height, spread, sigma, gamma):
    def density(mean, deviation):
        distance = (x - mean) / deviation
        return np.exp(-(distance**2) / 2) / (np.sqrt(2 * np.pi) * deviation)

    middle, wide = density(0, sigma), spread * sigma
    lobes = density(sigma, wide) + density(-sigma, wide)
    return gamma * ((1 + height) * middle - height * lobes)


PUBLISHED = {
    "SpikingJelly Erf, alpha=2": (
        Gaussian(),
        lambda x: 2 / np.sqrt(np.pi) * np.exp(-((2 * x) ** 2)),
    ),
    "sinabs Gaussian, sigma=0.5": (
        Gaussian(1 / (math.sqrt(2) * 0.5)),
        lambda x: np.exp(-(x**2) / (2 * 0.5**2)) / (0.5 * np.sqrt(2 * np.pi)),
    ),
    "SpikingJelly PiecewiseExp, alpha=1.5": (
        Exponential(1.5),
        lambda x: 0.75 * np.exp(-1.5 * np.abs(x)),
    ),
    "SpikingJelly QPseudoSpike, alpha=3.5": (
        QPseudoSpike(tail=3.5),
        lambda x: (1 + 2 * np.abs(x) / 2.5) ** -3.5,
    ),
    # Its w is half of ours: 1/(2w) within |x| < w.
    "SpikingJelly PiecewiseLeakyReLU, w=1, c=0.01": (
        PiecewiseLeaky(0.5, leak=0.01),
        lambda x: np.where(np.abs(x) < 1, 1 / (2 * 1), 0.01),
    ),
    "norse circ, alpha=0.3": (Circular(), lambda x: _norse_circ(x, 0.3)),
    "norse tanh, k=3": (Tanh(3.0), lambda x: 1 - np.tanh(3 * x) ** 2),
    "Yin et al.": (MultiGaussian(), lambda x: _yin(x, 0.15, 6.0, 0.5, 0.5)),
    "SLAYER-style, alpha=5, c=0.4": (
        Exponential(5.0, 0.4),
        lambda x: 0.4 * 5 / 2 * np.exp(-5 * np.abs(x)),
    ),
    "Zenke & Vogels sigmoid, 10": (
        Sigmoid(10.0, 0.25, "peak"),
        lambda x: np.exp(-10 * x) / (1 + np.exp(-10 * x)) ** 2,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_equals_what_others_publish(name):
    surrogate, theirs = PUBLISHED[name]
    x = torch.linspace(-2.005, 2.005, 402, dtype=torch.float64)
    np.testing.assert_allclose(surrogate.derivative(x), theirs(x.numpy()), rtol=1e-12, atol=1e-15)
