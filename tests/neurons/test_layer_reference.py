"""Every neuron against its published equation, written once more in float64 NumPy."""

import itertools
import math

import numpy as np
import pytest
import snntorch
import torch

from surrolab.neurons import ALIF, AdLIF, Readout, SpikingLayer
from surrolab.surrogates import ATan, FastSigmoid, Sigmoid

# Exact in float32, which is what snnTorch keeps its parameters in.
BETA, ALPHA, THETA = 0.875, 0.9375, 0.75
RHO, STEP, A, B = 0.96875, 0.25, 0.0625, 0.125
ADAPTIVE = ("alif", "adlif", "ralif", "radlif")
NEURONS = ("leaky", "synaptic", "alpha", "lapicque", "rleaky", "rsynaptic", *ADAPTIVE)
RESETS = ("subtract", "zero", "none")
SCALES = ("none", "one_minus_beta")


def make(name, reset, **options):
    common = {"threshold": THETA, "reset_mechanism": reset, "spike_grad": FastSigmoid(5.0)}
    common |= options
    torch.manual_seed(1)
    if name in ADAPTIVE:
        common |= {"linear_features": 4} if name.startswith("r") else {}
        learned = [key for key in common if key.startswith("learn_")]
        for key in learned:
            common.pop(key)
        made = ALIF(BETA, RHO, STEP, **common)
        if name.endswith("adlif"):
            made = AdLIF(BETA, RHO, A, B, **common)
        values = dict(made.named_buffers()) if learned else {}
        for key, value in values.items():
            delattr(made, key)
            made.register_parameter(key, torch.nn.Parameter(value))
        return made
    if name == "leaky":
        return snntorch.Leaky(BETA, **common)
    if name == "synaptic":
        return snntorch.Synaptic(ALPHA, BETA, **common)
    if name == "alpha":
        return snntorch.Alpha(ALPHA, BETA, **common)
    if name == "lapicque":
        return snntorch.Lapicque(BETA, **common)
    if name == "rleaky":
        return snntorch.RLeaky(BETA, linear_features=4, **common)
    return snntorch.RSynaptic(ALPHA, BETA, linear_features=4, **common)


def reference(name, cur, reset, scale, weight=None, bias=None):
    """Membrane and spikes by the published recursions; cur [T, B, N] in float64."""
    gain = 1 - BETA if scale == "one_minus_beta" else 1.0
    cur = gain * cur
    zeros = np.zeros(cur.shape[1:])
    u, syn, exc, inh, s, adapt, bar = zeros, zeros, zeros, zeros, zeros, zeros, THETA
    mems, spks = [], []
    for i in cur:
        if weight is not None:
            i = i + gain * (s @ weight.T + bias)
        keep = 1 - s if reset == "zero" else 1.0
        off = s * bar if reset == "subtract" else 0.0
        if name.endswith("alif"):
            adapt = RHO * adapt + s
            bar = THETA + STEP * adapt
        if name.endswith("adlif"):
            adapt = RHO * adapt + A * u + B * s
            i = i - gain * adapt
        if name in ("leaky", "lapicque", "rleaky", *ADAPTIVE):
            u = BETA * keep * u + i - off
        elif name in ("synaptic", "rsynaptic"):
            syn = ALPHA * syn + i
            u = BETA * keep * u + syn - off
        else:
            tau = math.log(ALPHA) / (math.log(BETA) - math.log(ALPHA)) + 1
            exc = ALPHA * keep * exc + i - off / tau
            inh = BETA * keep * inh - i
            u = tau * (exc + inh)
        s = (u > bar).astype(float)
        mems.append(u)
        spks.append(s)
    return np.stack(mems), np.stack(spks)


def current(seed=0, shape=(40, 3, 4), dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype) * 0.6


