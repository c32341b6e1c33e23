"""Reference (a): the gradient of the smoothed network, against gradcheck and a NumPy recursion."""

import itertools

import numpy as np
import pytest
import torch
from tiny_problems import flat, tiny
from torch.func import functional_call

from surrolab.diagnostics.enumeration import finite_differences
from surrolab.diagnostics.references import (
    REFERENCE_SLOPE,
    escape_noise,
    reference_noise,
    smooth_steps,
    smoothed_gradient,
    weight_names,
)
from surrolab.neurons import AlphaFactory, LeakyFactory, SynapticFactory
from surrolab.objectives import CELast, CEMean, CERate, MSECount
from surrolab.surrogates import (
    ATan,
    FastSigmoid,
    MultiGaussian,
    NoSurrogate,
    Sigmoid,
    StochasticSpikeOperator,
    StraightThrough,
)

NETWORKS = {
    "two hidden layers": {},
    "reset to zero": {"neuron": LeakyFactory(beta=0.8, reset="zero")},
    "no reset": {"neuron": LeakyFactory(beta=0.8, reset="none")},
    "synaptic": {"neuron": SynapticFactory(beta=0.8, alpha=0.6)},
    "alpha": {"neuron": AlphaFactory(beta=0.6, alpha=0.8), "steps": 5},
    "recurrent": {"recurrent": True},
    "recurrent synaptic": {"recurrent": True, "neuron": SynapticFactory(beta=0.8, alpha=0.6)},
    "spiking readout": {"objective": CERate()},
    "learned": {"neuron": LeakyFactory(beta=0.8, learn_beta=True, learn_threshold=True)},
    "padded": {"objective": CELast(), "lengths": [2, 3]},
}
OTHERS = (FastSigmoid(3.0), ATan(2.0), MultiGaussian())


@pytest.mark.parametrize(
    ("network", "surrogate"),
    [
        *((network, Sigmoid(4.0)) for network in NETWORKS),
        *itertools.product(("two hidden layers", "recurrent synaptic"), OTHERS),
    ],
    ids=str,
)
def test_passes_gradcheck_without_a_detached_reset(network, surrogate):
    problem = tiny(surrogate=surrogate, **NETWORKS[network])
    names = list(problem.parameters)

    def loss(*values):
        y_TBC = functional_call(
            problem.network, dict(zip(names, values, strict=True)), (problem.x_TBF,)
        ).y
        return problem.objective(y_TBC, problem.target, problem.lengths_B, {}).loss

    steps = {name: step.smooth_step for name, step in smooth_steps(problem).items()}
    values = tuple(p.detach().clone().requires_grad_() for p in problem.parameters.values())
    with problem.firing(steps, detach_reset=False):
        assert torch.autograd.gradcheck(loss, values)
        found = torch.autograd.grad(loss(*values), values)
    # And what is handed out is that gradient.
    gradient = smoothed_gradient(problem, detach_reset=False)
    for name, expected in zip(names, found, strict=True):
        torch.testing.assert_close(gradient[name], expected, rtol=1e-12, atol=1e-15)
        assert expected.any()


@pytest.mark.parametrize("network", ["recurrent synaptic", "learned"])
def test_equals_finite_differences_for_the_fixed_noise(network):
    problem = tiny(surrogate=FastSigmoid(9.0), **NETWORKS[network])
    noise = reference_noise(problem)

    def loss(at):
        with at.firing({name: step.smooth_step for name, step in noise.items()}):
            return at.loss()

    gradient = smoothed_gradient(problem, noise, detach_reset=False)
    for name, expected in finite_differences(problem, problem.parameters, loss).items():
        torch.testing.assert_close(gradient[name], expected, rtol=1e-6, atol=1e-9)


def logistic(k, x):
    s = 1 / (1 + np.exp(-k * x))
    return s, k * s * (1 - s)


def fast(k, x):
    return 0.5 + 0.5 * k * x / (1 + k * np.abs(x)), 0.5 * k / (1 + k * np.abs(x)) ** 2


