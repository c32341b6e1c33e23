"""Every engine against the stepping one, and against the equations by hand in float64."""

import itertools

import pytest
import torch
from engine_reference import (
    ADAPTIVE,
    NEURONS,
    RESETS,
    SIZE,
    assert_close,
    current,
    gradient_of_spikes,
    largest_error,
    make,
    reference,
    run,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import surrolab.surrogates as catalogue
from surrolab.neurons import Readout, SpikingLayer
from surrolab.surrogates import (
    ATan,
    FastSigmoid,
    Formula,
    Gaussian,
    Sigmoid,
    StochasticSpikeOperator,
    Triangle,
)

ENGINES = ("torch", "native")
BOUND = {torch.float32: 1e-6, torch.float64: 1e-12}
KINDS = list(itertools.product(NEURONS, RESETS, (True, False)))
OF_THE_CATALOGUE = [name for name in catalogue.__all__ if name != "Surrogate"]
FORMULA = "1/(1+abs(x))**2"


def test_the_catalogue_is_whole():
    assert len(OF_THE_CATALOGUE) == 21


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "reset", "detach"), KINDS)
def test_same_spikes_and_membranes_to_the_bit_and_exact_gradients(name, reset, detach, dtype):
    """Also of learned decays and thresholds, and with a gradient of the final state."""
    neuron = make(name, reset, FastSigmoid(5.0), learn=True).to(dtype)
    cur = current(dtype=dtype, factor=6.0 if name == "lapicque" else 1.0)
    stepped = run(neuron, cur, "stepwise", detach)
    assert 0.02 < stepped.spikes.mean() < 0.98
    for engine in ENGINES:
        found = run(neuron, cur, engine, detach)
        assert torch.equal(found.spikes, stepped.spikes)
        assert torch.equal(found.membrane, stepped.membrane)
        wanted = reference(name, neuron, cur, reset, detach, found.membrane, _own_scale(name))
        assert torch.equal(found.spikes.double(), wanted.spikes)
        # A threshold that adapts is rounded in float32, which the membranes put in do not undo.
        bound = BOUND[dtype] * (3 if name in ADAPTIVE else 1)
        assert_close(found, wanted, bound, long_sums=1e-4 if dtype.itemsize == 4 else 1e-11)


def _own_scale(name):
    return "one_minus_beta" if name == "lapicque" else "none"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("surrogate", OF_THE_CATALOGUE)
def test_every_surrogate(surrogate, engine):
    """The stepping engine calls the surrogate's own derivative."""
    made = getattr(catalogue, surrogate)()
    for detach, reset in ((True, "subtract"), (False, "zero")):
        neuron = make("leaky", reset, made)
        torch.manual_seed(3)
        stepped = run(neuron, current(), "stepwise", detach)
        found = run(neuron, current(), engine, detach)
        assert torch.equal(found.spikes, stepped.spikes)
        if made.has_primitive:  # else it is random, and draws in another order
            assert_close(found, stepped, 1e-6)
        else:
            assert found.gradients["current"].isfinite().all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("name", NEURONS)
def test_learned_parameters_and_states_with_gradients(name, per_neuron, engine):
    """From a given state: its gradient, and those of all that is learned, in float32."""
    for reset, detach in (("subtract", False), ("zero", True), ("zero", False)):
        neuron = make(name, reset, Sigmoid(4.0), learn=True, per_neuron=per_neuron)
        layer = SpikingLayer(neuron, "stepwise")
        state = layer(current(seed=9), record=False).state
        scale = "one_minus_beta"
        cur = current(factor=5.0)
        stepped = run(neuron, cur, "stepwise", detach, scale, state=state)
        found = run(neuron, cur, engine, detach, scale, state=state)
        assert torch.equal(found.spikes, stepped.spikes)
        assert torch.equal(found.membrane, stepped.membrane)
        wanted = reference(name, neuron, cur, reset, detach, found.membrane, scale, state=state)
        assert_close(found, wanted, 3e-6 if name in ("alpha", *ADAPTIVE) else 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["slope", "scale"])
@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("kind", [Sigmoid, Triangle, ATan, Formula])
def test_learned_slope_and_scale(kind, per_neuron, how, engine):
    surrogate = kind(slope=3.0)
    surrogate.learn(how, (SIZE,) if per_neuron else ())
    for detach in (True, False):
        neuron = make("leaky", "subtract", surrogate)
        stepped = run(neuron, current(), "stepwise", detach)
        found = run(neuron, current(), engine, detach)
        name = f"spike_grad.{how}"
        assert largest_error(found.gradients[name], stepped.gradients[name]) <= 1e-4
        assert_close(found, stepped, 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "reset"), list(itertools.product(NEURONS, RESETS)))
