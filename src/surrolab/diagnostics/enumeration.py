"""Tiny networks: the expected loss over all spike patterns, and finite differences."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from surrolab.diagnostics.problem import Problem
from surrolab.diagnostics.references import Noise, escape_noise, smooth_steps
from surrolab.surrogates import Surrogate

MOST_PATTERNS = 2**16
MOST_PARAMETERS = 1000


def enumerated_loss(problem: Problem, noise: Noise = None) -> Tensor:
    """The expected loss of the escape-noise network, by a sum over all its spike patterns.

    ``mean_b sum_s P_b(s) l_b(s)``, where ``s`` runs over the spikes of all neurons in all steps;
    autograd differentiates it.

    Args:
        problem: network, loss and probe batch.
        noise: whose ``smooth_step``; each layer's own surrogate unless given.

    Raises:
        ValueError: a surrogate is no escape noise, or there are more than 2^16 patterns.
    """
    steps = escape_noise(problem, noise)
    return _enumerated(problem, {name: (step, None) for name, step in steps.items()})


def enumerated_surrogate_gradient(
    problem: Problem, surrogate: Noise = None, noise: Noise = None
) -> dict[str, Tensor]:
    """The surrogate gradient averaged over all spike patterns of the escape-noise network.

    What backpropagation finds in a network that fires at random, with the derivative of the
    surrogate's ``smooth_step`` in the place of the step's, as it would be after infinitely many
    draws: ``mean_b sum_s P_b(s) g_b(s)`` (the surrogate gradient of a stochastic network, Gygax &
    Zenke 2025, doi:10.1162/neco_a_01752). The probabilities have no gradient.

    Args:
        problem: network, loss and probe batch.
        surrogate: whose ``smooth_step`` is differentiated; each layer's own unless given.
        noise: whose ``smooth_step`` is the probability of a spike; the same.

    Returns:
        By parameter name, zero where nothing arrives.

    Raises:
        ValueError: see :func:`enumerated_loss`; a surrogate without a smooth step.
    """
    steps, passing = escape_noise(problem, noise), smooth_steps(problem, surrogate)
    value = _enumerated(problem, {name: (step, passing[name]) for name, step in steps.items()})
    parameters = problem.parameters
    found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(p) if grad is None else grad
        for (name, p), grad in zip(parameters.items(), found, strict=True)
    }


def _enumerated(problem: Problem, steps: dict[str, tuple[Surrogate, Surrogate | None]]) -> Tensor:
    """Mean loss over all patterns; by layer, the noise and what passes the gradient on."""
    length, samples = problem.x_TBF.shape[:2]
    sizes = {
        name: math.prod(layer.shape)
        for name, layer in problem.network.named_layers()
        if name in steps
    }
    bits = length * sum(sizes.values())
    if 2**bits > MOST_PATTERNS:
        raise ValueError(
            f"problem: 2^{bits} spike patterns; allowed: at most 2^16 (steps times neurons at "
            "most 16)"
        )
    patterns = torch.arange(2**bits, device=problem.x_TBF.device)
    digits = (patterns[:, None] >> torch.arange(bits, device=patterns.device)) & 1
    # Repeated samples stand together pattern by pattern.
    pattern_TSB = digits.repeat_interleave(samples, 0).T.to(problem.x_TBF.dtype)
    given = iter(torch.split(pattern_TSB, [length * size for size in sizes.values()]))
    fire = {
        name: _Given(*pair, next(given).view(length, sizes[name], -1))
        for name, pair in steps.items()
    }
    repeated = problem.repeated(len(patterns))
    with repeated.firing(fire):
        value = repeated.sample_losses()
    for one in fire.values():
        value = value * one.probability
    expected: Tensor = value.sum() / samples
    return expected


class _Given:
    """Fires as it is told, and multiplies the probabilities of that, per sample.

    The gradient goes through the probabilities, or, where there is a ``surrogate``, through it.
    """

    def __init__(self, noise: Surrogate, surrogate: Surrogate | None, spk_TNB: Tensor) -> None:
        self.noise = noise
        self.surrogate = surrogate
        self.spk = iter(spk_TNB.movedim(-1, 1))
        self.probability: Tensor | float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        spk: Tensor = next(self.spk).reshape(x.shape)
        p = self.noise.smooth_step(x if self.surrogate is None else x.detach())
        # A product and not a sum of logarithms: an impossible pattern has probability 0.
        self.probability = self.probability * torch.where(spk > 0, p, 1 - p).flatten(1).prod(1)
        if self.surrogate is None:
            return spk
        ghost = self.surrogate.smooth_step(x)
        return spk + (ghost - ghost.detach())


def finite_differences(
    problem: Problem,
    names: Iterable[str],
    expected_loss: Callable[[Problem], Tensor] = enumerated_loss,
    eps: float = 1e-5,
) -> dict[str, Tensor]:
    """Central differences of a loss by single parameters; twice as many losses as elements.

    Args:
        problem: network, loss and probe batch.
        names: of the parameters.
        expected_loss: a smooth function of the parameters.
        eps: the step to either side.

    Raises:
        ValueError: more than 1000 elements.
    """
    parameters = {name: problem.parameters[name] for name in names}
    count = sum(p.numel() for p in parameters.values())
    if count > MOST_PARAMETERS:
        raise ValueError(f"names: {count} elements; allowed: at most {MOST_PARAMETERS}")
    found = {}
    for name, parameter in parameters.items():
        values = torch.zeros_like(parameter)
        flat = parameter.data.view(-1)
        for i in range(parameter.numel()):
            before = flat[i].item()
            sides = []
            try:
                for side in (eps, -eps):
                    flat[i] = before + side
                    with torch.no_grad():
                        sides.append(expected_loss(problem).item())
            finally:
                flat[i] = before
            values.view(-1)[i] = (sides[0] - sides[1]) / (2 * eps)
        found[name] = values.detach()
    return found
