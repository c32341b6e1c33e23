"""What smooths a network for a reference gradient, and the gradient of the smoothed network."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from torch import Tensor

from surrolab.diagnostics.problem import Problem
from surrolab.surrogates import Sigmoid, Surrogate

Noise: TypeAlias = Surrogate | Mapping[str, Surrogate] | None
"""One smooth step for all layers, one by layer, or None: each layer's own surrogate ("matched")."""

REFERENCE_SLOPE = 4.0
"""Slope of the fixed reference, in units of one over the threshold.

Logistic noise of this slope rises by ``1/theta`` per unit of membrane at the threshold: it carries
the step over one threshold, the natural unit of a membrane between rest and firing. Its standard
deviation is ``pi / (sqrt(3) 4) = 0.45`` thresholds, and a neuron at rest fires in 1.8 % of the
steps. Much narrower, and every Monte Carlo estimate drowns in its own variance and every smoothed
gradient vanishes like the hard one; much wider, and the reference is another network.
"""

WEIGHTS = ("synapse.weight", "recurrent.weight")
"""How the names of synaptic weights end."""


def weight_names(names: Iterable[str]) -> list[str]:
    """Those of the parameters' names that are synaptic weights."""
    return [name for name in names if name.endswith(WEIGHTS)]


def reference_noise(problem: Problem, slope: float = REFERENCE_SLOPE) -> dict[str, Surrogate]:
    """Logistic noise of a width that no surrogate moves: ``slope / theta``, layer by layer.

    ``theta`` is the layer's present threshold, the mean over its neurons.
    """
    return {
        name: Sigmoid(slope / float(layer.neuron.threshold.detach().mean()))
        for name, layer in problem.spiking()
    }


def smooth_steps(problem: Problem, noise: Noise = None) -> dict[str, Surrogate]:
    """The surrogate of every spiking layer whose ``smooth_step`` is to replace the hard one.

    Raises:
        ValueError: one of them has no smooth step.
    """
    steps = {}
    for name, layer in problem.spiking():
        step = layer.surrogate if noise is None else noise
        if isinstance(step, Mapping):
            if name not in step:
                raise ValueError(f"noise: none for {name}; allowed: one for every spiking layer")
            step = step[name]
        if not isinstance(step, Surrogate):
            raise ValueError(
                f"noise: what fires in {name} has no smooth step; allowed: surrolab's surrogates"
            )
        if not step.has_primitive:
            raise ValueError(
                f"noise: {type(step).__name__} ({name}) has no primitive; allowed: surrogates "
                "with a primitive of finite area"
            )
        if not 0 < step.shape_area < float("inf"):
            raise ValueError(
                f"noise: the area of {type(step).__name__} ({name}) is {step.shape_area:g}; "
                "allowed: surrogates whose area is finite and above 0"
            )
        steps[name] = step
    return steps


def escape_noise(problem: Problem, noise: Noise = None) -> dict[str, Surrogate]:
    """The same where the smooth step has to be a probability: monotone, from 0 to 1.

    Raises:
        ValueError: one of them is no probability.
    """
    steps = smooth_steps(problem, noise)
    for name, step in steps.items():
        if not step.shape_not_negative:
            raise ValueError(
                f"noise: {type(step).__name__} ({name}) is negative somewhere, its primitive is "
                "no probability; allowed: surrogates that are nowhere below 0"
            )
    return steps


def smoothed_gradient(
    problem: Problem, noise: Noise = None, detach_reset: bool | None = None
) -> dict[str, Tensor]:
    """The gradient of the smoothed network, in which a smooth step takes the place of the hard one.

    The smooth spikes enter everything that spikes enter: the next layer, the recurrence and the
    reset. With ``detach_reset=False`` it is the exact gradient. Where the reset is detached, by the
    layer's own setting or by ``detach_reset=True``, it is what backpropagation with the same cut
    gives on the smoothed network: what the surrogate gradient, which has the cut, should be
    compared with to see the effect of the surrogate alone.

    Args:
        problem: network, loss and probe batch.
        noise: whose ``smooth_step``; each layer's own surrogate unless given.
        detach_reset: for all layers; each layer's own setting unless given.

    Returns:
        By parameter name, zero where nothing arrives.

    Raises:
        ValueError: a surrogate has no smooth step.
    """
    steps = smooth_steps(problem, noise)
    with problem.firing({name: step.smooth_step for name, step in steps.items()}, detach_reset):
        return problem.gradient()
