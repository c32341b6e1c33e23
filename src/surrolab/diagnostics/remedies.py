"""Which option to change, and by how much, where a layer does not learn."""

import copy
import math

import torch
from torch import Tensor, nn

from surrolab.surrogates import Surrogate

# The share of neuron-steps that a surrogate should at least reach.
REACH = 0.1

_NARROWEST, _WIDEST = 1e3, 1e-3


def slope_for_reach(surrogate: Surrogate, distance: Tensor, reach: float = REACH) -> float | None:
    """The slope at which a share of the neuron-steps lies inside the surrogate's window.

    Args:
        surrogate: whose shape and normalization count.
        distance: ``|U - theta|`` of neuron-steps, any shape.
        reach: the share, in (0, 1).

    Returns:
        The largest slope that does it, rounded down to three digits; None where the surrogate has
        no slope, or where no slope from 0.001 to 1000 does it because the window's width is fixed.
    """
    if not surrogate.has("slope"):
        return None
    needed = _quantile(distance, reach)
    trial = copy.deepcopy(surrogate)
    if isinstance(trial.slope, nn.Parameter):
        del trial.slope

    def reaches(slope: float) -> bool:
        trial.slope = slope
        return bool(torch.as_tensor(trial.window).max() >= needed)

    if not reaches(_WIDEST):
        return None
    if reaches(_NARROWEST):
        return _NARROWEST
    low, high = math.log(_WIDEST), math.log(_NARROWEST)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if reaches(math.exp(middle)) else (low, middle)
    return _down(math.exp(low))


def gain_for_fluctuations(free_mem: Tensor, threshold: Tensor, xi: float = 1.0) -> float | None:
    """The factor on a layer's weights that fluctuation-driven initialisation would give it.

    Its membrane, kept from firing, then fluctuates around rest with a standard deviation of
    ``theta / xi`` (Rossbroich, Gygax & Zenke 2022, doi:10.1088/2634-4386/ac97bb). Measured, where
    the initialisation assumes independent Poisson inputs.

    Args:
        free_mem: membrane potential of the layer without its own spikes, ``[..., N]``.
        threshold: scalar, or one that broadcasts over it.
        xi: threshold in standard deviations of the membrane.

    Returns:
        The factor, to three digits; None where no input arrives at all.
    """
    size = (free_mem.double() / threshold.double()).square().mean().sqrt().item()
    if not (size > 0 and math.isfinite(size)):
        return None
    return float(f"{1 / (xi * size):.3g}")


def scale_for_depth(scale: float, growth_per_layer: float) -> float:
    """The surrogate's scale at which the gradient keeps its size from layer to layer.

    The gradient that passes a layer of spikes is proportional to it.

    Args:
        scale: the present one.
        growth_per_layer: factor on the norm of dL/dU, per layer toward the input.
    """
    return float(f"{scale / growth_per_layer:.3g}")


def scale_for_time(scale: float, growth_per_step: float, decay: float) -> float | None:
    """The surrogate's scale at which a recurrent layer's gradient keeps its size back in time.

    Where recurrent weights are as good as random, what they hand back, proportional to the scale,
    and what the membrane's decay hands back add up in squares:
    ``growth^2 = decay^2 + (scale * c)^2``. An estimate: what the loss lets in counts as growth too.

    Args:
        scale: the present one.
        growth_per_step: factor on the norm of dL/dU per step back, above 1.
        decay: of the neurons' slowest state, per step.

    Returns:
        To three digits; None where the state does not decay.
    """
    if not decay < 1:
        return None
    share = (1 - decay**2) / (growth_per_step**2 - decay**2)
    return float(f"{scale * math.sqrt(share):.3g}")


def _quantile(values: Tensor, share: float) -> float:
    flat = values.detach().flatten().double()
    rank = max(1, math.ceil(share * flat.numel()))
    return flat.kthvalue(rank).values.item()


def _down(value: float) -> float:
    """Rounded down to three digits: a wider window, not a narrower one."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.floor(value / unit * (1 + 1e-12)) * unit:.3g}")
