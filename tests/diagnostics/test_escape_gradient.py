"""References (b) and (c): the expected loss, by enumeration and by Monte Carlo."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_problems import flat, tiny

from surrolab.diagnostics.enumeration import enumerated_loss, finite_differences
from surrolab.diagnostics.escape_noise import expected_gradient
from surrolab.diagnostics.references import smoothed_gradient
from surrolab.neurons import AdLIFFactory, ALIFFactory, AlphaFactory, LeakyFactory, SynapticFactory
from surrolab.objectives import (
    CELast,
    CELatency,
    CEMax,
    CEMean,
    CERate,
    CEStep,
    MSECount,
    MSEStep,
)
from surrolab.surrogates import ATan, Boxcar, FastSigmoid, MultiGaussian, Sigmoid, Triangle

LEARNED = LeakyFactory(beta=0.8, learn_beta=True, learn_threshold=True)
NETWORKS = {
    "two hidden layers": {},
    "reset to zero": {"neuron": LeakyFactory(beta=0.8, reset="zero")},
    "recurrent synaptic": {"recurrent": True, "neuron": SynapticFactory(beta=0.8, alpha=0.6)},
    "alpha": {"hidden": (2,), "neuron": AlphaFactory(beta=0.6, alpha=0.8), "steps": 5},
    "adaptive threshold": {"neuron": ALIFFactory(beta=0.8, rho=0.9, threshold_step=0.5)},
    "adaptation current": {"recurrent": True, "neuron": AdLIFFactory(beta=0.8, a=0.1, b=0.4)},
    "spiking readout": {"hidden": (2,), "objective": CERate()},
    "first spike": {"hidden": (2,), "objective": CELatency()},
    "maximum": {"objective": CEMax()},
    "learned": {"neuron": LEARNED},
    "padded": {"objective": CELast(), "lengths": [1, 3]},
    "heavy tails": {"surrogate": FastSigmoid(3.0)},
    "compact": {"surrogate": Triangle(0.8), "hidden": (3,)},
}


def enumerated_gradient(problem, noise=None):
    parameters = problem.parameters
    found = torch.autograd.grad(
        enumerated_loss(problem, noise), list(parameters.values()), allow_unused=True
    )
    zeros = (torch.zeros_like(p) for p in parameters.values())
    return {
        name: zero if g is None else g
        for name, g, zero in zip(parameters, found, zeros, strict=True)
    }


def enumerated_by_hand(problem, k, reset):
    """The expected loss of one hidden leaky layer, in NumPy, spike by spike; CEMean or MSECount."""
    w = {name.removeprefix("layers."): p.detach().numpy() for name, p in problem.parameters.items()}
    x_TBF, target = problem.x_TBF.numpy(), problem.target.numpy()
    beta, total = float(np.float32(0.8)), 0.0
    spiking = "readout" in dict(problem.spiking())
    neurons, classes = len(w["hidden1.synapse.bias"]), len(w["readout.synapse.bias"])
    width = neurons + classes * spiking
    for b in range(x_TBF.shape[1]):
        for bits in itertools.product((0, 1), repeat=len(x_TBF) * width):
            chance, ys = 1.0, []
            u = s = np.zeros(neurons)
            v = r = np.zeros(classes)
            for t, x in enumerate(x_TBF[:, b]):
                drawn = np.array(bits[t * width : (t + 1) * width])
                i = w["hidden1.synapse.weight"] @ x + w["hidden1.synapse.bias"]
                u = beta * (u if reset == "subtract" else (1 - s) * u) + i
                u = u - s if reset == "subtract" else u
                s = drawn[:neurons]
                p = 1 / (1 + np.exp(-k * (u - 1)))
                chance *= np.prod(np.where(s > 0, p, 1 - p))
                v = beta * (v if reset == "subtract" or not spiking else (1 - r) * v)
                v = v + w["readout.synapse.weight"] @ s + w["readout.synapse.bias"]
                if spiking:
                    v = v - r if reset == "subtract" else v
                    r = drawn[neurons:]
                    p = 1 / (1 + np.exp(-k * (v - 1)))
                    chance *= np.prod(np.where(r > 0, p, 1 - p))
                ys.append(r if spiking else v)
            y = np.mean(ys, 0)
            if spiking:
                wanted = np.where(np.arange(classes) == target[b], 0.8, 0.05)
                loss = np.mean((y - wanted) ** 2)
            else:
                loss = np.log(np.exp(y).sum()) - y[target[b]]
            total += chance * loss
    return total / x_TBF.shape[1]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(("objective", "steps"), [(CEMean(), 4), (MSECount(), 2)])
def test_enumerated_loss_equals_an_enumeration_by_hand(reset, objective, steps):
    problem = tiny((2,), LeakyFactory(beta=0.8, reset=reset), objective=objective, steps=steps)
    expected = enumerated_by_hand(problem, 3.0, reset)
    assert enumerated_loss(problem).item() == pytest.approx(expected, rel=1e-12)
    with torch.no_grad():  # the hard network is another one
        assert abs(problem.loss().item() - expected) > 1e-3 * expected


@pytest.mark.parametrize("network", ["recurrent synaptic", "spiking readout", "learned", "compact"])
def test_finite_differences_equal_autograd_of_the_enumerated_loss(network):
    options = NETWORKS[network] | {"steps": 2}
    problem = tiny(**options)
    before = flat(problem.parameters).clone()
    differences = finite_differences(problem, problem.parameters)
    assert torch.equal(flat(problem.parameters), before)
    exact = enumerated_gradient(problem)
    assert flat(exact).norm() > 1e-2
    torch.testing.assert_close(flat(differences), flat(exact), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("control_variate", [True, False])
def test_monte_carlo_agrees_with_enumeration_within_its_interval(network, control_variate):
    problem = tiny(**NETWORKS[network])
    exact = flat(enumerated_gradient(problem))
    found = expected_gradient(
        problem, draws=8192, groups=16, seed=1, control_variate=control_variate
    )
    error = flat(found.standard_error)
    # Twenty-two cases of some twenty elements each: the interval of all of them together.
    ends = found.interval(1 - 1e-4)
    low, high = (flat({name: pair[end] for name, pair in ends.items()}) for end in (0, 1))
    assert ((low <= exact) & (exact <= high)).all()
    # And that says something: the interval is narrow, and a near miss lies outside.
    assert error.norm() < (0.1 if control_variate else 0.25) * exact.norm()
    if network == "two hidden layers":
        wrong = flat(smoothed_gradient(problem, detach_reset=False))
        assert ((flat(found.mean) - wrong).abs() > 10 * error).any()


def test_the_intervals_cover_what_they_say():
    problem = tiny(neuron=LEARNED)
    exact = flat(enumerated_gradient(problem))
    smoothed = flat(smoothed_gradient(problem, detach_reset=False))
    covered, wrongly = [], []
    for seed in range(40):
        found = expected_gradient(problem, draws=1024, groups=8, seed=seed)
        ends = found.interval(0.95)
        low, high = (flat({name: pair[end] for name, pair in ends.items()}) for end in (0, 1))
        covered.append(((low <= exact) & (exact <= high)).double().mean().item())
        wrongly.append(((low <= smoothed) & (smoothed <= high)).double().mean().item())
    # The mean over 40 seeds scatters by 0.012, as the elements of one are not independent.
    assert 0.95 - 0.036 < np.mean(covered) < 0.95 + 0.036
    assert np.mean(wrongly) < 0.7


def test_the_control_variate_takes_variance_away():
    problem = tiny((3, 3), steps=8, samples=4, surrogate=Sigmoid(2.0))
    plain, better = (
        flat(expected_gradient(problem, draws=2048, control_variate=on).standard_error).norm()
        for on in (False, True)
    )
    assert better < 0.7 * plain


def test_draws_depend_on_the_seed_alone():
    problem = tiny()
    one, same, other = (
        expected_gradient(problem, draws=32, groups=4, seed=seed) for seed in (3, 3, 4)
    )
    assert torch.equal(flat(one.groups), flat(same.groups))
    assert not torch.equal(flat(one.mean), flat(other.mean))
    assert all(layer.fire is None for _, layer in problem.spiking())
    torch.testing.assert_close(flat(one.mean), flat({n: g.mean(0) for n, g in one.groups.items()}))


@pytest.mark.parametrize("surrogate", [Sigmoid(500.0), Boxcar(20.0), ATan(300.0)])
def test_probabilities_of_0_and_1_are_no_trouble(surrogate):
    found = expected_gradient(tiny(surrogate=surrogate), draws=64, groups=4)
    assert flat(found.groups).isfinite().all()


def test_a_network_without_spikes_has_an_exact_gradient():
    problem = tiny(())
    found = expected_gradient(problem, draws=8, groups=4)
    torch.testing.assert_close(flat(found.mean), flat(problem.gradient()), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(enumerated_loss(problem), problem.loss())


@pytest.mark.parametrize("surrogate", [Sigmoid(3.0), FastSigmoid(2.0), Triangle(0.5)])
def test_surrogate_gradient_of_single_neurons_points_along_the_expected_one(surrogate):
    """Gygax & Zenke 2025, doi:10.1162/neco_a_01752: single neurons, escape noise matched.

    Of silent neurons that should spike, the loss (s - 1)^2 is 1 - s, and its derivative -2 at the
    hard s = 0: the surrogate gradient is the expected one times twice the surrogate's area.
    """
    problem = tiny(
        (),
        surrogate=surrogate,
        objective=MSECount(1.0, 0.0),
        steps=1,
        samples=6,
        features=4,
        classes=1,
    )
    problem.network.layers["readout"].synapse.bias.data -= 1.7
    with torch.no_grad():
        assert not problem.run().y.any()
    exact = flat(enumerated_gradient(problem))
    assert (exact[:4].abs() > 1e-3).all()
    area = float(surrogate.area)
    torch.testing.assert_close(flat(problem.gradient()), 2 * area * exact, rtol=1e-12, atol=1e-15)
    found = expected_gradient(problem, draws=4096, seed=1)
    error = flat(found.standard_error)
    assert ((flat(found.mean) - exact).abs() <= 5.2 * error).all()
    assert error.norm() < 0.05 * exact.norm()


OBJECTIVES = [
    (CEMax(), None, None),
    (CELast(), None, [2, 4, 3, 4]),
    (CERate(), None, [2, 4, 3, 4]),
    (CELatency(), None, [1, 4, 4, 2]),
    (MSECount(), None, [2, 4, 3, 4]),
    (CEStep(), "steps", [2, 4, 3, 4]),
    (CEStep(), None, None),
    (MSEStep(), None, [2, 4, 3, 4]),
    (MSEStep(), "values", None),
    (MSEStep(), "values in steps", [2, 4, 3, 4]),
]


@pytest.mark.parametrize(("objective", "target", "lengths"), OBJECTIVES)
def test_sample_losses_are_those_of_each_sample_alone(objective, target, lengths):
    problem = tiny(objective=objective, steps=4, samples=4, classes=3, lengths=lengths)
    generator = torch.Generator().manual_seed(5)
    if target == "steps":
        target = torch.randint(3, (4, 4), generator=generator)
        alone = [target[:, b : b + 1] for b in range(4)]
    elif target is None:
        target = problem.target
        alone = [target[b : b + 1] for b in range(4)]
    elif target == "values":
        target = torch.randn(4, 3, generator=generator, dtype=torch.float64)
        alone = [target[b : b + 1] for b in range(4)]
    else:
        target = torch.randn(4, 4, 3, generator=generator, dtype=torch.float64)
        alone = [target[:, b : b + 1] for b in range(4)]
    problem = replace(problem, x_TBF=3 * problem.x_TBF, target=target)
    expected = [
        replace(
            problem,
            x_TBF=problem.x_TBF[:, b : b + 1],
            target=alone[b],
            lengths_B=problem.lengths_B[b : b + 1],
        ).loss()
        for b in range(4)
    ]
    losses = problem.sample_losses()
    assert losses.shape == (4,)
    assert losses.std() > 0
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(losses.mean(), problem.loss(), rtol=1e-12, atol=1e-15)
    twice = problem.repeated(2).sample_losses()
    torch.testing.assert_close(twice, losses.repeat(2), rtol=1e-12, atol=1e-15)


def test_a_constant_input_stays_one_when_repeated():
    problem = tiny()
    constant = replace(problem, x_TBF=problem.x_TBF[:1].expand(3, -1, -1))
    repeated = constant.repeated(5)
    assert repeated.x_TBF.stride(0) == 0
    torch.testing.assert_close(repeated.x_TBF[2], problem.x_TBF[0].repeat(5, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 1}, "groups: 1 is not allowed; allowed: at least 2"),
        ({"draws": 100}, "draws: 100 is not allowed; allowed: a multiple of groups, 16, at least"),
        ({"draws": 16}, "draws: 16 is not allowed; allowed: a multiple of groups, 16, at least 32"),
        ({"noise": MultiGaussian()}, "noise: MultiGaussian (hidden1) is negative somewhere"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        expected_gradient(tiny(), **options)


def test_what_is_too_large_to_enumerate_is_refused():
    with pytest.raises(ValueError, match=r"^problem: 2\^20 spike patterns; allowed: at most 2\^16"):
        enumerated_loss(tiny(steps=5))
    problem = tiny((), features=524)
    with pytest.raises(ValueError, match=r"^names: 1050 elements; allowed: at most 1000"):
        finite_differences(problem, problem.parameters)
