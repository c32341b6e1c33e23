"""The closed-loop test: a field whose integral around a loop is not zero is no gradient."""

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from surrolab.diagnostics.problem import Problem
from surrolab.diagnostics.references import Noise, smoothed_gradient, weight_names
from surrolab.diagnostics.student import student_quantile

Field = Callable[[Problem], dict[str, Tensor]]

# What float64 can lose on the way around, of the integral of |g . dr|.
ROUNDING = 1e-11


@dataclass(frozen=True)
class Plane:
    """Two orthonormal directions in parameter space, by parameter name."""

    first: dict[str, Tensor]
    second: dict[str, Tensor]


@dataclass(frozen=True)
class Circulation:
    """``integral`` of ``g . dr`` around a loop, its ``error``, and ``travelled``, that of
    ``|g . dr|``.
    """

    integral: float
    error: float
    travelled: float

    @property
    def size(self) -> float:
        """The integral as a share of what adds up without regard to sign, in [-1, 1]."""
        return self.integral / self.travelled if self.travelled else 0.0

    @property
    def beyond_error(self) -> bool:
        """Whether the integral is not zero."""
        return abs(self.integral) > self.error


@dataclass(frozen=True)
class Loop:
    """The closed-loop test of the surrogate gradient.

    Attributes:
        surrogate: the integral of the surrogate gradient.
        control: that of the smoothed network's exact gradient, which has to be zero within its
            error; None where the network cannot be smoothed.
        radius: of the circle, in the units of the parameters.
        points, shifts: of the quadrature.
        confidence: of the errors.
        reason: why there is no control.
    """

    surrogate: Circulation
    control: Circulation | None
    radius: float
    points: int
    shifts: int
    confidence: float
    reason: str | None = None

    @property
    def verdict(self) -> str:
        """``not a gradient field``, ``nothing proved``, or ``quadrature failed``.

        The last where the control is not zero: then the errors are not to be trusted.
        """
        if self.control is not None and self.control.beyond_error:
            return "quadrature failed"
        return "not a gradient field" if self.surrogate.beyond_error else "nothing proved"


def random_plane(problem: Problem, names: Iterable[str] | None = None, seed: int = 0) -> Plane:
    """A plane of two random directions.

    Each element is normally distributed with the root mean square of its parameter, so that all
    layers are moved by the same share of themselves.

    Args:
        problem: whose parameters.
        names: of those that are moved; synaptic weights unless given.
        seed: of the directions.

    Raises:
        ValueError: fewer than two elements to move, or all are zero.
    """
    parameters = problem.parameters
    chosen = weight_names(parameters) if names is None else list(names)
    generator = torch.Generator(problem.x_TBF.device).manual_seed(seed)
    directions = []
    for _ in range(2):
        direction = {}
        for name in chosen:
            p = parameters[name].detach()
            size = p.square().mean().sqrt()
            noise = torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)
            direction[name] = size * noise
        directions.append(direction)
    return _orthonormal(*directions)


def plane_of(
    problem: Problem, first: tuple[str, tuple[int, ...]], second: tuple[str, tuple[int, ...]]
) -> Plane:
    """The plane of two single parameters, each given by name and index.

    Raises:
        ValueError: the two are the same, or there is no such parameter.
    """
    axes = []
    for name, index in (first, second):
        if name not in problem.parameters:
            raise ValueError(f"plane: no parameter {name!r}")
        axis = torch.zeros_like(problem.parameters[name]).detach()
        axis[index] = 1
        axes.append({name: axis})
    return _orthonormal(*axes)


def default_radius(problem: Problem, plane: Plane, share: float = 0.1) -> float:
    """A share of the norm of the parameters that the plane moves."""
    moved = {*plane.first, *plane.second}
    squares = [float(problem.parameters[name].detach().square().sum()) for name in moved]
    return share * math.sqrt(sum(squares))