@pytest.mark.parametrize(
    ("name", "reset", "scale"), list(itertools.product(NEURONS, RESETS, SCALES))
)
def test_layer_computes_the_published_equation(name, reset, scale):
    layer = SpikingLayer(make(name, reset), input_scale=scale).double()
    cur = current() * (8 if scale == "one_minus_beta" else 1)
    weight = bias = None
    if name.startswith("r"):
        weight = layer.neuron.recurrent.weight.detach().numpy()
        bias = layer.neuron.recurrent.bias.detach().numpy()
    mem, spk = reference(name, cur.numpy(), reset, scale, weight, bias)
    out = layer(cur, record=True)
    assert 0.01 < spk.mean() < 0.99
    np.testing.assert_array_equal(out.out.detach().numpy(), spk)
    np.testing.assert_allclose(out.record.membrane.numpy(), mem, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(out.state.mem.detach().numpy(), out.record.membrane[-1].numpy())


@pytest.mark.parametrize(
    ("name", "reset"),
    [
        ("leaky", "subtract"),
        ("leaky", "zero"),
        ("leaky", "none"),
        ("synaptic", "subtract"),
        ("synaptic", "none"),
        ("alpha", "none"),
        ("rleaky", "subtract"),
        ("rleaky", "none"),
        ("rsynaptic", "subtract"),
        ("rsynaptic", "none"),
    ],
)
def test_equals_snntorch_to_the_bit_where_snntorch_is_right(name, reset):
    layer = SpikingLayer(make(name, reset))
    assert layer.correction is None
    cur = current(dtype=torch.float32).requires_grad_()
    spk = layer(cur).out
    layer.fire = None

    # The corrected path, which is used elsewhere, has to give the same bits.
    own = SpikingLayer(make(name, reset))
    own_cur = cur.detach().clone().requires_grad_()
    from surrolab.neurons import stepwise

    prepared, equation = own.prepare(own_cur)
    own_spk, _ = stepwise._own_steps(own, equation, prepared, equation.start(prepared[0]), None)

    # And snnTorch by itself, stepped by hand.
    plain = make(name, reset)
    plain_cur = cur.detach().clone().requires_grad_()
    states = {"leaky": 1, "synaptic": 2, "alpha": 3, "rleaky": 2, "rsynaptic": 3}[name]
    state = [torch.zeros_like(plain_cur[0]) for _ in range(states)]
    spks = []
    for step in plain_cur:
        out = plain(step, *state)
        state = list(out[len(out) - states :])
        spks.append(out[0])
    plain_spk = torch.stack(spks)

    weights = torch.randn(spk.shape, generator=torch.Generator().manual_seed(3))
    for result in (spk, own_spk, plain_spk):
        (result * weights).sum().backward()
    assert torch.equal(spk, plain_spk)
    assert torch.equal(spk, own_spk)
    largest = plain_cur.grad.abs().max()
    assert (cur.grad - plain_cur.grad).abs().max() <= 1e-6 * largest
    assert (own_cur.grad - plain_cur.grad).abs().max() <= 1e-6 * largest


def test_snntorch_defects_that_are_corrected_are_still_there():
    """If one of these fails, snnTorch was mended, and its own step can be used again."""
    lapicque = snntorch.Lapicque(0.9, reset_mechanism="none")
    _, mem = lapicque(torch.zeros(1, 1), torch.ones(1, 1))
    assert mem.item() == pytest.approx(1 + math.log(0.9))
    synaptic = snntorch.Synaptic(0.9, 0.8, reset_mechanism="zero")
    _, _, mem = synaptic(torch.ones(1, 1), torch.zeros(1, 1), 2 * torch.ones(1, 1))
    assert mem.item() == 0  # the new input is lost
    assert SpikingLayer(synaptic).correction is not None


def test_gradient_through_time_against_a_float64_recursion_with_the_reset_detached():
    """dL/dcur by hand: reverse recursion for Leaky with subtract, reset detached."""
    layer = SpikingLayer(make("leaky", "subtract")).double()
    cur = current().requires_grad_()
    out = layer(cur, record=True)
    weights = torch.randn(out.out.shape, dtype=torch.float64)
    (out.out * weights).sum().backward()
    mem = out.record.membrane.numpy()
    h = 1 / (5.0 * np.abs(mem - float(layer.neuron.threshold)) + 1) ** 2
    carried = np.zeros(mem.shape[1:])
    grads = []
    for t in reversed(range(len(mem))):
        carried = weights.numpy()[t] * h[t] + float(layer.neuron.beta) * carried
        grads.append(carried)
    expected = np.stack(grads[::-1])
    np.testing.assert_allclose(cur.grad.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(out.record.gradient.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("reset", RESETS)
def test_gradcheck_of_the_smoothed_forward(name, reset):
    options = {"spike_grad": Sigmoid(3.0), "learn_threshold": True}
    if name != "lapicque":
        options["learn_beta"] = True
    layer = SpikingLayer(make(name, reset, **options), detach_reset=False).double()
    layer.fire = layer.surrogate.smooth_step
    cur = current(shape=(5, 2, 4)).requires_grad_()
    parameters = [p for p in layer.parameters() if p.requires_grad]

    def run(cur, *_):
        return layer(cur).out

    assert torch.autograd.gradcheck(run, (cur, *parameters))


def test_detach_reset_changes_the_gradient_and_not_the_spikes():
    grads = []
    for detach in (True, False):
        layer = SpikingLayer(make("leaky", "subtract", spike_grad=ATan()), detach_reset=detach)
        cur = current(dtype=torch.float32).requires_grad_()
        spk = layer(cur).out
        spk.sum().backward()
        grads.append((spk.detach(), cur.grad))
    assert torch.equal(grads[0][0], grads[1][0])
    assert not torch.allclose(grads[0][1], grads[1][1])


@pytest.mark.parametrize("name", ["leaky", "synaptic", "alpha", "lapicque"])
def test_readout_is_the_membrane_without_spikes(name):
    readout = Readout(make(name, "none"), input_scale="none").double()
    cur = current()
    mem, _ = reference(name, cur.numpy(), "none", "none")
    np.testing.assert_allclose(readout(cur).out.numpy(), mem, rtol=1e-12)


@pytest.mark.parametrize("engine", ["auto", "native", "torch", "stepwise"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", NEURONS)
def test_dtype_is_kept(name, dtype, engine):
    """Spikes have that of the current; the state of a fused pass is never narrower than float32."""
    layer = SpikingLayer(make(name, "subtract"), engine=engine).to(dtype)
    out = layer(current(dtype=dtype))
    assert out.out.dtype == dtype
    wide = dtype if engine == "stepwise" else torch.promote_types(dtype, torch.float32)
    assert out.state.mem.dtype == wide
    going_on = layer(current(dtype=dtype), out.state)
    assert going_on.out.dtype == dtype
    assert going_on.state.mem.dtype == wide
