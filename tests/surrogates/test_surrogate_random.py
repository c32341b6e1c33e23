"""The surrogate that draws: its distribution, its seed, and what it cannot have."""

import pytest
import torch

from surrolab.surrogates import StochasticSpikeOperator


def test_noise_below_the_threshold_is_uniform():
    surrogate = StochasticSpikeOperator(2.0, mean=-0.3, variance=0.5)
    torch.manual_seed(0)
    n = 200_000
    h = surrogate.derivative(torch.full((n,), -1.0, dtype=torch.float64))
    # 2 (-0.3 +- 0.25), mean -0.6, standard deviation 1/sqrt(12); five standard errors.
    assert -1.1 <= h.min() < -1.099
    assert -0.101 < h.max() < -0.1
    assert h.mean().item() == pytest.approx(-0.6, abs=5 / (12 * n) ** 0.5)
    assert h.std().item() == pytest.approx(12**-0.5, rel=0.01)
    assert (surrogate.derivative(torch.ones(100)) == 2).all()


def test_every_call_draws_anew_and_a_seed_repeats_it():
    surrogate = StochasticSpikeOperator()
    x = -torch.ones(20)
    torch.manual_seed(5)
    first, second = surrogate.derivative(x), surrogate.derivative(x)
    torch.manual_seed(5)
    assert torch.equal(surrogate.derivative(x), first)
    assert not torch.equal(first, second)


def test_each_backward_pass_draws_once():
    x = torch.linspace(-1, 1, 40).requires_grad_()
    spikes = StochasticSpikeOperator()(x)
    torch.manual_seed(2)
    spikes.sum().backward()
    torch.manual_seed(2)
    expected = StochasticSpikeOperator().derivative(x.detach())
    assert torch.equal(x.grad, expected)


def test_there_is_no_primitive_and_nothing_to_learn_from():
    surrogate = StochasticSpikeOperator()
    assert not surrogate.has_primitive
    with pytest.raises(ValueError, match=r"^primitive: StochasticSpikeOperator has none"):
        surrogate.primitive(torch.zeros(1))
    with pytest.raises(ValueError, match=r"^smooth_step: the area of .* is inf"):
        surrogate.smooth_step(torch.zeros(1))
    with pytest.raises(ValueError, match=r"^scale: .* no primitive"):
        surrogate.learn("scale")
