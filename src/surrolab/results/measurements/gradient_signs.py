"""The surrogate gradient by one weight, beside the true one, as that weight moves."""

import torch

from surrolab.diagnostics.enumeration import enumerated_surrogate_gradient
from surrolab.results.small_networks import (
    FIRST,
    expected_output,
    small_network,
    smooth_field,
    smooth_output,
)
from surrolab.surrogates import Sigmoid

FORWARD = ("escape_noise", "smooth")
# Of the largest true gradient on the way: below that a sign is one of rounding.
NEGLIGIBLE = 1e-4
STEP = 1e-5  # of the central differences


def measure(
    *,
    seed: int,
    forward: str,
    forward_slope: float,
    slope: float,
    hidden: list[int],
    steps: int,
    samples: int,
    reset: str,
    points: int,
    reach: float,
    drawn: list[int],
) -> dict[str, float | list[float]]:
    """Move the first weight of the first layer, and compare both gradients on the way.

    True is the central difference of the mean output of the network: that of a network whose step
    is a sigmoid of ``forward_slope`` (``smooth``), or, over all spike patterns, of one that fires
    with that probability (``escape_noise``). The surrogate is the sigmoid of ``slope``, at unit
    area, as it is in the smooth network: with ``slope = forward_slope`` it is the derivative of the
    step or of the probability. In the network that fires at random its gradient is averaged over
    all patterns.

    Args:
        seed: of the network and its input.
        forward: ``escape_noise`` or ``smooth``.
        forward_slope, slope: in units of one over the threshold.
        hidden, steps, samples, reset: see :func:`small_network`; steps times neurons at most 16
            under escape noise.
        points: places of the weight.
        reach: how far it is moved to both sides of where it was drawn.
        drawn: seeds whose curves are returned.

    Returns:
        Of the places whose true gradient is at least 1e-4 of the largest one: ``opposite``, the
        share where the surrogate gradient has the other sign, and ``vanished``, that where it is
        smaller than that; ``compared``: the share of such places among all. ``cosine`` of the two
        curves; ``difference``: their largest one over the largest true gradient. ``weight``,
        ``true`` and ``surrogate`` are the curves, the gradients over the largest true one.

    Raises:
        ValueError: another ``forward``, fewer than two points, or a network that is too large.
    """
    if forward not in FORWARD:
        raise ValueError(f"forward: {forward!r} is not allowed; allowed: {', '.join(FORWARD)}")
    if points < 2:
        raise ValueError(f"points: {points} is not allowed; allowed: at least 2")
    noise, surrogate = Sigmoid(forward_slope), Sigmoid(slope)
    problem = small_network(seed, hidden, steps, samples, features=2, reset=reset)
    output = expected_output(noise) if forward == "escape_noise" else smooth_output(noise)
    field = smooth_field(noise, surrogate)
    weight = problem.parameters[FIRST].data
    centre = float(weight[0, 0])
    places = torch.linspace(centre - reach, centre + reach, points).tolist()
    true, found = torch.zeros(points).double(), torch.zeros(points).double()
    for i, place in enumerate(places):
        with torch.no_grad():
            weight[0, 0] = place + STEP
            above = output(problem)
            weight[0, 0] = place - STEP
            true[i] = (above - output(problem)) / (2 * STEP)
        weight[0, 0] = place
        if forward == "escape_noise":
            found[i] = enumerated_surrogate_gradient(problem, surrogate, noise)[FIRST][0, 0]
        else:
            found[i] = field(problem)[FIRST][0, 0]
    largest = float(true.abs().max())
    compared = true.abs() > NEGLIGIBLE * largest
    vanished = found.abs() <= NEGLIGIBLE * largest
    opposite = (true.sign() != found.sign()) & ~vanished
    figures: dict[str, float | list[float]] = {
        "opposite": _share(opposite[compared]),
        "vanished": _share(vanished[compared]),
        "compared": _share(compared),
        "cosine": float(torch.nn.functional.cosine_similarity(true, found, dim=0)),
        "difference": float((true - found).abs().max()) / largest if largest else 0.0,
    }
    if seed in drawn and largest:
        figures |= {
            "weight": places,
            "true": (true / largest).tolist(),
            "surrogate": (found / largest).tolist(),
        }
    return figures


def _share(which: torch.Tensor) -> float:
    return float(which.double().mean()) if len(which) else 0.0
