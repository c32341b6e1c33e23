"""A learned slope and scale: the gradient is that of the primitive."""

import copy
import inspect
import pickle

import pytest
import snntorch
import torch
from surrogate_catalogue import ALL, OTHER, RANDOM, SLOPED, away_from_kinks, modes

from surrolab.neurons import SpikingLayer
from surrolab.surrogates import (
    Dspike,
    LeakySpikeOperator,
    NoSurrogate,
    PiecewiseLeaky,
    Sigmoid,
    SparseFastSigmoid,
    StochasticSpikeOperator,
    StraightThrough,
)
from surrolab.surrogates.base import LEAST

LEARNABLE = [
    (cls, name, mode)
    for cls in ALL
    if cls not in RANDOM
    for name in ("slope", "scale")
    if name in inspect.signature(cls).parameters
    for mode in modes(cls)
]
SIZES = [(), (5,)]
START = {"slope": 2.5, "scale": 0.4}
STEP = 1e-6


def make(cls, mode, extra=None, **values):
    kept = {name: values[name] for name in values if cls.has(name)}
    return cls(normalize=mode, **kept, **(extra or {}))


def learned(cls, name, mode, size, start, extra=None):
    """With a parameter in float64 that differs between the neurons."""
    surrogate = make(cls, mode, extra, **START)
    surrogate.learn(name, size)
    surrogate.double()
    getattr(surrogate, name).data.copy_(start)
    return surrogate


def start_values(name, size):
    return START[name] * (1 + 0.1 * torch.arange(5, dtype=torch.float64))[: size[0] if size else 1]


@pytest.mark.parametrize(("cls", "name", "mode"), LEARNABLE)
@pytest.mark.parametrize("size", SIZES)
def test_gradient_is_the_finite_difference_of_the_primitive(cls, name, mode, size):
    for extra in ({}, *([OTHER[cls]] if cls in OTHER else [])):
        start = start_values(name, size).reshape(size)
        surrogate = learned(cls, name, mode, size, start, extra)
        steepest = (
            surrogate.slope.detach().max().item() if name == "slope" and size else START["slope"]
        )
        u = torch.linspace(-6, 6, 200, dtype=torch.float64)
        x_BN = (u / steepest).view(-1, 5).requires_grad_()
        weight_BN = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)).double()
        surrogate(x_BN).mul(weight_BN).sum().backward()

        def weighted(value, column, extra=extra, x_BN=x_BN, weight_BN=weight_BN):
            fixed = make(cls, mode, extra, **(START | {name: value}))
            at = x_BN.detach()[:, column] if size else x_BN.detach()
            weight = weight_BN[:, column] if size else weight_BN
            return (fixed.primitive(at) * weight).sum().item()

        expected = [
            (weighted(value + STEP, n) - weighted(value - STEP, n)) / (2 * STEP)
            for n, value in enumerate(start.reshape(-1).tolist())
        ]
        found = getattr(surrogate, name).grad.reshape(-1).tolist()
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)
        torch.testing.assert_close(x_BN.grad, weight_BN * surrogate.derivative(x_BN.detach()))


@pytest.mark.parametrize(("cls", "mode"), [(cls, mode) for cls in SLOPED for mode in modes(cls)])
def test_one_slope_for_each_neuron_is_as_many_surrogates(cls, mode):
    start = start_values("slope", (5,))
    surrogate = learned(cls, "slope", mode, (5,), start)
    x_BN = torch.linspace(-3, 3, 100, dtype=torch.float64).view(20, 5)
    for n, slope in enumerate(start.tolist()):
        one = cls(slope, START["scale"], mode)
        for method in ("derivative", "primitive"):
            column = getattr(surrogate, method)(x_BN)[:, n]
            torch.testing.assert_close(column, getattr(one, method)(x_BN[:, n]))
        for fact in ("peak", "area", "window"):
            value = torch.as_tensor(getattr(surrogate, fact), dtype=torch.float64).expand(5)[n]
            assert value.item() == pytest.approx(getattr(one, fact))


def test_what_a_steeper_dspike_cuts_off():
    """Facts that depend on the slope follow a learned one past their corners."""
    for slope in (0.5, 100.0):
        surrogate = Dspike(slope)
        surrogate.learn("slope")
        assert surrogate.window.item() == pytest.approx(Dspike(slope).window)
    for slope in (0.5, 1.0, 100.0):
        surrogate = PiecewiseLeaky(slope, leak=0.8)
        surrogate.learn("slope")
        assert surrogate.peak.item() == pytest.approx(PiecewiseLeaky(slope, leak=0.8).peak)
        assert surrogate.window.item() == pytest.approx(PiecewiseLeaky(slope, leak=0.8).window)
    for slope in (1.0, 1000.0):
        surrogate = SparseFastSigmoid(slope)
        surrogate.learn("slope")
        assert surrogate.window.item() == pytest.approx(SparseFastSigmoid(slope).window)