def test_gradcheck_of_the_smoothed_forward(name, reset, engine):
    """Finite differences, in float64, of all that is learned: slope and initial state included."""
    surrogate = Sigmoid(3.0)
    surrogate.learn("slope")
    neuron = make(name, reset, surrogate, learn=True, per_neuron=True, size=3).double()
    layer = SpikingLayer(neuron, engine, detach_reset=False)
    layer.fire = surrogate.smooth_step
    cur = current(4, 2, 3, dtype=torch.float64, factor=4.0 if name == "lapicque" else 1.0)
    state = layer(cur).state
    inputs = [cur, *state, *(p for p in layer.parameters() if p.requires_grad)]
    inputs = [value.detach().requires_grad_() for value in inputs[: 1 + len(state)]]

    def smooth(cur, *state, parameters=None):
        out = layer(cur, type(layer_state)(*state[: len(layer_state)]))
        return (out.out, *out.state)

    layer_state = state
    assert layer.choice(torch.float64).name == engine
    learned = [p for p in layer.parameters() if p.requires_grad]
    assert torch.autograd.gradcheck(smooth, (*inputs, *learned))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [Gaussian, ATan, Triangle])
def test_smoothed_spikes_are_those_of_the_stepping_engine(kind, engine):
    neuron = make("synaptic", "subtract", kind(slope=2.0)).double()
    cur = current(dtype=torch.float64)
    stepped = run(neuron, cur, "stepwise", detach=True, smooth=True)
    found = run(neuron, cur, engine, detach=True, smooth=True)
    assert largest_error(found.spikes, stepped.spikes) < 1e-13
    assert_close(found, stepped, 1e-11)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["leaky", "synaptic", "alpha", "lapicque"])
def test_readouts(name, engine):
    neuron = make(name, "none", Sigmoid(), learn=True, per_neuron=True)
    for scale in ("none", "one_minus_beta"):
        state = Readout(neuron, "stepwise", scale)(current(seed=4)).state
        for start in (None, state):
            stepped = run(neuron, current(), "stepwise", scale=scale, spiking=False, state=start)
            found = run(neuron, current(), engine, scale=scale, spiking=False, state=start)
            assert torch.equal(found.membrane, stepped.membrane)
            assert torch.equal(found.spikes, stepped.spikes)
            wanted = reference(
                name, neuron, current(), "none", True, found.membrane, scale, False, start
            )
            assert_close(found, wanted, 2e-6 if name == "alpha" else 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_bfloat16_keeps_the_state_in_float32(engine):
    neuron = make("leaky", "subtract", Sigmoid(5.0))
    cur = current(dtype=torch.bfloat16)
    found = run(neuron, cur, engine)
    wide = run(neuron, cur.float(), "stepwise")
    assert found.spikes.dtype == torch.bfloat16
    assert found.membrane.dtype == torch.float32
    assert torch.equal(found.membrane, wide.membrane)
    assert torch.equal(found.spikes.float(), wide.spikes)
    # Each given gradient and each result is rounded to 8 bits.
    assert largest_error(found.gradients["current"], wide.gradients["current"]) < 2**-7


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reset", RESETS)
def test_a_current_that_is_the_same_in_all_steps(reset, engine):
    neuron = make("synaptic", reset, Sigmoid(5.0))
    layer = SpikingLayer(neuron, engine, detach_reset=False)
    once = (current(1) * 2).requires_grad_()
    spread = once.detach().clone().requires_grad_()
    out = layer(once, steps=20).out
    wanted = SpikingLayer(neuron, "stepwise", detach_reset=False)(spread.expand(20, -1, -1)).out
    same = layer(spread.detach().expand(20, -1, -1)).out
    assert torch.equal(out, wanted)
    assert torch.equal(out, same)
    for result in (out, wanted):
        (result * torch.arange(20.0)[:, None, None]).sum().backward()
    assert largest_error(once.grad, spread.grad) <= 1e-6


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(NEURONS),
    reset=st.sampled_from(RESETS),
    steps=st.integers(1, 40),
    batch=st.integers(1, 9),
    size=st.integers(1, 130),
    beta=st.floats(0.01, 1.0),
    threshold=st.floats(0.05, 3.0),
    slope=st.floats(0.2, 60.0),
    seed=st.integers(0, 1000),
    engine=st.sampled_from(ENGINES),
)
def test_any_shape_and_parameters(
    name, reset, steps, batch, size, beta, threshold, slope, seed, engine
):
    surrogate = Formula(FORMULA, slope=slope)
    neuron = make(name, reset, surrogate, size=size)
    if name != "alpha":  # whose two decays have to keep apart
        neuron.beta.data.fill_(beta)
    neuron.threshold.data.fill_(threshold)
    cur = current(steps, batch, size, seed)
    stepped = run(neuron, cur, "stepwise")
    found = run(neuron, cur, engine)
    assert torch.equal(found.spikes, stepped.spikes)
    assert torch.equal(found.membrane, stepped.membrane)
    wanted = reference(name, neuron, cur, reset, True, found.membrane, _own_scale(name))
    for part in ("current", "membrane"):
        truth = wanted.gradients[part]
        # Where terms cancel, float32 is that far off by itself.
        own = largest_error(stepped.gradients[part], truth)
        assert largest_error(found.gradients[part], truth) <= max(1e-6, 1.5 * own)


