"""Initial weights against their stated distributions, and against membranes that are simulated."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from surrolab.models import ConvFactory, Layer, MLPFactory, RecurrentFactory, Surroundings
from surrolab.models.initialization import INITS, fluctuation_driven_std, initialize
from surrolab.neurons import (
    AdLIFFactory,
    ALIFFactory,
    AlphaFactory,
    LapicqueFactory,
    LeakyFactory,
    NeuronFactory,
    SynapticFactory,
)
from surrolab.surrogates import FastSigmoid

NEURON = LeakyFactory()
# Synapse, its number of inputs, and of outputs (for a convolution: times the kernel's positions).
SYNAPSES: list[tuple[Callable[[], nn.Linear | nn.Conv2d], int, int]] = [
    (lambda: nn.Linear(200, 120), 200, 120),
    (lambda: nn.Conv2d(10, 40, 5), 10 * 25, 40 * 25),
]


def draw(make: Callable[[], nn.Linear | nn.Conv2d], name: str, gain: float = 1.0) -> nn.Module:
    torch.manual_seed(7)
    synapse = make()
    initialize(synapse, name, gain, NEURON, 0.05, 1.5, 1000)
    return synapse


def weight_of(synapse: nn.Module) -> Tensor:
    weight = synapse.get_parameter("weight")
    return weight.detach().double().flatten()


def spread_within_error(weight: Tensor, std: float, excess: float) -> None:
    """``excess``: fourth moment over the square of the variance; 5 standard errors are allowed."""
    n = len(weight)
    assert abs(float(weight.mean())) < 5 * std / math.sqrt(n)
    assert abs(float(weight.square().mean()) / std**2 - 1) < 5 * math.sqrt((excess - 1) / n)


@pytest.mark.parametrize(("make", "inputs", "outputs"), SYNAPSES)
@pytest.mark.parametrize("name", ["default", "uniform_fan_in", "kaiming_uniform", "xavier_uniform"])
def test_uniform_weights(
    make: Callable[[], nn.Linear | nn.Conv2d], inputs: int, outputs: int, name: str
) -> None:
    bound = {
        "default": math.sqrt(1 / inputs),
        "uniform_fan_in": math.sqrt(1 / inputs),
        "kaiming_uniform": math.sqrt(3 / inputs),
        "xavier_uniform": math.sqrt(6 / (inputs + outputs)),
    }[name]
    weight = weight_of(draw(make, name))
    assert float(weight.abs().max()) <= bound * (1 + 1e-6)
    assert float(weight.max()) > 0.99 * bound
    assert float(weight.min()) < -0.99 * bound
    spread_within_error(weight, bound / math.sqrt(3), 9 / 5)


@pytest.mark.parametrize(("make", "inputs", "outputs"), SYNAPSES)
@pytest.mark.parametrize("name", ["kaiming_normal", "xavier_normal", "fluctuation_driven"])
def test_normal_weights(
    make: Callable[[], nn.Linear | nn.Conv2d], inputs: int, outputs: int, name: str
) -> None:
    # beta = 0.9: one input spike leaves sum 0.81^k = 1/0.19 of squared membrane potential.
    std = {
        "kaiming_normal": math.sqrt(1 / inputs),
        "xavier_normal": math.sqrt(2 / (inputs + outputs)),
        "fluctuation_driven": math.sqrt(0.19 / (inputs * 0.05)) / 1.5,
    }[name]
    weight = weight_of(draw(make, name))
    spread_within_error(weight, std, 3)
    within = float((weight.abs() < std).double().mean())
    assert abs(within - math.erf(1 / math.sqrt(2))) < 5 * math.sqrt(0.22 / len(weight))


@pytest.mark.parametrize(("make", "inputs", "outputs"), SYNAPSES)
def test_orthogonal_rows(
    make: Callable[[], nn.Linear | nn.Conv2d], inputs: int, outputs: int
) -> None:
    rows = draw(make, "orthogonal").get_parameter("weight").detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", INITS)
@pytest.mark.parametrize("make", [make for make, _, _ in SYNAPSES])
def test_the_gain_multiplies_the_weights_and_no_bias(
    make: Callable[[], nn.Linear | nn.Conv2d], name: str
) -> None:
    one, other = draw(make, name), draw(make, name, gain=2.5)
    torch.testing.assert_close(weight_of(other), 2.5 * weight_of(one))
    bias = one.get_parameter("bias")
    assert torch.equal(other.get_parameter("bias"), bias)
    assert bool((bias == 0).all()) is (name == "fluctuation_driven")


@pytest.mark.parametrize("name", INITS)
def test_synapses_without_bias(name: str) -> None:
    synapse = draw(lambda: nn.Linear(4, 3, bias=False), name)
    assert isinstance(synapse, nn.Linear)
    assert synapse.bias is None


def test_models_initialise_every_synapse_with_their_options() -> None:
    shape = (2, 8, 8)
    around = Surroundings(shape, 10, 200, NEURON, FastSigmoid(5.0), "auto", "membrane")
    options = {"init": "fluctuation_driven", "init_gain": 2.0, "init_rate": 0.1, "init_xi": 3.0}
    torch.manual_seed(0)
    networks = [
        RecurrentFactory([100], **options).build(around),  # type: ignore[arg-type]
        ConvFactory([50], channels=[16, 32], **options).build(around),  # type: ignore[arg-type]
    ]
    synapses = [m for n in networks for m in n.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(synapses) == 3 + 4
    # With recurrence, nine tenths of the variance come from the layer before.
    for synapse, share in zip(synapses, [0.9, 0.1, 1, 1, 1, 1, 1], strict=True):
        weight = synapse.weight.detach().double()
        std = 2 / 3 * math.sqrt(share * 0.19 / (weight[0].numel() * 0.1))
        spread_within_error(weight.flatten(), std, 3)


def response_energy(neuron: NeuronFactory) -> float:
    """Sum over all steps of the squared membrane potential after one input spike, closed form.

    Geometric series of each kernel: ``b^k``; ``(a^(k+1) - b^(k+1)) / (a - b)``; and the alpha
    neuron's ``tau (a^k - b^k)``.
    """
    b = neuron.decay
    gain = 1 - b if neuron.input_scale == "one_minus_beta" else 1.0
    if isinstance(neuron, AdLIFFactory):
        # The diagonal of the solution of P = M P M' + B B', (U, w) being driven by B in a step.
        drives = neuron.decay_adapt
        step = np.array([[b - gain * neuron.a, -gain * drives], [neuron.a, drives]])
        drive = np.array([gain, 0.0])
        squared = np.eye(4) - np.kron(step, step)
        return float(np.linalg.solve(squared, np.kron(drive, drive))[0])
    if not isinstance(neuron, SynapticFactory):
        return gain**2 / (1 - b * b)
    a = neuron.decay_syn
    if isinstance(neuron, AlphaFactory):
        tau = math.log(a) / (math.log(b) - math.log(a)) + 1
        sums = 1 / (1 - a * a) + 1 / (1 - b * b) - 2 / (1 - a * b)
        return float((gain * tau) ** 2 * sums)
    sums = a * a / (1 - a * a) + b * b / (1 - b * b) - 2 * a * b / (1 - a * b)
    return float((gain / (a - b)) ** 2 * sums)


NEURONS = [
    pytest.param(LeakyFactory, {"beta": 0.9}, id="leaky"),
    pytest.param(LeakyFactory, {"tau": 4.0, "dt": 0.5, "threshold": 0.6}, id="leaky tau"),
    pytest.param(SynapticFactory, {"alpha": 0.7, "beta": 0.85, "threshold": 2.0}, id="synaptic"),
    pytest.param(AlphaFactory, {"alpha": 0.9, "beta": 0.75}, id="alpha"),
    pytest.param(LapicqueFactory, {"beta": 0.9}, id="lapicque"),
    pytest.param(ALIFFactory, {"beta": 0.9}, id="alif"),
    pytest.param(AdLIFFactory, {"beta": 0.9, "rho": 0.95, "a": 0.03, "b": 0.0}, id="adlif"),
]


@pytest.mark.parametrize("input_scale", ["none", "one_minus_beta"])
@pytest.mark.parametrize(("neuron", "options"), NEURONS)
def test_the_standard_deviation_is_the_published_formula(
    neuron: type[NeuronFactory], options: dict[str, float], input_scale: str
) -> None:
    made = neuron(**options, input_scale=input_scale)  # type: ignore[arg-type]
    variance = (made.threshold / 2.5) ** 2 / (70 * 0.03 * response_energy(made))
    assert fluctuation_driven_std(made, 70, 0.03, 2.5, 1000) == pytest.approx(math.sqrt(variance))


@pytest.mark.parametrize(("input_scale", "xi"), [("none", 0.8), ("one_minus_beta", 3.0)])
@pytest.mark.parametrize(("neuron", "options"), NEURONS)
def test_membranes_fluctuate_by_threshold_over_xi(
    neuron: type[NeuronFactory], options: dict[str, float], input_scale: str, xi: float
) -> None:
    """Rossbroich, Gygax & Zenke 2022 (doi:10.1088/2634-4386/ac97bb), by simulation."""
    inputs, neurons, rate, steps, settle = 400, 150, 0.02, 500, 80
    made = neuron(**options, input_scale=input_scale, reset="none")  # type: ignore[arg-type]
    factory = MLPFactory([neurons], init="fluctuation_driven", init_rate=rate, init_xi=xi)
    torch.manual_seed(11)
    network = factory.build(
        Surroundings((inputs,), 2, steps, made, FastSigmoid(5.0), "auto", "membrane")
    )
    x_TBF = (torch.rand(settle + steps, 1, inputs) < rate).float()
    hidden = network.layers["hidden1"]
    assert isinstance(hidden, Layer)
    with torch.no_grad():
        record = hidden(x_TBF, record=True).record
    mem_TN = record.membrane[settle:, 0]
    measured = float(mem_TN.var(0).mean().sqrt())
    # Bernoulli inputs vary by rate (1 - rate), Poisson inputs by rate.
    expected = made.threshold / xi * math.sqrt(1 - rate)
    assert measured == pytest.approx(expected, rel=0.04)
    # Around rest: the mean over all neurons is zero to its own error, which is that of the
    # weights: each neuron's mean input is rate times the sum of its weights.
    std = fluctuation_driven_std(made, inputs, rate, xi, steps)
    response = float(made.impulse_response(1000).sum())
    error = rate * math.sqrt(inputs / neurons) * std * response
    assert abs(float(mem_TN.mean())) < 5 * error
