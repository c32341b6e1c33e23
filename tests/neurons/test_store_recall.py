"""Store and recall over eight membrane time constants, with and without a threshold that adapts.

The task of Bellec et al. 2018 (arXiv:1803.09574), made small: three bits are shown for 20 steps,
nothing for 80, then a signal asks for them. Activity is bounded from above, as theirs is: without a
bound a recurrent network of leaky neurons holds a single bit by firing on.
"""

import pytest
import torch
from torch.nn.functional import cross_entropy

from surrolab.models import RecurrentFactory, Surroundings
from surrolab.neurons import ALIFFactory, LeakyFactory
from surrolab.surrogates import FastSigmoid

CUE, DELAY, RECALL, BITS = 20, 80, 20, 3
CHANCE = 1 / 2**BITS


def batch(samples, generator):
    y = torch.randint(2**BITS, (samples,), generator=generator)
    rate = torch.zeros(CUE + DELAY + RECALL, samples, BITS + 1)
    rate[:CUE, :, :BITS] = 0.5 * ((y[:, None] >> torch.arange(BITS)) & 1)
    rate[-RECALL:, :, BITS] = 0.5
    return (torch.rand(rate.shape, generator=generator) < rate).float(), y


def accuracy(neuron, seed, lr=0.01):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(100 + seed)
    around = Surroundings(
        (BITS + 1,), 2**BITS, CUE + DELAY + RECALL, neuron, FastSigmoid(10.0), "auto", "membrane"
    )
    network = RecurrentFactory([40], init_gain=2.0).build(around)
    optimizer = torch.optim.Adam(network.parameters(), lr)
    for _ in range(200):
        x_TBF, y = batch(64, generator)
        output = network(x_TBF)
        rate_N = output.hidden["hidden1"].mean((0, 1))
        loss = cross_entropy(output.y[-1], y) + 10 * (rate_N - 0.03).relu().square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        x_TBF, y = batch(1000, generator)
        return float((network(x_TBF).y[-1].argmax(1) == y).float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_adaptive_threshold_remembers_what_membranes_forget(seed):
    assert accuracy(ALIFFactory(rho=0.99, threshold_step=0.3), seed) > 0.85
    for lr in (0.003, 0.01, 0.03):
        assert accuracy(LeakyFactory(), seed, lr) < CHANCE + 0.1