def forward_sensitivities(problem, step, k, reset, beta, alpha, detach):
    """The loss's gradient by all weights and biases, carried forward in time beside the state.

    Every quantity is a pair: values [B, N] and their derivatives [B, N, P]. A detached reset is one
    whose signal has no derivative; its threshold and the membrane that it acts on keep theirs.
    """
    weights = {name: p.detach().numpy() for name, p in problem.parameters.items()}
    sizes = [w.size for w in weights.values()]
    starts = dict(zip(weights, np.cumsum([0, *sizes[:-1]]), strict=True))
    total = sum(sizes)

    def linear(pre, x, dx):
        w, b = weights[pre + ".weight"], weights[pre + ".bias"]
        dy = np.einsum("nf,bfp->bnp", w, dx)
        for n in range(len(b)):
            first = starts[pre + ".weight"] + n * w.shape[1]
            dy[:, n, first : first + w.shape[1]] += x
            dy[:, n, starts[pre + ".bias"] + n] += 1
        return x @ w.T + b, dy

    x_TBF = problem.x_TBF.numpy()
    samples = x_TBF.shape[1]
    x = [(value, np.zeros((*value.shape, total))) for value in x_TBF]
    for layer in problem.network.layers:
        shape = (samples, len(weights[f"layers.{layer}.synapse.bias"]))
        u = syn = s = np.zeros(shape)
        du = dsyn = ds = np.zeros((*shape, total))
        outputs = []
        for value, derivative in x:
            i, di = linear(f"layers.{layer}.synapse", value, derivative)
            if f"layers.{layer}.neurons.neuron.recurrent.weight" in weights:
                back, dback = linear(f"layers.{layer}.neurons.neuron.recurrent", s, ds)
                i, di = i + back, di + dback
            if alpha is not None:
                syn, dsyn = alpha * syn + i, alpha * dsyn + di
                i, di = syn, dsyn
            dr = 0 * ds if detach else ds
            if layer == "readout":
                u, du = beta * u + i, beta * du + di
                outputs.append((u, du))
                continue
            if reset == "zero":
                kept = (1 - s)[..., None] * du - dr * u[..., None]
                u, du = beta * (1 - s) * u + i, beta * kept + di
            else:
                u, du = beta * u + i - s, beta * du + di - dr
            s, slope = step(k, u - 1)
            ds = slope[..., None] * du
            outputs.append((s, ds))
        x = outputs
    y = np.mean([value for value, _ in x], 0)
    dy = np.mean([derivative for _, derivative in x], 0)
    softmax = np.exp(y) / np.exp(y).sum(1, keepdims=True)
    softmax[np.arange(samples), problem.target.numpy()] -= 1
    return np.einsum("bc,bcp->p", softmax, dy) / samples


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("alpha", [None, 0.6])
def test_equals_an_independent_recursion(detach, reset, recurrent, alpha):
    options = {"beta": 0.8, "reset": reset, "detach_reset": detach}
    neuron = LeakyFactory(**options) if alpha is None else SynapticFactory(**options, alpha=alpha)
    beta = float(np.float32(0.8))
    for surrogate, step in ((Sigmoid(4.0), logistic), (FastSigmoid(3.0), fast)):
        problem = tiny((3, 2), neuron, surrogate, recurrent=recurrent, steps=6)
        expected, other = (
            forward_sensitivities(
                problem, step, surrogate.slope, reset, beta, alpha and float(np.float32(alpha)), cut
            )
            for cut in (detach, not detach)
        )
        # The network's own setting, and asking for it.
        own = flat(smoothed_gradient(problem)).numpy()
        np.testing.assert_allclose(own, expected, rtol=1e-10, atol=1e-14)
        asked = flat(smoothed_gradient(problem, detach_reset=not detach)).numpy()
        np.testing.assert_allclose(asked, other, rtol=1e-10, atol=1e-14)
        assert np.abs(other - expected).max() > 1e-3 * np.abs(expected).max()


def test_the_problem_is_left_as_it_was():
    problem = tiny(neuron=LeakyFactory(detach_reset=True))
    before = flat(problem.gradient())
    smoothed_gradient(problem, detach_reset=False)
    assert all(layer.fire is None and layer.detach_reset for _, layer in problem.spiking())
    assert torch.equal(flat(problem.gradient()), before)


def test_the_fixed_noise_follows_the_threshold_and_no_surrogate():
    one, other = (
        reference_noise(tiny(neuron=LeakyFactory(threshold=0.5), surrogate=surrogate))
        for surrogate in (Sigmoid(1.0), FastSigmoid(100.0))
    )
    assert one.keys() == {"hidden1", "hidden2"}
    assert repr(one["hidden1"]) == repr(other["hidden2"]) == repr(Sigmoid(REFERENCE_SLOPE / 0.5))


@pytest.mark.parametrize("surrogate", [StraightThrough(), NoSurrogate(), StochasticSpikeOperator()])
def test_what_has_no_smooth_step_is_refused(surrogate):
    problem = tiny(surrogate=surrogate)
    with pytest.raises(ValueError, match=r"^noise: .*\(hidden1\).*; allowed: [^\n]*$"):
        smoothed_gradient(problem)
    smoothed_gradient(problem, Sigmoid(4.0))
    with pytest.raises(ValueError, match=r"^noise: none for hidden2; allowed: "):
        smoothed_gradient(problem, {"hidden1": Sigmoid(4.0)})
    with pytest.raises(ValueError, match=r"^noise: what fires in hidden1 has no smooth step"):
        smoothed_gradient(tiny(surrogate=torch.nn.Sigmoid()))


def test_what_is_no_probability_is_refused_as_escape_noise():
    problem = tiny(surrogate=MultiGaussian())
    assert smooth_steps(problem).keys() == {"hidden1", "hidden2"}
    with pytest.raises(ValueError, match=r"^noise: MultiGaussian \(hidden1\) is negative"):
        escape_noise(problem)


def test_synaptic_weights_by_name():
    names = weight_names(tiny(recurrent=True, objective=MSECount()).parameters)
    assert names == [
        "layers.hidden1.synapse.weight",
        "layers.hidden1.neurons.neuron.recurrent.weight",
        "layers.hidden2.synapse.weight",
        "layers.hidden2.neurons.neuron.recurrent.weight",
        "layers.readout.synapse.weight",
    ]
    assert weight_names(tiny(objective=CEMean()).parameters)[0] == "layers.hidden1.synapse.weight"
