"""Networks so small that what they do on average is a sum over all their spike patterns."""

from collections.abc import Callable

import torch
from torch import Tensor

from surrolab.diagnostics.enumeration import enumerated_loss
from surrolab.diagnostics.problem import Problem
from surrolab.models import MLPFactory, Surroundings
from surrolab.neurons import LeakyFactory
from surrolab.objectives import Objective, ObjectiveOutput
from surrolab.objectives.steps import ValidSteps
from surrolab.surrogates import Sigmoid

FIRST = "layers.hidden1.synapse.weight"


class MeanOutput(Objective):
    """The readout's membrane, averaged over steps and outputs: what is differentiated is itself."""

    readout = "membrane"
    task = "classification"

    def reduce(self, y_TBC: Tensor, target: Tensor, steps: ValidSteps) -> ObjectiveOutput:
        return ObjectiveOutput(steps.mean(y_TBC).mean(), y_TBC.mean(0).argmax(-1))


def small_network(
    seed: int,
    hidden: list[int],
    steps: int,
    samples: int,
    features: int,
    beta: float = 0.8,
    reset: str = "subtract",
) -> Problem:
    """Leaky neurons with random weights and one readout, whose membranes are near the threshold.

    Thresholds are 1, and the gradient goes through the reset, as that of the smooth network does.
    Weights are drawn from N(0, 2 / F) with ``F`` inputs, biases from N(1/2 (1 - beta), 0.1), the
    input, the same in all steps, from N(0, 1).

    Args:
        seed: of weights and input.
        hidden: neurons of each hidden layer.
        steps, samples, features: ``[T, B, F]`` of the input.
        beta: decay of the membranes per step.
        reset: ``subtract``, ``zero`` or ``none``.
    """
    neuron = LeakyFactory(beta=beta, reset=reset, detach_reset=False)
    around = Surroundings((features,), 1, steps, neuron, Sigmoid(1.0), "auto", "membrane")
    network = MLPFactory(list(hidden)).build(around).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        if name.endswith("weight"):
            parameter.data = noise * (2 / parameter.shape[1]) ** 0.5
        else:
            parameter.data = 0.5 * (1 - beta) + 0.1 * noise
    x_BF = torch.randn(samples, features, generator=generator, dtype=torch.float64)
    return Problem(
        network,
        MeanOutput(),
        x_BF.expand(steps, -1, -1),
        torch.zeros(samples, dtype=torch.int64),
        torch.full((samples,), steps),
        1,
    )


def substituted(noise: Sigmoid, surrogate: Sigmoid) -> Callable[[Tensor], Tensor]:
    """Fires as the smooth step of ``noise``, and backward as that of ``surrogate``."""

    def fire(x: Tensor) -> Tensor:
        ghost = surrogate.smooth_step(x)
        return ghost + (noise.smooth_step(x) - ghost).detach()

    return fire


def smooth_field(
    noise: Sigmoid, surrogate: Sigmoid | None = None
) -> Callable[[Problem], dict[str, Tensor]]:
    """The gradient of the network whose step is ``noise``'s, as a function of its parameters.

    Where a ``surrogate`` is given, backpropagation has its derivative instead of the true one.
    """
    step = noise.smooth_step if surrogate is None else substituted(noise, surrogate)

    def field(problem: Problem) -> dict[str, Tensor]:
        with problem.firing({name: step for name, _ in problem.spiking()}):
            return problem.gradient()

    return field


def hard_field(surrogate: Sigmoid) -> Callable[[Problem], dict[str, Tensor]]:
    """The surrogate gradient of the network that fires where the membrane is above threshold."""

    def field(problem: Problem) -> dict[str, Tensor]:
        # Not the module itself, which torch would make a part of the layer.
        fire = {name: lambda x: surrogate(x) for name, _ in problem.spiking()}
        with problem.firing(fire):
            return problem.gradient()

    return field


def smooth_output(noise: Sigmoid) -> Callable[[Problem], Tensor]:
    """The output of the network whose step is ``noise``'s."""

    def output(problem: Problem) -> Tensor:
        with problem.firing({name: noise.smooth_step for name, _ in problem.spiking()}):
            return problem.loss()

    return output


def expected_output(noise: Sigmoid) -> Callable[[Problem], Tensor]:
    """The mean output under escape noise, by all spike patterns."""
    return lambda problem: enumerated_loss(problem, noise)
