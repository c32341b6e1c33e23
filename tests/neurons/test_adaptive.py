"""What adaptation is, beside what the grid of engines compares."""

import numpy as np
import pytest
import torch
from engine_reference import current, make

from surrolab.neurons import (
    AdLIFFactory,
    ALIFFactory,
    LeakyFactory,
    RALIFFactory,
    RLeakyFactory,
    SpikingLayer,
)
from surrolab.probes import WindowFraction
from surrolab.surrogates import FastSigmoid, Sigmoid

ENGINES = ("stepwise", "torch", "native")


def layer_of(factory, size=6, engine="auto"):
    torch.manual_seed(0)
    return factory.layer((size,), FastSigmoid(5.0), engine)


def test_the_lsnn_as_published():
    """Bellec et al. 2018 in their own terms: b, beta and b0, tau in ms, with their reset."""
    tau, tau_a, beta, b0 = 20.0, 300.0, 1.8, 0.01
    alpha, rho = np.exp(-1 / tau), np.exp(-1 / tau_a)
    cur = current(400, 2, 6, dtype=torch.float64).abs() * 0.02 / 0.05
    v, b, z = np.zeros((2, 6)), np.zeros((2, 6)), np.zeros((2, 6))
    fired = []
    level = b0 + beta * b
    for i in cur.numpy():
        v = alpha * v + (1 - alpha) * i - level * z
        b = rho * b + (1 - rho) * z
        level = b0 + beta * b
        z = (v > level).astype(float)
        fired.append(z)
    factory = ALIFFactory(
        tau=tau,
        tau_adapt=tau_a,
        threshold=b0,
        threshold_step=beta * (1 - rho),
        input_scale="one_minus_beta",
    )
    layer = layer_of(factory).double()
    for name, value in {"beta": alpha, "rho": rho, "threshold_step": beta * (1 - rho)}.items():
        getattr(layer.neuron, name).fill_(value)  # in all digits
    layer.neuron.threshold.fill_(b0)
    spk = layer(cur).out
    assert spk[:50].mean() > 1.5 * spk[-50:].mean() > 0
    np.testing.assert_array_equal(spk.numpy(), np.stack(fired))


