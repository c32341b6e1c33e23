"""All that is measured about the direction of a surrogate gradient, on one probe batch."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from surrolab.diagnostics.agreement import Agreement, agreement
from surrolab.diagnostics.escape_noise import expected_gradient
from surrolab.diagnostics.loop import Loop, closed_loop, random_plane
from surrolab.diagnostics.problem import Problem
from surrolab.diagnostics.references import (
    Noise,
    escape_noise,
    reference_noise,
    smooth_steps,
    smoothed_gradient,
)


@dataclass(frozen=True)
class Comparison:
    """Agreement by layer (and under ``all``) with one reference, or why there is none."""

    layers: dict[str, Agreement] | None
    refused: str | None = None


@dataclass(frozen=True)
class Alignment:
    """How well the surrogate gradient agrees with four references, and the closed-loop test.

    ``fixed`` references have a width that the surrogate does not move: of two surrogates, the one
    that agrees better with it gives the better gradient of that network. ``matched`` ones are as
    wide as the surrogate itself and therefore move with it: they say what is lost by firing hard
    and deriving smoothly, and nothing about the choice of the slope.

    Attributes:
        surrogate: of each spiking layer, in words.
        fixed: noise of the fixed reference, of each spiking layer, in words.
        smoothed_fixed, smoothed_matched: with the gradient of the smoothed network.
        escape_fixed, escape_matched: with the gradient of the expected loss under escape noise.
        loop: the closed-loop test, where asked for.
    """

    surrogate: dict[str, str]
    fixed: dict[str, str]
    smoothed_fixed: Comparison
    smoothed_matched: Comparison
    escape_fixed: Comparison
    escape_matched: Comparison
    loop: Loop | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: dictionaries, lists, strings, finite numbers and None."""
        values: dict[str, Any] = _plain(asdict(self))
        if self.loop is not None:
            values["loop"]["verdict"] = self.loop.verdict
            values["loop"]["surrogate"]["size"] = _plain(self.loop.surrogate.size)
        return values


def measure(
    problem: Problem,
    fixed: Noise = None,
    draws: int = 256,
    groups: int = 16,
    seed: int = 0,
    loop: bool = True,
    points: int = 32,
    shifts: int = 8,
    radius: float | None = None,
    names: list[str] | None = None,
    detach_reset: bool | None = None,
    confidence: float = 0.95,
) -> Alignment:
    """Compare the surrogate gradient with all references.

    Args:
        problem: network, loss and probe batch.
        fixed: the noise of the fixed references; logistic of slope 4 over the threshold unless
            given.
        draws: for each of the escape-noise references, a multiple of ``groups``; 0 leaves them
            out.
        groups: see :func:`expected_gradient`; at least 4.
        seed: of draws and loop.
        loop: whether to make the closed-loop test: ``2 * points * shifts`` gradients.
        points, shifts, radius: see :func:`closed_loop`.
        names: parameters that count in a layer; synaptic weights unless given.
        detach_reset: for the surrogate's and the smoothed gradient; each layer's own setting
            unless given. The gradient under escape noise has no such choice.
        confidence: of the agreements' intervals.

    Raises:
        ValueError: an argument is out of range. A reference that a surrogate cannot have is no
            error: its comparison says why it is missing.
    """
    if draws and groups < 4:
        raise ValueError(f"groups: {groups} is not allowed; allowed: at least 4")
    noise = reference_noise(problem) if fixed is None else fixed
    with problem.firing({}, detach_reset):
        gradient = problem.gradient()

    def smoothed(noise: Noise) -> Comparison:
        if (refused := _refusal(smooth_steps, problem, noise)) is not None:
            return Comparison(None, refused)
        reference = smoothed_gradient(problem, noise, detach_reset)
        return Comparison(agreement(gradient, reference, None, names, confidence))

    def escape(noise: Noise) -> Comparison:
        if not draws:
            return Comparison(None, "left out: draws is 0")
        if (refused := _refusal(escape_noise, problem, noise)) is not None:
            return Comparison(None, refused)
        found = expected_gradient(problem, noise, draws, groups, seed)
        return Comparison(agreement(gradient, found.mean, found.groups, names, confidence))

    closed = None
    if loop:
        # Of fixed width: a network smoothed as narrowly as a steep surrogate has gradients so large
        # that the control would say nothing.
        control = noise
        plane = random_plane(problem, names, seed)
        closed = closed_loop(
            problem, plane, radius, control, points, shifts, seed, detach_reset=detach_reset
        )
    layers = dict(problem.spiking())
    return Alignment(
        {name: repr(layer.surrogate) for name, layer in layers.items()},
        {name: repr(step) for name, step in smooth_steps(problem, noise).items()},
        smoothed(noise),
        smoothed(None),
        escape(noise),
        escape(None),
        closed,
    )


def _refusal(choose: Callable[[Problem, Noise], Any], problem: Problem, noise: Noise) -> str | None:
    """Why there is no such noise; None where there is."""
    try:
        choose(problem, noise)
    except ValueError as error:
        return str(error)
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
