"""Neurons that adapt, which snnTorch does not have: threshold adaptation and adaptation current.

The modules own parameters, as snnTorch's neurons do, and a :class:`surrolab.neurons.SpikingLayer`
runs them; what they compute is in :mod:`surrolab.neurons.equations`.
"""

from typing import Any

import torch
from torch import Tensor, nn

from surrolab.surrogates import ATan


class AdaptiveNeuron(nn.Module):
    """What both kinds have.

    Args:
        beta: decay of the membrane per step, in [0, 1].
        rho: decay of the adaptation per step, in [0, 1].
        strengths: of the adaptation, by name.
        threshold: above which a spike is fired; of an adaptive threshold, where it is at rest.
        spike_grad: a surrogate; :class:`surrolab.surrogates.ATan` unless given.
        reset_mechanism: ``subtract``, ``zero`` or ``none``.
        linear_features: number of neurons that are connected all to all; None without recurrence.
        learn_recurrent: whether the recurrent weights are trained.

    ``adapts`` is None, or a buffer that broadcasts over ``[B, N]``: 1 where a neuron adapts and 0
    where it does not. Parameters are buffers here; whoever wants one learned, or one for each
    neuron, replaces it by an ``nn.Parameter``, or a tensor that broadcasts over ``[B, N]``.
    """

    beta: Tensor
    rho: Tensor
    threshold: Tensor
    adapts: Tensor | None

    def __init__(
        self,
        beta: float,
        rho: float,
        strengths: dict[str, float],
        threshold: float,
        spike_grad: nn.Module | None,
        reset_mechanism: str,
        linear_features: int | None,
        learn_recurrent: bool,
    ) -> None:
        super().__init__()
        if reset_mechanism not in ("subtract", "zero", "none"):
            raise ValueError(
                f"reset_mechanism: {reset_mechanism!r} is unknown; allowed: subtract, zero, none"
            )
        self.reset_mechanism = reset_mechanism
        self.strengths = tuple(strengths)
        self.spike_grad: Any = ATan() if spike_grad is None else spike_grad
        for name, value in {"beta": beta, "rho": rho, "threshold": threshold, **strengths}.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        self.register_buffer("adapts", None)
        if linear_features is not None:
            self.recurrent = nn.Linear(linear_features, linear_features)
            self.recurrent.requires_grad_(learn_recurrent)

    def strength(self, name: str) -> Tensor:
        """A strength of the adaptation, 0 where a neuron does not adapt."""
        value: Tensor = getattr(self, name)
        return value if self.adapts is None else value * self.adapts


class ALIF(AdaptiveNeuron):
    """Adaptive leaky integrate-and-fire: each spike raises the threshold by ``threshold_step``.

    Bellec et al. 2018 (arXiv:1803.09574); see :class:`surrolab.neurons.equations.ALIFEquation`.
    The other arguments are those of :class:`AdaptiveNeuron`.
    """

    def __init__(
        self,
        beta: float,
        rho: float,
        threshold_step: float,
        threshold: float = 1.0,
        spike_grad: nn.Module | None = None,
        reset_mechanism: str = "subtract",
        linear_features: int | None = None,
        learn_recurrent: bool = True,
    ) -> None:
        strengths = {"threshold_step": threshold_step}
        super().__init__(
            *(beta, rho, strengths, threshold),
            *(spike_grad, reset_mechanism, linear_features, learn_recurrent),
        )


class AdLIF(AdaptiveNeuron):
    """Leaky integrate-and-fire with an adaptation current: ``a`` times the membrane, ``b`` a spike.

    Bittar & Garner 2022 (doi:10.3389/fnins.2022.865897); see
    :class:`surrolab.neurons.equations.AdLIFEquation`. The other arguments are those of
    :class:`AdaptiveNeuron`.
    """

    def __init__(
        self,
        beta: float,
        rho: float,
        a: float,
        b: float,
        threshold: float = 1.0,
        spike_grad: nn.Module | None = None,
        reset_mechanism: str = "subtract",
        linear_features: int | None = None,
        learn_recurrent: bool = True,
    ) -> None:
        super().__init__(
            *(beta, rho, {"a": a, "b": b}, threshold),
            *(spike_grad, reset_mechanism, linear_features, learn_recurrent),
        )
