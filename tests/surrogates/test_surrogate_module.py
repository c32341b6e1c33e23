"""Surrogates as modules: spikes, parameters, copies, and inside snnTorch's neurons."""

import copy
import inspect
import math
import pickle

import pytest
import snntorch
import torch
from surrogate_catalogue import (
    ALL,
    EXTRA,
    SLOPED,
    WITHOUT_SLOPE,
    customized,
)
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import surrolab.surrogates
from surrolab.surrogates import (
    FastSigmoid,
    LeakySpikeOperator,
    MultiGaussian,
    NoSurrogate,
    PiecewiseLeaky,
    QPseudoSpike,
    Sigmoid,
    SparseFastSigmoid,
    StochasticSpikeOperator,
    StraightThrough,
    Surrogate,
)

NEURONS = {
    "leaky": (lambda grad: snntorch.Leaky(0.9, spike_grad=grad), 1),
    "synaptic": (lambda grad: snntorch.Synaptic(0.8, 0.9, spike_grad=grad), 2),
    "alpha": (lambda grad: snntorch.Alpha(0.95, 0.8, spike_grad=grad), 3),
    "lapicque": (lambda grad: snntorch.Lapicque(0.9, spike_grad=grad), 1),
    "rleaky": (lambda grad: snntorch.RLeaky(0.9, linear_features=6, spike_grad=grad), 2),
    "rsynaptic": (
        lambda grad: snntorch.RSynaptic(0.8, 0.9, linear_features=6, spike_grad=grad),
        3,
    ),
}


def test_every_public_surrogate_is_tested_here():
    public = {getattr(surrolab.surrogates, name) for name in surrolab.surrogates.__all__}
    surrogates = {each for each in public if isinstance(each, type) and issubclass(each, Surrogate)}
    # A formula has no shape of its own, and its own tests.
    assert {cls for cls in surrogates if cls.__name__ != "Formula"} == {*ALL, Surrogate}
    assert sorted(surrolab.surrogates.__all__) == surrolab.surrogates.__all__


@pytest.mark.parametrize("cls", ALL)
def test_every_surrogate_says_where_it_is_from(cls):
    assert len(cls.source) > 10
    assert "h(x) =" in cls.__doc__ or cls is NoSurrogate


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_forward_pass_is_the_hard_step_and_strict_at_the_threshold(cls, dtype):
    tiny = torch.finfo(dtype).smallest_normal
    x = torch.tensor([-1e4, -1.0, -tiny, -0.0, 0.0, tiny, 0.5, 1e4], dtype=dtype)
    spikes = cls()(x)
    assert spikes.dtype == dtype
    assert spikes.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_backward_pass_multiplies_by_the_derivative(cls, dtype):
    surrogate = customized(cls)
    x = torch.linspace(-1, 1, 41, dtype=dtype).view(1, 41, 1).requires_grad_()
    incoming = torch.linspace(-2, 3, 41, dtype=dtype).view(1, 41, 1)
    torch.manual_seed(0)
    surrogate(x).backward(incoming)
    torch.manual_seed(0)
    assert torch.equal(x.grad, incoming * surrogate.derivative(x.detach()))


