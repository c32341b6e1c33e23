"""Time constants that differ from neuron to neuron."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from surrolab.models import ConvFactory, MLPFactory, Surroundings
from surrolab.neurons import (
    AdLIFFactory,
    ALIFFactory,
    AlphaFactory,
    LapicqueFactory,
    LeakyFactory,
    RLeakyFactory,
    RSynapticFactory,
    SynapticFactory,
)
from surrolab.neurons.decays import LONGEST, SHORTEST, spread_decays
from surrolab.seeding import seed_all, stream_beside
from surrolab.surrogates import FastSigmoid

FACTORIES = (
    *(LeakyFactory, LapicqueFactory, SynapticFactory, AlphaFactory),
    *(RLeakyFactory, RSynapticFactory, ALIFFactory, AdLIFFactory),
)
DECAYS = ("beta", "alpha", "rho")


def taus(decays, dt=1.0):
    return (-dt / decays.double().log()).numpy()


@pytest.mark.parametrize("spread", [0.2, 1 / math.sqrt(3)])
def test_time_constants_are_gamma_distributed(spread):
    torch.manual_seed(0)
    tau = taus(spread_decays({"beta": math.exp(-1 / 20)}, spread, 20_000)["beta"]) / 20
    inside = tau[(tau > 1.01 * SHORTEST) & (tau < 0.99 * LONGEST)]
    shape = 1 / spread**2
    known = stats.gamma(shape, scale=1 / shape)
    assert len(inside) > 0.995 * len(tau)
    assert tau.mean() == pytest.approx(1, abs=5 * spread / math.sqrt(len(tau)))
    assert tau.std() == pytest.approx(spread, rel=0.03)
    low, high = known.cdf([1.01 * SHORTEST, 0.99 * LONGEST])
    found = stats.kstest(inside, lambda x: (known.cdf(x) - low) / (high - low))
    assert found.pvalue > 0.01


def test_they_stay_within_bounds():
    torch.manual_seed(0)
    tau = taus(spread_decays({"beta": math.exp(-1 / 20)}, 1.0, 5_000)["beta"])
    assert tau.min() == pytest.approx(20 * SHORTEST, rel=1e-4)
    assert tau.max() <= 20 * LONGEST
    assert (tau < 2.001).mean() == pytest.approx(1 - math.exp(-SHORTEST), rel=0.15)


def test_a_decay_of_one_and_next_to_no_spread():
    torch.manual_seed(0)
    found = spread_decays({"beta": 1.0, "alpha": 0.5}, 1e-300, 4)
    assert torch.equal(found["beta"], torch.ones(4))
    torch.testing.assert_close(found["alpha"], torch.full((4,), 0.5), rtol=1e-4, atol=0)


@pytest.mark.parametrize("engine", ["stepwise", "torch", "native"])
@pytest.mark.parametrize("factory", FACTORIES)
def test_each_neuron_has_its_own_in_every_engine(factory, engine):
    torch.manual_seed(3)
    made = factory(tau_spread=0.5, learn_beta=True)
    layer = made.layer((7,), FastSigmoid(5.0), engine)
    neuron = layer.neuron
    for name in DECAYS:
        if hasattr(neuron, name):
            assert getattr(neuron, name).shape == (7,)
            assert len(set(getattr(neuron, name).tolist())) == 7
    assert neuron.threshold.shape == ()
    if hasattr(neuron, "alpha"):
        ratio = taus(neuron.alpha.detach()) / taus(neuron.beta.detach())
        together = factory is AlphaFactory  # whose two have to keep apart
        assert (np.ptp(ratio) < 1e-3) == together
    assert layer.choice().name == engine
    cur = torch.zeros(6, 1, 7).index_fill(0, torch.tensor([0]), 0.9)
    out = layer(cur, record=True)
    if factory in (LeakyFactory, ALIFFactory):
        expected = 0.9 * neuron.beta.detach().double() ** torch.arange(6)[:, None]
        torch.testing.assert_close(out.record.membrane[:, 0].double(), expected)
    (out.record.membrane.sum() + out.state.mem.sum()).backward()
    assert neuron.beta.grad.all()
    assert len(set(neuron.beta.grad.tolist())) == 7


def test_a_convolution_has_one_by_channel():
    torch.manual_seed(0)
    layer = LeakyFactory(tau_spread=0.5).layer((3, 4, 5), FastSigmoid(5.0), "auto")
    assert layer.neuron.beta.shape == (3, 1, 1)
    cur = torch.zeros(2, 1, 3, 4, 5)
    cur[0] = 0.5
    mem = layer(cur, record=True).record.membrane[1, 0]
    assert torch.equal(mem, (0.5 * layer.neuron.beta).expand(3, 4, 5))


def network_of(factory, seed, **options):
    seed_all(seed, "build")
    around = Surroundings(
        (2, 8, 8), 3, 5, LeakyFactory(**options), FastSigmoid(5.0), "auto", "membrane"
    )
    return factory.build(around)


@pytest.mark.parametrize("factory", [MLPFactory([9, 9]), ConvFactory([9], channels=[5])])
def test_the_seed_decides_and_weights_are_the_same_without(factory):
    spread, again, other = (network_of(factory, seed, tau_spread=0.5) for seed in (1, 1, 2))
    plain = network_of(factory, 1)
    for name, value in spread.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        is_decay = name.endswith("beta") and not name.startswith("layers.readout")
        assert torch.equal(value, plain.state_dict()[name]) != is_decay, name
        if is_decay:
            assert not torch.equal(value, other.state_dict()[name])
    betas = [layer.neurons.neuron.beta.flatten() for _, layer in spread.hidden_layers()]
    assert len({float(beta[0]) for beta in betas}) == len(betas)  # of each layer others


def test_a_stream_beside_torch_does_not_move_it_and_differs_by_purpose():
    torch.manual_seed(4)
    wanted = torch.rand(3)
    torch.manual_seed(4)
    draws = [stream_beside(word).random(4) for word in ("one", "one", "two")]
    assert torch.equal(torch.rand(3), wanted)
    moved = stream_beside("one").random(4)
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], moved)
