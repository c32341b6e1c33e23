"""The published recursions once more, in float64, with the membranes of an engine put in.

Gradients are those of float64 arithmetic at the membranes that the engine had: what is compared is
the engine's backward pass, and not how far single precision has carried its membranes away.
"""

import math
from dataclasses import dataclass

import snntorch
import torch
from torch import Tensor

from surrolab.neurons import ALIF, AdLIF, Readout, SpikingLayer

ADAPTIVE = ("alif", "adlif", "ralif", "radlif")
NEURONS = ("leaky", "synaptic", "alpha", "lapicque", "rleaky", "rsynaptic", *ADAPTIVE)
RESETS = ("subtract", "zero", "none")
BETA, ALPHA, THETA = 0.875, 0.9375, 0.75  # exact in float32
RHO, STEP, A, B = 0.96875, 0.25, 0.0625, 0.125
SIZE = 7


def make(name, reset, surrogate, learn=False, per_neuron=False, size=SIZE):
    """A snnTorch neuron; its decays and threshold are parameters where they are to be learned."""
    torch.manual_seed(1)
    common = {"reset_mechanism": reset, "spike_grad": surrogate}
    fed = {"linear_features": size} if name.startswith("r") else {}
    neuron = {
        "leaky": lambda: snntorch.Leaky(BETA, **common),
        "synaptic": lambda: snntorch.Synaptic(ALPHA, BETA, **common),
        "alpha": lambda: snntorch.Alpha(ALPHA, BETA, **common),
        "lapicque": lambda: snntorch.Lapicque(BETA, **common),
        "rleaky": lambda: snntorch.RLeaky(BETA, linear_features=size, **common),
        "rsynaptic": lambda: snntorch.RSynaptic(ALPHA, BETA, linear_features=size, **common),
        "alif": lambda: ALIF(BETA, RHO, STEP, **fed, **common),
        "adlif": lambda: AdLIF(BETA, RHO, A, B, **fed, **common),
    }[name.removeprefix("r") if name in ADAPTIVE else name]()
    values = {"beta": BETA, "threshold": THETA, "alpha": ALPHA}
    values |= {"rho": RHO, "threshold_step": STEP, "a": A, "b": B}
    for parameter, value in values.items():
        if not hasattr(neuron, parameter):
            continue
        delattr(neuron, parameter)
        spread = torch.linspace(0.98, 1.02, size) if per_neuron else torch.ones(())
        neuron.register_parameter(
            parameter, torch.nn.Parameter(value * spread, requires_grad=learn)
        )
    return neuron


def current(steps=23, batch=3, size=SIZE, seed=0, dtype=torch.float32, factor=1.0):
    generator = torch.Generator().manual_seed(seed)
    cur = torch.randn(steps, batch, size, generator=generator, dtype=torch.float64)
    return ((0.4 + cur) * 0.5 * factor).to(dtype)


@dataclass
class Result:
    """What a pass gave: spikes, membranes, and gradients by name."""

    spikes: Tensor
    membrane: Tensor
    gradients: dict[str, Tensor]


def gradient_of_spikes(shape, seed=5):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(neuron, cur, engine, detach=True, scale=None, spiking=True, state=None, smooth=False):
    """A layer on a current, with a gradient given for spikes and for the final state."""
    if spiking:
        layer = SpikingLayer(neuron, engine, detach, scale)
    else:
        layer = Readout(neuron, engine, scale)
    assert layer.choice(cur.dtype).name == engine
    if smooth:
        layer.fire = layer.surrogate.smooth_step
    neuron.zero_grad()
    cur = cur.detach().clone().requires_grad_()
    given = None
    if state is not None:
        given = type(state)(*(s.detach().clone().requires_grad_() for s in state))
    out = layer(cur, given, record=True)
    loss = (out.out * gradient_of_spikes(cur.shape).to(cur.dtype)).sum()
    for i, final in enumerate(out.state):
        weight = gradient_of_spikes(final.shape, seed=20 + i)
        if final.requires_grad:
            loss = loss + (final * weight.to(final.dtype)).sum()
    loss.backward()
    gradients = {"current": cur.grad, "membrane": out.record.gradient}
    gradients |= {n: p.grad for n, p in neuron.named_parameters() if p.requires_grad}
    if given is not None:
        names = given._fields
        gradients |= {f"state.{n}": s.grad for n, s in zip(names, given, strict=True)}
    kept = {name: g.clone() for name, g in gradients.items() if g is not None}
    return Result(out.out.detach(), out.record.membrane.clone(), kept)


