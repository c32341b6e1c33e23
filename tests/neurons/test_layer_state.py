"""State, parameters, pickles and what must not leak."""

import copy
import gc
import pickle
import weakref

import pytest
import snntorch
import torch

from surrolab.neurons import (
    ALIF,
    AdLIFFactory,
    ALIFFactory,
    AlphaFactory,
    LapicqueFactory,
    LeakyFactory,
    RAdLIFFactory,
    RALIFFactory,
    Readout,
    RLeakyFactory,
    RSynapticFactory,
    SpikingLayer,
    SynapticFactory,
)
from surrolab.surrogates import FastSigmoid

FACTORIES = (
    LeakyFactory,
    SynapticFactory,
    AlphaFactory,
    LapicqueFactory,
    RLeakyFactory,
    RSynapticFactory,
    ALIFFactory,
    AdLIFFactory,
    RALIFFactory,
    RAdLIFFactory,
)


def layer_of(factory, size=5, **options):
    torch.manual_seed(0)
    return factory(**options).layer((size,), FastSigmoid(5.0), "auto")


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_two_halves_with_state_handed_on_equal_the_whole(factory, reset):
    layer = layer_of(factory, reset=reset)
    cur = torch.randn(20, 3, 5)
    whole = layer(cur)
    first = layer(cur[:9])
    second = layer(cur[9:], first.state)
    assert torch.equal(torch.cat([first.out, second.out]), whole.out)
    for a, b in zip(second.state, whole.state, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("factory", FACTORIES)
def test_no_state_leaks_between_forwards_or_batch_sizes(factory):
    layer = layer_of(factory)
    cur = torch.randn(20, 3, 5)
    first = layer(cur).out
    layer(torch.randn(20, 7, 5))
    assert torch.equal(layer(cur).out, first)


def test_no_neuron_is_kept_alive_by_snntorchs_list():
    layer = layer_of(LeakyFactory)
    layer(torch.randn(4, 2, 5, requires_grad=True)).out.sum().backward()
    assert layer.neuron not in snntorch.SpikingNeuron.instances
    alive = weakref.ref(layer.neuron)
    del layer
    gc.collect()
    assert alive() is None


def test_the_graph_of_a_forward_is_not_kept():
    layer = layer_of(LeakyFactory)
    cur = torch.randn(4, 2, 5, requires_grad=True)
    layer(cur)
    alive = weakref.ref(cur)
    del cur
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("factory", FACTORIES)
def test_checkpoints_load_whatever_the_batch_size_was(factory):
    layer = layer_of(factory, learn_threshold=True, per_neuron=True)
    layer(torch.randn(6, 3, 5))
    state = copy.deepcopy(layer.state_dict())
    other = layer_of(factory, learn_threshold=True, per_neuron=True)
    other(torch.randn(6, 11, 5))
    other.load_state_dict(state)
    assert not any("mem" in name or "syn" in name for name in state)


@pytest.mark.parametrize("factory", FACTORIES)
def test_pickles_and_copies(factory):
    layer = layer_of(factory)
    cur = torch.randn(6, 3, 5)
    out = layer(cur).out
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert torch.equal(other(cur).out, out)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("per_neuron", [False, True])
def test_learned_decay_and_threshold_get_gradients_and_stay_in_range(factory, per_neuron):
    layer = layer_of(factory, learn_beta=True, learn_threshold=True, per_neuron=per_neuron)
    size = (5,) if per_neuron else ()
    assert layer.neuron.beta.shape == size
    assert layer.neuron.threshold.shape == size
    layer(torch.randn(20, 3, 5) + 0.5, record=True).out.sum().backward()
    assert layer.neuron.beta.grad.abs().sum() > 0
    assert layer.neuron.threshold.grad.abs().sum() > 0
    with torch.no_grad():
        layer.neuron.beta.fill_(1.7)
        layer.neuron.threshold.fill_(-3)
    layer.zero_grad()
    layer(torch.randn(20, 3, 5)).out.sum().backward()
    assert (layer.neuron.beta <= 1).all()
    assert (layer.neuron.threshold > 0).all()


@pytest.mark.parametrize("factory", [SynapticFactory, AlphaFactory, RSynapticFactory])
def test_learned_synaptic_decay_gets_a_gradient(factory):
    layer = layer_of(factory, learn_alpha=True)
    layer(torch.randn(20, 3, 5) + 0.5).out.sum().backward()
    assert layer.neuron.alpha.grad.abs() > 0


def test_decay_from_time_constants():
    factory = SynapticFactory(tau=10.0, tau_syn=5.0, dt=2.0)
    assert factory.decay == pytest.approx(0.81873075)
    assert factory.decay_syn == pytest.approx(0.67032005)
    readout = factory.readout("auto", tau=20.0)
    assert float(readout.neuron.beta) == pytest.approx(0.90483742)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: LeakyFactory(beta=0.9, tau=10.0), "beta"),
        (lambda: LeakyFactory(beta=1.2), "beta"),
        (lambda: LeakyFactory(tau=-1.0), "tau"),
        (lambda: LeakyFactory(threshold=0.0), "threshold"),
        (lambda: AlphaFactory(alpha=0.5, beta=0.9), "alpha"),
        (lambda: LapicqueFactory(beta=1.0), "beta"),
        (lambda: SynapticFactory(alpha=0.9, tau_syn=3.0), "alpha"),
        (lambda: SpikingLayer(snntorch.Leaky(0.9), engine="warp"), "engine"),
        (lambda: SpikingLayer(snntorch.Leaky(0.9, init_hidden=True)), "init_hidden"),
        (lambda: SpikingLayer(snntorch.Leaky(0.9, reset_delay=False)), "reset_delay"),
        (lambda: SpikingLayer(snntorch.Leaky(0.9), input_scale="double"), "input_scale"),
        (lambda: Readout(snntorch.Leaky(0.9)), "reset"),
        (lambda: RLeakyFactory().layer((2, 4, 4), FastSigmoid(), "auto"), "neuron"),
        (lambda: AlphaFactory().with_recurrence(), "model"),
        (lambda: LeakyFactory(tau_spread=1.5), "tau_spread"),
        (lambda: ALIFFactory(rho=0.9, tau_adapt=100.0), "rho"),
        (lambda: ALIFFactory(tau_adapt=0.0), "tau_adapt"),
        (lambda: ALIFFactory(threshold_step=-0.1), "threshold_step"),
        (lambda: ALIFFactory(adaptive_share=1.1), "adaptive_share"),
        (lambda: AdLIFFactory(a=4.0), "a"),
        (lambda: AdLIFFactory(a=-0.01), "a"),
        (lambda: ALIF(0.9, 0.99, 0.1, reset_mechanism="none at all"), "reset_mechanism"),
        (lambda: Readout(ALIF(0.9, 0.99, 0.1, reset_mechanism="none")), "neuron"),
        (lambda: RALIFFactory().layer((2, 4, 4), FastSigmoid(), "auto"), "neuron"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make, word):
    with pytest.raises(ValueError, match=f"^{word}: .*allowed"):
        make()


def test_neurons_that_are_not_wrapped_are_refused():
    with pytest.raises(TypeError, match="not supported"):
        SpikingLayer(snntorch.SLSTM(3, 3))
    with pytest.raises(TypeError, match="not a snnTorch neuron"):
        SpikingLayer(torch.nn.ReLU())