def test_a_second_derivative_is_refused():
    x = torch.zeros(1, requires_grad=True)
    (gradient,) = torch.autograd.grad((Sigmoid()(x) * x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("cls", SLOPED)
def test_defaults_and_signature(cls):
    names = ["slope", "scale", "normalize", *EXTRA.get(cls, {})]
    assert list(inspect.signature(cls).parameters) == names
    scale = 0.5 if cls is MultiGaussian else 1.0
    assert (cls().slope, cls().scale, cls().normalize) == (SLOPED[cls], scale, "native")
    assert isinstance(cls(), Surrogate)


@pytest.mark.parametrize("cls", WITHOUT_SLOPE)
def test_those_without_a_slope_take_none(cls):
    names = ["scale", "normalize", *EXTRA.get(cls, {})]
    assert list(inspect.signature(cls).parameters) == names
    with pytest.raises(TypeError, match="slope"):
        cls(slope=1.0)


def test_no_surrogate_takes_nothing():
    assert list(inspect.signature(NoSurrogate).parameters) == []


@pytest.mark.parametrize("name", ["slope", "scale"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_parameters_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: {value} is not allowed; allowed: a number"):
        Sigmoid(**{name: value})


@pytest.mark.parametrize(
    ("cls", "name", "values", "allowed"),
    [
        (QPseudoSpike, "tail", [0.5, 1.0, -2.0], "a number above 1"),
        (SparseFastSigmoid, "cutoff", [0.0, -0.2], "a number above 0"),
        (MultiGaussian, "height", [-0.1, 1.0, 3.0], "a number of at least 0 and below 1"),
        (MultiGaussian, "spread", [0.9, -6.0], "a number of at least 1"),
        (PiecewiseLeaky, "leak", [-0.01], "a number of at least 0"),
        (LeakySpikeOperator, "leak", [-0.01], "a number of at least 0"),
        (StochasticSpikeOperator, "mean", [-math.inf], "a finite number"),
        (StochasticSpikeOperator, "variance", [-0.2], "a number of at least 0"),
    ],
)
def test_parameters_of_a_shape_out_of_range(cls, name, values, allowed):
    for value in (*values, math.nan, math.inf):
        with pytest.raises(ValueError) as error:
            cls(**{name: value})
        assert str(error.value) == f"{name}: {value} is not allowed; allowed: {allowed}"


@pytest.mark.parametrize(
    ("cls", "mode", "allowed"),
    [
        (Sigmoid, "width", "native, peak, area"),
        (StraightThrough, "area", "native, peak"),
    ],
)
def test_a_normalization_that_cannot_be_is_refused(cls, mode, allowed):
    message = rf"^normalize: '{mode}' is not allowed for {cls.__name__}; allowed: {allowed}$"
    with pytest.raises(ValueError, match=message):
        cls(normalize=mode)


def test_a_shape_without_a_peak_can_only_be_native():
    class Flat(NoSurrogate):
        def __init__(self, normalize):
            Surrogate.__init__(self, 1.0, 1.0, normalize)

    for mode in ("peak", "area"):
        with pytest.raises(ValueError, match=r"^normalize: .*; allowed: native$"):
            Flat(mode)


@pytest.mark.parametrize("cls", ALL)
def test_repr_pickle_and_deepcopy_give_an_equal_surrogate(cls):
    surrogate = customized(cls)
    x = torch.linspace(-2, 2, 101)
    for other in (
        eval(repr(surrogate), vars(surrolab.surrogates).copy()),
        pickle.loads(pickle.dumps(surrogate)),
        copy.deepcopy(surrogate),
    ):
        assert type(other) is cls
        assert repr(other) == repr(surrogate)
        torch.manual_seed(0)
        expected = surrogate.derivative(x)
        torch.manual_seed(0)
        assert torch.equal(other.derivative(x), expected)


def test_repr_as_documented():
    assert repr(Sigmoid()) == "Sigmoid(slope=25.0, scale=1.0, normalize='native')"
    assert repr(NoSurrogate()) == "NoSurrogate()"
    assert repr(nn.Sequential(StraightThrough())).count("StraightThrough(scale=1.0") == 1


def test_equal_surrogates_stay_two_modules():
    """Compared by value they would be one to `named_modules`."""
    net = nn.ModuleList([Sigmoid(), Sigmoid()])
    assert len(list(net.modules())) == 3


@pytest.mark.parametrize("cls", ALL)
def test_the_derivative_can_be_traced(cls):
    x = torch.linspace(-2, 2, 101)
    surrogate = customized(cls)
    traced = make_fx(lambda x: surrogate.derivative(x))(x)
    other = torch.randn(7, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    expected = surrogate.derivative(other)
    torch.manual_seed(0)
    assert torch.equal(traced(other), expected)


def test_a_changed_slope_takes_effect():
    surrogate = Sigmoid(1.0)
    surrogate.slope = 8.0
    assert surrogate.peak == 2.0
    assert surrogate.derivative(torch.zeros(1)).item() == 2.0


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("name", NEURONS)
def test_in_a_snntorch_neuron(name, cls):
    make, states = NEURONS[name]
    torch.manual_seed(0)
    neuron = make(customized(cls))
    snntorch.SpikingNeuron.instances.remove(neuron)
    assert neuron.spike_grad in list(neuron.modules())
    restored = pickle.loads(pickle.dumps(neuron))
    results = []
    for each in (neuron, restored):
        current = torch.linspace(-30, 30, 18).view(3, 6).requires_grad_()
        state = [torch.zeros(3, 6) for _ in range(states)]
        state = each(current, *state)[-states:]  # Alpha's membrane moves in its second step
        out = each(current, *state)
        spikes, membrane = out[0], out[-1]
        assert torch.equal(spikes, (membrane > 1).float())
        assert spikes.any()
        torch.manual_seed(0)
        (gradient,) = torch.autograd.grad(spikes.sum(), current, retain_graph=True)
        torch.manual_seed(0)
        h = each.spike_grad.derivative(membrane.detach() - 1)
        (expected,) = torch.autograd.grad(membrane, current, h)
        torch.testing.assert_close(gradient, expected)
        results.append((spikes.detach(), gradient))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("neuron", [snntorch.Leaky(0.9, spike_grad=FastSigmoid())])
def test_a_neuron_with_a_surrogate_adds_nothing_to_the_state_dict(neuron):
    assert not any("spike_grad" in key for key in neuron.state_dict())