@pytest.mark.parametrize(
    ("surrogate", "name"),
    [
        (StraightThrough(), "slope"),
        (LeakySpikeOperator(), "slope"),
        (StochasticSpikeOperator(), "slope"),
        (StochasticSpikeOperator(), "scale"),
        (NoSurrogate(), "slope"),
        (NoSurrogate(), "scale"),
        (Sigmoid(), "normalize"),
        (PiecewiseLeaky(), "leak"),
    ],
)
def test_what_cannot_be_learned_is_refused(surrogate, name):
    with pytest.raises(ValueError, match=rf"^{name}: {type(surrogate).__name__} has none"):
        surrogate.learn(name)
    assert not list(surrogate.parameters())


@pytest.mark.parametrize("name", ["slope", "scale"])
def test_what_is_learned_stays_above_0(name):
    surrogate = Sigmoid(2.0, 0.5)
    surrogate.learn(name, (3,))
    parameter = getattr(surrogate, name)
    parameter.data.copy_(torch.tensor([-1.0, 0.0, 4.0]))
    surrogate.project()
    assert parameter.tolist() == pytest.approx([LEAST, LEAST, 4.0])


def test_a_layer_keeps_the_slope_of_its_surrogate_above_0():
    surrogate = Sigmoid(2.0)
    surrogate.learn("slope")
    surrogate.slope.data.fill_(-3.0)
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=surrogate))
    layer(torch.zeros(2, 1, 3))
    assert layer.surrogate.slope.item() == pytest.approx(LEAST)


@pytest.mark.parametrize("cls", SLOPED)
def test_copies_and_repr_of_a_learned_one(cls):
    surrogate = cls(2.0, 0.5, "peak")
    surrogate.learn("slope", (3,))
    surrogate.learn("scale")
    assert "slope=2 (learned, mean of 3), scale=0.5 (learned)" in repr(surrogate)
    x = torch.linspace(-2, 2, 30).view(10, 3)
    for other in (pickle.loads(pickle.dumps(surrogate)), copy.deepcopy(surrogate)):
        assert set(other.state_dict()) == {"slope", "scale"}
        assert other.slope is not surrogate.slope
        assert torch.equal(other.derivative(x), surrogate.derivative(x))


def current(steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(steps, 3, 4, generator=generator, dtype=torch.float64) + 0.6


def layer_with(surrogate):
    neuron = snntorch.Leaky(0.9, spike_grad=surrogate)
    return SpikingLayer(neuron, detach_reset=False).double()


def loss_of(spk_TBN):
    """Depends on the spikes in a way that is neither linear nor the same for all."""
    weight = torch.linspace(-1, 2, spk_TBN.numel(), dtype=torch.float64).view_as(spk_TBN)
    return (weight * spk_TBN).sin().sum()


@pytest.mark.parametrize(("cls", "mode"), [(cls, mode) for cls in SLOPED for mode in modes(cls)])
@pytest.mark.parametrize("size", [(), (4,)])
def test_slope_of_the_smoothed_network(cls, mode, size):
    """The primitive in the place of the step: the loss has an ordinary gradient, with resets."""

    def run(surrogate):
        layer = layer_with(surrogate)
        layer.fire = lambda x: 0.5 + surrogate.primitive(x)
        return loss_of(layer(current(6)).out)

    start = 1.5 * (1 + 0.1 * torch.arange(4, dtype=torch.float64))[: size[0] if size else 1]
    start = start.reshape(size)
    surrogate = learned(cls, "slope", mode, size, start)
    run(surrogate).backward()
    gradient = surrogate.slope.grad.reshape(-1)

    with torch.no_grad():
        for n in range(start.numel()):
            losses = []
            for sign in (1, -1):
                moved = start.clone()
                moved.view(-1)[n] += sign * STEP
                losses.append(run(learned(cls, "slope", mode, size, moved)).item())
            difference = (losses[0] - losses[1]) / (2 * STEP)
            assert gradient[n].item() == pytest.approx(difference, rel=1e-5, abs=1e-8)
    assert gradient.abs().max() > 1e-4


@pytest.mark.parametrize(("cls", "mode"), [(cls, mode) for cls in SLOPED for mode in modes(cls)])
def test_slope_behind_the_hard_step_of_a_single_step(cls, mode):
    """``dL/dslope = sum dL/dS * d primitive(U - theta)/dslope``, by finite differences."""
    surrogate = learned(cls, "slope", mode, (), torch.tensor(2.5))
    cur_TBN = current(1)
    x = (cur_TBN - 1).flatten()  # from rest the membrane is the current, the threshold is 1
    assert len(away_from_kinks(surrogate, x, 1e-4)) == len(x)
    layer = layer_with(surrogate)
    spk_TBN = layer(cur_TBN).out
    assert spk_TBN.unique().tolist() == [0, 1]
    spk_TBN.retain_grad()
    loss_of(spk_TBN).backward()
    above, below = (cls(2.5 + sign * STEP, START["scale"], mode) for sign in (1, -1))
    change = (above.primitive(x) - below.primitive(x)) / (2 * STEP)
    expected = (spk_TBN.grad.flatten() * change).sum().item()
    assert layer.surrogate.slope.grad.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)