def circulation(
    problem: Problem,
    field: Field,
    plane: Plane,
    radius: float,
    points: int = 32,
    shifts: int = 8,
    seed: int = 0,
    confidence: float = 0.999,
) -> Circulation:
    """The integral of a field around a circle about the present parameters, and its error.

    The trapezoid rule on equally spaced points converges faster than any power where the field is
    analytic, but a field with hard spikes jumps wherever a spike comes or goes, and no rule that
    takes smoothness for granted bounds its error there, halving the number of points included. The
    rule is therefore applied ``shifts`` times from independent random starting angles. Each result
    is then unbiased for the integral of any field, jumps or not (Cranley & Patterson 1976,
    doi:10.1137/0713071), and the error of their mean is Student's t interval, plus what rounding
    can do. Each time there is one point more than before: the error of two jumps can be nearly the
    same from all starting angles, but not for all numbers of points.

    What is narrower than a turn divided by ``points * shifts`` can be missed by all of them: a
    steep surrogate needs more points, or a smaller radius.

    Args:
        problem: its parameters are moved, and put back.
        field: a vector by parameter name, at the parameters of the problem it is given.
        plane: of the circle.
        radius: of the circle, above 0.
        points: of the first turn, at least 3.
        shifts: turns, at least 2.
        seed: of the starting angles.
        confidence: of the error.

    Raises:
        ValueError: an argument is out of range.
    """
    for name, value, least in (("points", points, 3), ("shifts", shifts, 2)):
        if value < least:
            raise ValueError(f"{name}: {value} is not allowed; allowed: at least {least}")
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"radius: {radius} is not allowed; allowed: a number above 0")
    generator = torch.Generator().manual_seed(seed)
    starts = torch.rand(shifts, generator=generator, dtype=torch.float64).tolist()
    centre = {name: p.detach().clone() for name, p in problem.parameters.items()}

    def slope(turn: float) -> float:
        """The integrand by the angle."""
        x, y = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
        _move(problem, centre, plane, radius * x, radius * y)
        g = field(problem)
        return radius * (x * _dot(g, plane.second) - y * _dot(g, plane.first))

    try:
        found = []
        for shift, start in enumerate(starts):
            count = points + shift
            found.append([slope((start + i) / count) for i in range(count)])
    finally:
        _move(problem, centre, plane, 0, 0)
    integrals = [2 * math.pi * statistics.fmean(slopes) for slopes in found]
    travelled = 2 * math.pi * statistics.fmean(abs(one) for slopes in found for one in slopes)
    scatter = statistics.stdev(integrals) / math.sqrt(shifts)
    error = student_quantile(confidence, shifts - 1) * scatter + ROUNDING * travelled
    return Circulation(statistics.fmean(integrals), error, travelled)


def closed_loop(
    problem: Problem,
    plane: Plane | None = None,
    radius: float | None = None,
    noise: Noise = None,
    points: int = 32,
    shifts: int = 8,
    seed: int = 0,
    confidence: float = 0.999,
    detach_reset: bool | None = None,
) -> Loop:
    """Whether the surrogate gradient is the gradient of anything.

    Gygax & Zenke 2025, doi:10.1162/neco_a_01752 (arXiv:2404.14964): the integral of a gradient
    around a closed loop is zero. One that is not, beyond the quadrature's error, proves that the
    surrogate gradient descends no loss; one that is zero proves nothing, as other loops may differ.
    The control is the same loop for the exact gradient of the smoothed network, reset included.

    Args:
        problem: network, loss and probe batch.
        plane: of the circle; that of two random directions unless given.
        radius: of the circle; a tenth of the moved parameters' norm unless given.
        noise: what smooths the control; each layer's own surrogate unless given.
        points, shifts, seed, confidence: see :func:`circulation`.
        detach_reset: whether the surrogate gradient is cut at the reset, which alone can make it
            no gradient; each layer's own setting unless given.

    Raises:
        ValueError: an argument is out of range.
    """
    plane = random_plane(problem, seed=seed) if plane is None else plane
    radius = default_radius(problem, plane) if radius is None else radius

    def surrogate(at: Problem) -> dict[str, Tensor]:
        with at.firing({}, detach_reset):
            return at.gradient()

    def smoothed(at: Problem) -> dict[str, Tensor]:
        return smoothed_gradient(at, noise, detach_reset=False)

    control, reason = None, None
    around = circulation(problem, surrogate, plane, radius, points, shifts, seed, confidence)
    try:
        control = circulation(problem, smoothed, plane, radius, points, shifts, seed, confidence)
    except ValueError as error:
        reason = str(error)
    return Loop(around, control, radius, points, shifts, confidence, reason)


def _move(
    problem: Problem, centre: dict[str, Tensor], plane: Plane, first: float, second: float
) -> None:
    # Through .data, and from the centre each time: the way back is exact.
    for name, parameter in problem.parameters.items():
        parameter.data.copy_(centre[name])
    for step, direction in ((first, plane.first), (second, plane.second)):
        for name, values in direction.items():
            problem.parameters[name].data.add_(values, alpha=step)


def _dot(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return sum(float((one[name] * values).sum()) for name, values in other.items())


def _orthonormal(first: dict[str, Tensor], second: dict[str, Tensor]) -> Plane:
    first = _normal(first)
    for _ in range(2):  # twice is enough for orthogonality to rounding
        along = _dot(second, {name: v for name, v in first.items() if name in second})
        shared = {name: v - along * first[name] for name, v in second.items() if name in first}
        rest = {name: -along * v for name, v in first.items() if name not in second and along}
        second = second | shared | rest
    return Plane(first, _normal(second))


def _normal(direction: dict[str, Tensor]) -> dict[str, Tensor]:
    length = math.sqrt(_dot(direction, direction))
    if not length > 1e-12:
        raise ValueError("plane: its two directions are the same, or zero; allowed: two directions")
    return {name: values / length for name, values in direction.items()}