class _HardStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h):
        ctx.save_for_backward(h)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        return gradient * h, None


def reference(name, neuron, cur, reset, detach, membrane, scale="none", spiking=True, state=None):
    """The same by hand, in float64, at the membranes given (``[T, B, N]``)."""
    leaves = {n: p.detach().double().requires_grad_() for n, p in neuron.named_parameters()}
    cur = cur.detach().double().requires_grad_()
    beta, theta = leaves["beta"], leaves["threshold"]
    alpha = leaves.get("alpha")
    gain = 1 - beta if scale == "one_minus_beta" else 1.0
    zeros = torch.zeros(cur.shape[1:], dtype=torch.float64)
    start = {}
    if state is not None:
        start = {n: s.detach().double().requires_grad_() for n, s in state._asdict().items()}
    u, syn, fed_back = (start.get(n, zeros) for n in ("mem", "syn", "spk"))
    exc, inh = start.get("syn_exc", zeros), start.get("syn_inh", zeros)
    adapt = start.get("adapt", zeros)

    def fire(u, bar):
        x = u - bar
        h = neuron.spike_grad.derivative(x.detach())
        return _HardStep.apply(x, h.to(torch.float64))

    bar = theta + leaves["threshold_step"] * adapt if name.endswith("alif") else theta
    s = fire(u, bar) if state is not None and spiking else zeros
    mems, spks = [], []
    for t, i in enumerate(cur):
        r = s.detach() if detach else s
        keep = 1 - r if reset == "zero" else 1.0
        off = r * bar if reset == "subtract" else 0.0
        if name.endswith("adlif"):
            adapt = leaves["rho"] * adapt + leaves["a"] * u + leaves["b"] * s
            i = i - adapt
        i = gain * i
        if name.startswith("r"):
            feedback = fed_back @ leaves["recurrent.weight"].T + leaves["recurrent.bias"]
            i = i + gain * feedback
        if name.endswith("alif"):
            adapt = leaves["rho"] * adapt + s
            bar = theta + leaves["threshold_step"] * adapt
        if name in ("leaky", "lapicque", "rleaky", *ADAPTIVE):
            u = beta * keep * u + i - off
        elif name in ("synaptic", "rsynaptic"):
            syn = alpha * syn + i
            u = beta * keep * u + syn - off
        else:
            tau = alpha.log() / (beta.log() - alpha.log()) + 1
            exc = alpha * keep * exc + i - off / tau
            inh = beta * keep * inh - i
            u = tau * (exc + inh)
        u = u + (membrane[t].double() - u).detach()
        u.retain_grad()
        mems.append(u)
        if spiking:
            s = fed_back = fire(u, bar)
            spks.append(s)
    out = torch.stack(spks if spiking else mems)
    loss = (out * gradient_of_spikes(cur.shape)).sum()
    final = {"leaky": (u,), "lapicque": (u,), "synaptic": (syn, u), "alpha": (exc, inh, u)}
    final |= {"rleaky": (s, u), "rsynaptic": (s, syn, u)}
    final |= dict.fromkeys(("alif", "adlif"), (adapt, u))
    final |= dict.fromkeys(("ralif", "radlif"), (s, adapt, u))
    for i, value in enumerate(final[name]):
        loss = loss + (value * gradient_of_spikes(value.shape, seed=20 + i)).sum()
    loss.backward()
    grads = [torch.zeros_like(m) if m.grad is None else m.grad for m in mems]
    gradients = {"current": cur.grad, "membrane": torch.stack(grads)}
    gradients |= {n: leaf.grad for n, leaf in leaves.items()}
    gradients |= {f"state.{n}": leaf.grad for n, leaf in start.items()}
    found = {n: g for n, g in gradients.items() if g is not None}
    return Result(out.detach(), torch.stack(mems).detach(), found)


def largest_error(one, other):
    """Largest absolute difference over the largest absolute value."""
    scale = float(other.abs().max())
    error = float((one.double() - other.double()).abs().max())
    return error / scale if scale else error


def assert_close(found, wanted, bound, long_sums=1e-4):
    """Gradients within a bound; those of parameters, which are long sums, within another."""
    assert "current" in found.gradients
    for name, gradient in found.gradients.items():
        if name not in wanted.gradients:
            assert not gradient.any(), name
            continue
        shared = name != "current" and not name.startswith(("membrane", "state."))
        error = largest_error(gradient, wanted.gradients[name])
        assert error <= (long_sums if shared else bound), (name, error)
        assert not math.isnan(error), name
