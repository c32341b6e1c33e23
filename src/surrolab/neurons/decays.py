"""Decays per step: from time constants, and spread over the neurons of a layer."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from surrolab.seeding import stream_beside

# Of a neuron's time constant, in those of the layer.
SHORTEST, LONGEST = 0.1, 10.0


def decay_per_step(
    names: tuple[str, str], decay: float | None, tau: float | None, dt: float, default: float
) -> float:
    """The decay per step from either of its two forms.

    Args:
        names: how the two are called in messages, for example ``("beta", "tau")``.
        decay: per step, in (0, 1], or None.
        tau: time constant in ms, above 0, or None.
        dt: length of a step in ms, above 0.
        default: the decay when neither is given.

    Raises:
        ValueError: both are given, or one is out of range.
    """
    if not dt > 0:
        raise ValueError(f"dt: {dt} is not allowed; allowed: a number of ms above 0")
    if decay is not None and tau is not None:
        raise ValueError(
            f"{names[0]}: given together with {names[1]}; allowed: one of the two, the other null"
        )
    if tau is not None:
        if not tau > 0:
            raise ValueError(f"{names[1]}: {tau} is not allowed; allowed: a number of ms above 0")
        return math.exp(-dt / tau)
    if decay is None:
        return default
    if not 0 < decay <= 1:
        raise ValueError(f"{names[0]}: {decay} is not allowed; allowed: above 0, at most 1")
    return decay


def spread_decays(
    decays: Mapping[str, float], spread: float, neurons: int, together: bool = False
) -> dict[str, Tensor]:
    """A decay for each neuron, float32 ``[neurons]``, whose time constants are gamma distributed.

    The mean time constant is that of the decay, the standard deviation ``spread`` times as much:
    a gamma distribution of shape ``1 / spread ** 2``. Perez-Nieves et al. 2021
    (doi:10.1038/s41467-021-26022-3) draw from one of shape 3, a spread of 0.577. What is below a
    tenth of the mean or above ten times is put there. Drawn beside torch's global generator
    (:func:`surrolab.seeding.stream_beside`): weights drawn after it are the same with it and
    without.

    Args:
        decays: per step, by name.
        spread: standard deviation over mean, above 0.
        neurons: how many.
        together: whether all decays of a neuron have the same factor on their time constants.
    """
    rng = stream_beside("time constants")
    spread = max(spread, 1e-6)  # less is nothing, and its square no number
    drawn = rng.gamma(spread**-2, spread**2, (1 if together else len(decays), neurons))
    factors = torch.from_numpy(drawn.clip(SHORTEST, LONGEST)).expand(len(decays), neurons)
    # exp(-dt / (f tau)), of exp(-dt / tau).
    return {
        name: torch.pow(decay, 1 / factor).float()
        for (name, decay), factor in zip(decays.items(), factors, strict=True)
    }
