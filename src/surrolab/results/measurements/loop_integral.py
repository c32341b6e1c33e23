"""The integral of the surrogate gradient around a closed loop, beside that of a true gradient."""

from surrolab.diagnostics.loop import circulation, default_radius, random_plane
from surrolab.results.small_networks import hard_field, small_network, smooth_field
from surrolab.surrogates import Sigmoid

HARD = "hard"


def measure(
    *,
    seed: int,
    forward_slope: float | str,
    slope: float,
    hidden: list[int],
    steps: int,
    samples: int,
    reset: str,
    points: int,
    shifts: int,
    radius: float,
) -> dict[str, float | list[float]]:
    """Walk around a circle in a random plane of the weights, and add up ``g . dr``.

    See :func:`surrolab.diagnostics.loop.circulation` for the quadrature and its error (99.9 %).

    Args:
        seed: of the network, the plane and the quadrature.
        forward_slope: of the sigmoid that is the network's step, over the threshold; ``hard`` for
            one that fires above the threshold.
        slope: of the sigmoid whose derivative backpropagation has in the place of the step's, at
            unit area.
        hidden, steps, samples, reset: see :func:`small_network`.
        points, shifts: of the quadrature.
        radius: of the circle, as a share of the weights' norm.

    Returns:
        ``integral`` around the loop, its ``error``, ``size``, the integral over that of
        ``|g . dr|``, and whether the integral is ``beyond_error`` (1 or 0); the same as
        ``control_*`` of the exact gradient of the network whose step is a sigmoid of
        ``forward_slope``, or of ``slope`` where that is ``hard``.

    Raises:
        ValueError: another word as ``forward_slope``, or a number out of range.
    """
    if isinstance(forward_slope, str) and forward_slope != HARD:
        raise ValueError(
            f"forward_slope: {forward_slope!r} is not allowed; allowed: a number, or {HARD}"
        )
    problem = small_network(seed, hidden, steps, samples, features=4, reset=reset)
    surrogate = Sigmoid(slope)
    if isinstance(forward_slope, str):
        fields = {"": hard_field(surrogate), "control_": smooth_field(surrogate)}
    else:
        noise = Sigmoid(forward_slope)
        fields = {"": smooth_field(noise, surrogate), "control_": smooth_field(noise)}
    plane = random_plane(problem, seed=seed)
    length = default_radius(problem, plane, radius)
    figures: dict[str, float | list[float]] = {}
    for name, field in fields.items():
        found = circulation(problem, field, plane, length, points, shifts, seed)
        figures |= {
            f"{name}integral": found.integral,
            f"{name}error": found.error,
            f"{name}size": found.size,
            f"{name}beyond_error": float(found.beyond_error),
        }
    return figures