def test_adlif_as_published():
    """Bittar & Garner 2022, with the reset left out, which they take off before the decay."""
    alpha, beta, a, b = 0.9375, 0.96875, 0.25, 1.5
    cur = current(60, 2, 6, dtype=torch.float64) * 8
    u, w, s = np.zeros((2, 6)), np.zeros((2, 6)), np.zeros((2, 6))
    potentials = []
    for i in cur.numpy():
        w = beta * w + a * u + b * s
        u = alpha * u + (1 - alpha) * (i - w)
        s = (u > 1).astype(float)
        potentials.append(u)
    factory = AdLIFFactory(
        beta=alpha, rho=beta, a=a, b=b, reset="none", input_scale="one_minus_beta"
    )
    out = layer_of(factory).double()(cur, record=True)
    assert 0.01 < out.out.mean() < 0.9
    np.testing.assert_allclose(out.record.membrane.numpy(), np.stack(potentials), atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_record_has_the_threshold_in_force(engine):
    neuron = make("alif", "subtract", Sigmoid(4.0), per_neuron=True)
    out = SpikingLayer(neuron, engine)(current(), record=True)
    assert 0.02 < out.out.mean() < 0.9
    assert torch.equal(out.out > 0, out.record.membrane > out.record.threshold)
    adapt = torch.zeros_like(out.out[0])
    for t, spk in enumerate(out.out):
        level = neuron.threshold_step * adapt + neuron.threshold
        assert torch.equal(out.record.threshold[t], level.detach())
        adapt = neuron.rho * adapt + spk
    inside = WindowFraction()
    inside.update(out.record.membrane, out.record.threshold, 0.1)
    expected = ((out.record.membrane - out.record.threshold).abs() <= 0.1).double().mean()
    assert inside.compute() == pytest.approx(float(expected))
    static = make("leaky", "subtract", Sigmoid(4.0), per_neuron=True)
    plain = SpikingLayer(static, engine)(current(), record=True)
    assert torch.equal(plain.record.threshold, static.threshold.detach())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("factory", [ALIFFactory, AdLIFFactory])
def test_those_that_do_not_adapt_are_leaky(factory, engine):
    cur = current(30, 3, 6) * 2
    strengths = [name for name in ("threshold_step", "a", "b") if hasattr(factory, name)]
    learned = {f"learn_{name}": True for name in strengths}
    mixed = layer_of(factory(adaptive_share=0.5, per_neuron=True, **learned), engine=engine)
    assert mixed.choice().name == engine
    spk = mixed(cur).out
    leaky = layer_of(LeakyFactory(), engine=engine)(cur).out
    assert torch.equal(spk[..., 3:], leaky[..., 3:])
    assert not torch.equal(spk[..., :3], leaky[..., :3])
    spk.sum().backward()
    for name in strengths:
        gradient = getattr(mixed.neuron, name).grad
        assert gradient[:3].all(), name
        assert not gradient[3:].any(), name


def test_an_lsnn_starts_from_the_weights_of_a_recurrent_leaky_network():
    made = [layer_of(factory()) for factory in (RALIFFactory, RLeakyFactory)]
    weights = [layer.neuron.recurrent.weight for layer in made]
    assert torch.equal(*weights)
    fixed = layer_of(RALIFFactory(learn_recurrent=False))
    assert not any(p.requires_grad for p in fixed.neuron.recurrent.parameters())


def test_a_convolution_adapts_by_channel():
    layer = ALIFFactory(adaptive_share=0.25).layer((4, 3, 2), FastSigmoid(5.0), "auto")
    assert layer.neuron.adapts.flatten().tolist() == [1, 0, 0, 0]
    out = layer(torch.full((9, 2, 4, 3, 2), 0.7), record=True)
    assert (out.record.threshold[-1, :, 0] > 1).all()
    assert (out.record.threshold[:, :, 1:] == 1).all()


def test_what_is_learned_stays_in_range():
    layer = layer_of(ALIFFactory(learn_rho=True, learn_threshold_step=True))
    with torch.no_grad():
        layer.neuron.rho.fill_(1.3)
        layer.neuron.threshold_step.fill_(-0.2)
    layer(current(3, 1, 6))
    assert layer.neuron.rho == 1
    assert layer.neuron.threshold_step == 0


@pytest.mark.parametrize("input_scale", ["none", "one_minus_beta"])
def test_the_impulse_response_is_that_of_a_layer_that_does_not_fire(input_scale):
    factory = AdLIFFactory(a=0.05, b=3.0, threshold=50.0, input_scale=input_scale)
    cur = torch.zeros(60, 1, 6)
    cur[0] = 1
    mem = layer_of(factory)(cur, record=True).record.membrane[:, 0, 0]
    found = factory.impulse_response(60)
    assert (found < 0).any()  # the current swings through
    torch.testing.assert_close(found.float(), mem, rtol=1e-4, atol=1e-6)
    # A readout integrates: it has no adaptation.
    assert torch.equal(
        factory.integrator().impulse_response(60),
        LeakyFactory(input_scale=input_scale).impulse_response(60),
    )


def test_gradient_reaches_a_spike_through_adaptation_though_the_reset_is_detached():
    layer = layer_of(ALIFFactory(reset="none", threshold_step=0.5), size=1)
    cur = torch.tensor([1.2, 0.0, 0.0, 0.0])[:, None, None].requires_grad_()
    out = layer(cur, record=True)
    assert out.out.flatten().tolist() == [1, 0, 0, 0]
    out.out[-1].sum().backward()
    h = layer.surrogate.derivative(out.record.membrane - out.record.threshold).flatten()
    rho, beta, step = (float(getattr(layer.neuron, n)) for n in ("rho", "beta", "threshold_step"))
    # By hand, dS[3]/dI[0]: along the membrane, and through each earlier spike into the threshold.
    d_u = [beta**t for t in range(4)]
    slopes = _spike_slopes(d_u, h, rho, step)
    assert float(cur.grad[0]) == pytest.approx(slopes[3], rel=1e-5)
    assert float(cur.grad[0]) != pytest.approx(float(h[3]) * d_u[3], rel=1e-2)


def _spike_slopes(d_u, h, rho, step):
    """dS[t]/dI[0], forward in time."""
    d_adapt, found = 0.0, []
    for t, slope in enumerate(d_u):
        if t:
            d_adapt = rho * d_adapt + found[-1]
        found.append(float(h[t]) * (slope - step * d_adapt))
    return found
