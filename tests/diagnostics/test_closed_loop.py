"""The closed-loop test: fields whose circulation is known, and surrogate gradients."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_problems import flat, tiny

from surrolab.diagnostics import Problem
from surrolab.diagnostics.loop import (
    Circulation,
    Loop,
    Plane,
    circulation,
    closed_loop,
    default_radius,
    plane_of,
    random_plane,
)
from surrolab.diagnostics.references import smoothed_gradient
from surrolab.neurons import LeakyFactory, SynapticFactory
from surrolab.objectives import CEMax, CERate, MSECount
from surrolab.surrogates import ATan, FastSigmoid, NoSurrogate, Sigmoid, StraightThrough, Triangle

WEIGHT = "layers.hidden1.synapse.weight"


def in_plane(first, second):
    """A field on the first two weights alone, and the plane of those; centre and all at 0."""
    problem = tiny((), bias=False)
    (name,) = problem.parameters
    problem.parameters[name].data.zero_()

    def field(at):
        w = at.parameters[name].detach()
        x, y = float(w[0, 0]), float(w[0, 1])
        return {name: torch.tensor([[first(x, y), second(x, y)], [1, 1]], dtype=w.dtype)}

    return problem, field, plane_of(problem, (name, (0, 0)), (name, (0, 1)))


def test_known_circulations():
    turning = in_plane(lambda x, y: -y, lambda x, y: x)
    found = circulation(*turning, radius=0.5)
    assert found.integral == pytest.approx(2 * math.pi * 0.25, rel=1e-12)
    assert found.beyond_error
    assert found.size == pytest.approx(1)
    # The gradient of sin(3 x) exp(y).
    gradient = in_plane(
        lambda x, y: 3 * math.cos(3 * x) * math.exp(y), lambda x, y: math.sin(3 * x) * math.exp(y)
    )
    found = circulation(*gradient, radius=0.5)
    assert abs(found.integral) <= found.error < 1e-9
    assert found.travelled > 1


# The gradient of max(x - .1, 0) + 3 max(x + .4 y - .07, 0).
KINKED = (
    lambda x, y: 1.0 * (x > 0.1) + 3.0 * (x + 0.4 * y > 0.07),
    lambda x, y: 1.2 * (x + 0.4 * y > 0.07),
)


def test_the_error_holds_where_the_field_jumps():
    step = in_plane(lambda x, y: 0.0, lambda x, y: float(x > 0.05))
    chord = 2 * math.sqrt(0.3**2 - 0.05**2)  # Green: the curl sits on the jump
    kinked = in_plane(*KINKED)
    proofs, covered, found = [], [], []
    for seed in range(40):
        proofs.append(circulation(*kinked, radius=0.3, points=16, seed=seed).beyond_error)
        around = circulation(*step, radius=0.3, points=16, seed=seed, confidence=0.95)
        covered.append(abs(around.integral - chord) <= around.error)
        found.append(around.integral)
    assert sum(proofs) <= 1
    # 80 draws at 95 %: 3 standard deviations are 0.073.
    assert np.mean(covered) >= 0.877
    assert np.mean(found) == pytest.approx(chord, abs=4 * np.std(found) / math.sqrt(40))
    assert circulation(*step, radius=0.3).beyond_error


def test_the_difference_to_half_as_many_points_is_no_error_where_the_field_jumps():
    first, second = KINKED
    fooled = 0
    for seed in range(200):
        start, results = np.random.default_rng(seed).uniform(), []
        for points in (16, 32):
            angle = 2 * np.pi * (start + np.arange(points) / points)
            x, y = 0.3 * np.cos(angle), 0.3 * np.sin(angle)
            results.append(np.mean(x * second(x, y) - y * first(x, y)))
        fooled += abs(results[1]) > abs(results[1] - results[0]) + 1e-12
    assert fooled > 20


NETWORKS = {
    "two hidden layers": {},
    "recurrent synaptic": {"recurrent": True, "neuron": SynapticFactory(beta=0.8, alpha=0.6)},
    "reset to zero": {"neuron": LeakyFactory(beta=0.8, reset="zero")},
    "spiking readout": {"objective": CERate()},
    "compact": {"surrogate": Triangle(0.5)},
    "heavy tails": {"surrogate": ATan(2.0)},
}


@pytest.mark.parametrize(
    "network",
    [
        "two hidden layers",
        "recurrent synaptic",
        *(pytest.param(name, marks=pytest.mark.slow) for name in [*NETWORKS][2:]),
    ],
)
def test_the_smoothed_network_is_a_gradient_field_and_the_surrogate_is_not(network):
    problem = tiny(**NETWORKS[network], steps=4, samples=4)
    before = flat(problem.parameters).clone()
    loop = closed_loop(problem, radius=0.5, points=24)
    assert torch.equal(flat(problem.parameters), before)
    assert not loop.control.beyond_error
    assert loop.control.error < 1e-3 * loop.control.travelled
    assert loop.surrogate.beyond_error
    assert loop.verdict == "not a gradient field"
    assert abs(loop.surrogate.size) > 10 * abs(loop.control.size)


def test_a_cut_through_the_reset_alone_makes_it_no_gradient():
    problem = tiny(steps=6, samples=4)
    plane = random_plane(problem)
    whole, cut = (
        circulation(problem, lambda at, cut=cut: smoothed_gradient(at, None, cut), plane, 0.5)
        for cut in (False, True)
    )
    assert not whole.beyond_error
    assert cut.beyond_error


@pytest.mark.parametrize("surrogate", [Sigmoid(2.0), Sigmoid(20.0), FastSigmoid(50.0)])
def test_one_layer_whose_loss_is_a_sum_over_neurons_is_a_gradient_field(surrogate):
    """(1[u > 0] - y) h(u) x is the gradient of a function of u, jumps and all."""
    problem = tiny(
        (), surrogate=surrogate, objective=MSECount(1.0, 0.0), steps=1, samples=8, features=3
    )
    problem.network.layers["readout"].synapse.bias.data -= 0.5
    plane = random_plane(problem, seed=2)
    for seed in range(3):
        found = circulation(problem, Problem.gradient, plane, 1.0, points=24, seed=seed)
        assert not found.beyond_error
        assert found.travelled > found.error
        assert found.error > 1e-4  # something jumps on the way


def test_two_named_weights_in_different_layers():
    problem = tiny((3, 3), surrogate=Sigmoid(25.0), steps=5, samples=4, objective=CEMax(), seed=5)
    problem = replace(problem, x_TBF=2 * problem.x_TBF)  # so that all layers spike
    name = "layers.readout.synapse.weight"
    across = plane_of(problem, (WEIGHT, (0, 1)), (name, (1, 0)))
    assert circulation(problem, Problem.gradient, across, 0.8).beyond_error
    # In the readout alone there are no spikes in between: the gradient is one.
    inside = plane_of(problem, (name, (0, 1)), (name, (1, 0)))
    found = circulation(problem, Problem.gradient, inside, 0.8)
    assert not found.beyond_error
    assert found.travelled > 0.1


def test_no_spike_no_gradient_no_proof():
    loop = closed_loop(tiny(surrogate=NoSurrogate()), plane=None, points=8, shifts=3)
    assert loop.control is None
    assert loop.reason.startswith("noise: ")
    with_noise = closed_loop(
        tiny(surrogate=StraightThrough()), noise=Sigmoid(4.0), points=32, shifts=4
    )
    assert with_noise.control is not None
    zero = Circulation(0.0, 0.0, 0.0)
    assert (zero.size, zero.beyond_error) == (0.0, False)


def test_a_control_that_is_not_zero_takes_the_verdict_back():
    proof, none = Circulation(1.0, 0.1, 2.0), Circulation(0.05, 0.1, 2.0)
    verdicts = {
        (proof, none): "not a gradient field",
        (proof, None): "not a gradient field",
        (none, none): "nothing proved",
        (proof, proof): "quadrature failed",
    }
    for (surrogate, control), verdict in verdicts.items():
        assert Loop(surrogate, control, 1.0, 8, 4, 0.999).verdict == verdict


def test_planes_are_orthonormal_and_move_synaptic_weights():
    problem = tiny(recurrent=True)
    plane = random_plane(problem, seed=4)
    assert plane.first.keys() == plane.second.keys()
    assert all(name.endswith(".weight") for name in plane.first)
    one, other = flat(plane.first), flat(plane.second, plane.first)
    grams = [float(a @ b) for a, b in ((one, one), (other, other), (one, other))]
    assert grams == pytest.approx([1, 1, 0], abs=1e-14)
    assert default_radius(problem, plane, 0.2) == pytest.approx(
        0.2 * flat(problem.parameters, plane.first).norm().item()
    )
    skew = Plane(*random_plane(problem, ["layers.hidden1.synapse.bias"], seed=4).__dict__.values())
    assert skew.first.keys() == {"layers.hidden1.synapse.bias"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 2}, r"^points: 2 is not allowed; allowed: at least 3$"),
        ({"shifts": 1}, r"^shifts: 1 is not allowed; allowed: at least 2$"),
        ({"radius": 0.0}, r"^radius: 0.0 is not allowed; allowed: a number above 0$"),
    ],
)
def test_wrong_loops_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        closed_loop(tiny(), **options)


def test_wrong_planes_are_refused():
    problem = tiny()
    with pytest.raises(ValueError, match=r"^plane: its two directions are the same"):
        plane_of(problem, (WEIGHT, (0, 0)), (WEIGHT, (0, 0)))
    with pytest.raises(ValueError, match=r"^plane: no parameter 'w'"):
        plane_of(problem, ("w", (0, 0)), (WEIGHT, (0, 0)))