@pytest.mark.parametrize("shape", [(5, 2, 3, 4, 6), (4, 3, 1), (1, 1, 1), (3, 0, 5), (2, 5, 0)])
@pytest.mark.parametrize("engine", ENGINES)
def test_images_single_values_and_nothing(shape, engine):
    per_channel = shape[2] if len(shape) > 3 else 1
    neuron = make("leaky", "zero", Sigmoid(), learn=True)
    if per_channel > 1:
        with torch.no_grad():
            neuron.beta = torch.nn.Parameter(torch.linspace(0.5, 0.9, per_channel)[:, None, None])
    cur = torch.randn(shape)
    grads = []
    for name in ("stepwise", engine):
        x = cur.clone().requires_grad_()
        neuron.zero_grad()
        out = SpikingLayer(neuron, name)(x).out
        out.sum().backward()
        grads.append((out.detach(), x.grad, neuron.beta.grad))
    assert torch.equal(grads[0][0], grads[1][0])
    assert torch.allclose(grads[0][1], grads[1][1], rtol=1e-5, atol=1e-7)
    assert torch.allclose(grads[0][2], grads[1][2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_native_numbers_do_not_depend_on_the_threads(threads):
    neuron = make("leaky", "subtract", Sigmoid(), learn=True, size=1031)
    cur = current(37, 5, 1031)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        wanted = run(neuron, cur, "native")
        torch.set_num_threads(threads)
        found = run(neuron, cur, "native")
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found.spikes, wanted.spikes)
    for name, gradient in wanted.gradients.items():
        assert torch.equal(found.gradients[name], gradient), name


def test_non_contiguous_currents_and_gradients():
    neuron = make("leaky", "subtract", Sigmoid())
    weights = gradient_of_spikes((SIZE, 6, 10)).float()
    found = []
    for engine in ("stepwise", "native"):
        x = current(6, 10, SIZE).requires_grad_()
        out = SpikingLayer(neuron, engine)(x.transpose(0, 1)).out
        (out.transpose(0, 2) * weights).sum().backward()
        found.append((out.detach(), x.grad))
    (wanted, gradient), (out, own) = found
    assert torch.equal(out, wanted)
    assert largest_error(own, gradient) < 1e-6


def test_random_surrogates_are_called():
    """They have no expression; what they draw reaches the gradient."""
    neuron = make("leaky", "none", StochasticSpikeOperator())
    grads = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        grads.append(run(neuron, current(), "native").gradients["current"])
    assert torch.equal(grads[0], grads[1])
    assert not torch.equal(grads[0], grads[2])


@pytest.mark.parametrize("name", ["rsynaptic", "ralif", "adlif"])
def test_pieces_of_a_sequence_hand_on_their_gradient(name):
    """The initial state's gradient is the final state's of the piece before."""
    neuron = make(name, "zero", Sigmoid(4.0), learn=True, per_neuron=True)
    layer = SpikingLayer(neuron, "native", detach_reset=False)
    results = []
    for cuts in ((0, 23), (0, 9, 10, 23)):
        neuron.zero_grad()
        cur = current().requires_grad_()
        state, spikes = None, []
        for first, end in itertools.pairwise(cuts):
            out = layer(cur[first:end], state)
            state = out.state
            spikes.append(out.out)
        whole = torch.cat(spikes)
        (whole * torch.linspace(-1, 1, 23)[:, None, None]).sum().backward()
        grads = [p.grad.clone() for p in neuron.parameters()]
        results.append((whole.detach(), cur.grad, *grads))
    assert torch.equal(results[0][0], results[1][0])
    for one, other in zip(results[0][1:], results[1][1:], strict=True):
        assert largest_error(one, other) < 3e-6
