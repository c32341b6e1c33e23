"""The tutorial's network against its equations, and that a short training is repeatable."""

import numpy as np
import torch

from surrolab.results.measurements.snntorch_tutorial5 import TutorialNetwork, measure


def test_spikes_and_membranes_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    network = TutorialNetwork(beta=0.9, hidden=12)
    x_BF = 3 * torch.rand(5, 784)
    spk_TBC, mem_TBC = network(x_BF, steps=15)
    w1, b1, w2, b2 = (
        parameter.detach().double().numpy()
        for layer in (network.fc1, network.fc2)
        for parameter in (layer.weight, layer.bias)
    )
    u1, u2 = np.zeros((5, 12)), np.zeros((5, 10))
    for step in range(15):
        # Both layers: U[t] = beta U[t-1] + I[t] - S[t-1], S[t] = (U[t] > 1).
        u1 = 0.9 * u1 + x_BF.double().numpy() @ w1.T + b1 - (u1 > 1)
        u2 = 0.9 * u2 + (u1 > 1) @ w2.T + b2 - (u2 > 1)
        np.testing.assert_allclose(mem_TBC[step].detach().numpy(), u2, atol=1e-5)
        np.testing.assert_array_equal(spk_TBC[step].detach().numpy(), u2 > 1)
    assert 0 < spk_TBC.mean() < 1


def test_a_short_training_learns_and_is_the_same_for_the_same_seed() -> None:
    none, some, again = (
        measure(seed=1, gradient_steps=count, hidden=50, steps=6, lr=0.005) for count in (1, 30, 30)
    )
    assert isinstance(none["test/accuracy"], float)
    assert isinstance(some["test/accuracy"], float)
    assert some["test/accuracy"] > none["test/accuracy"] + 0.2
    assert again == some
