"""Adaptive neurons as the configuration describes them; see :mod:`surrolab.neurons.factory`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from surrolab.neurons.adaptive import ALIF, AdLIF
from surrolab.neurons.decays import decay_per_step
from surrolab.neurons.factory import LeakyFactory, NeuronFactory, only_dimension, shared
from surrolab.neurons.layer import SpikingLayer


@dataclass(frozen=True)
class AdaptiveFactory(NeuronFactory):
    """What adaptive neurons have; base of the two kinds.

    Args:
        rho: decay of the adaptation per step, in (0, 1]; or give ``tau_adapt``.
        tau_adapt: time constant of the adaptation in ms.
        learn_rho: make it a parameter.
        adaptive_share: share of a layer's neurons (of a convolution's channels) that adapt, the
            first ones, in [0, 1]; the others are leaky.
    """

    rho: float | None = None
    tau_adapt: float | None = None
    learn_rho: bool = False
    adaptive_share: float = 1.0

    default_rho: ClassVar[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.decay_adapt  # noqa: B018  (raises where it makes no sense)
        if not 0 <= self.adaptive_share <= 1:
            raise ValueError(
                f"adaptive_share: {self.adaptive_share} is not allowed; allowed: from 0 to 1"
            )

    @property
    def decay_adapt(self) -> float:
        """``rho``, from whichever form was given."""
        return decay_per_step(
            ("rho", "tau_adapt"), self.rho, self.tau_adapt, self.dt, self.default_rho
        )

    def layer(self, shape: tuple[int, ...], surrogate: nn.Module, engine: str) -> SpikingLayer:
        layer = super().layer(shape, surrogate, engine)
        if self.adaptive_share < 1:
            adapts = torch.arange(shape[0]) < round(self.adaptive_share * shape[0])
            layer.neuron.adapts = adapts.float().view(shape[0], *[1] * (len(shape) - 1))
        return layer

    def integrator(self) -> NeuronFactory:
        return LeakyFactory(**shared(self, LeakyFactory))

    def _decays(self) -> dict[str, float]:
        return {"beta": self.decay, "rho": self.decay_adapt}

    def _options(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        """What a neuron is made with beside its strengths."""
        recurrence: dict[str, Any] = {}
        if self.recurrent:
            recurrence = {
                "linear_features": only_dimension(shape),
                "learn_recurrent": getattr(self, "learn_recurrent", True),
            }
        options = {"spike_grad": spike_grad, "reset_mechanism": reset, **recurrence}
        return {"beta": self.decay, "rho": self.decay_adapt, **options}


@dataclass(frozen=True)
class ALIFFactory(AdaptiveFactory):
    """Adaptive leaky integrate-and-fire neurons (:class:`surrolab.neurons.ALIF`), those of LSNNs.

    ``rho`` is 0.99 when neither it nor ``tau_adapt`` is given.

    Args:
        threshold_step: by how much a spike raises the threshold, at least 0; in the terms of
            Bellec et al. 2018 (arXiv:1803.09574) ``beta (1 - rho)``.
        learn_threshold_step: make it a parameter.
    """

    threshold_step: float = 0.15
    learn_threshold_step: bool = False

    default_rho: ClassVar[float] = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.threshold_step >= 0:
            raise ValueError(
                f"threshold_step: {self.threshold_step} is not allowed; allowed: at least 0"
            )

    def with_recurrence(self) -> NeuronFactory:
        return RALIFFactory(**shared(self, RALIFFactory))

    def _strengths(self) -> dict[str, float]:
        return {"threshold_step": self.threshold_step}

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return ALIF(threshold_step=self.threshold_step, **self._options(shape, spike_grad, reset))


@dataclass(frozen=True)
class AdLIFFactory(AdaptiveFactory):
    """Leaky neurons with an adaptation current (:class:`surrolab.neurons.AdLIF`).

    ``rho`` is 0.98 when neither it nor ``tau_adapt`` is given. The neuron of Bittar & Garner 2022
    (doi:10.3389/fnins.2022.865897) has ``input_scale: one_minus_beta``; with ``none`` its ``a`` and
    ``b`` are to be multiplied by ``1 - beta``, which the default values are.

    Args:
        a: how much of the membrane goes into the adaptation current in a step. Where it is too
            large, or too far below 0, the membrane is unstable without a single spike: refused at
            the layer's mean decays, and neither at those of single neurons nor while it is learned.
        b: by how much a spike raises it.
        learn_a, learn_b: make them parameters.
    """

    a: float = 0.01
    b: float = 0.1
    learn_a: bool = False
    learn_b: bool = False

    default_rho: ClassVar[float] = 0.98

    def __post_init__(self) -> None:
        super().__post_init__()
        gain = self._gain
        if self.a and gain:
            # Both eigenvalues of (U, w) lie inside the unit circle.
            beta, rho = self.decay, self.decay_adapt
            low, high = -(1 - beta) * (1 - rho) / gain, (1 + beta) * (1 + rho) / gain
            if not low < self.a < high:
                raise ValueError(
                    f"a: {self.a} makes the membrane unstable and is not allowed; allowed with "
                    f"these decays: above {low:.3g} and below {high:.3g}"
                )

    def with_recurrence(self) -> NeuronFactory:
        return RAdLIFFactory(**shared(self, RAdLIFFactory))

    def impulse_response(self, steps: int) -> Tensor:
        response = torch.zeros(steps, dtype=torch.float64)
        mem = adapt = 0.0
        for t in range(steps):
            adapt = self.decay_adapt * adapt + self.a * mem
            mem = self.decay * mem + self._gain * ((t == 0) - adapt)
            response[t] = mem
        return response

    @property
    def _gain(self) -> float:
        return 1 - self.decay if self.input_scale == "one_minus_beta" else 1.0

    def _strengths(self) -> dict[str, float]:
        return {"a": self.a, "b": self.b}

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return AdLIF(a=self.a, b=self.b, **self._options(shape, spike_grad, reset))


@dataclass(frozen=True)
class RALIFFactory(ALIFFactory):
    """The same with all-to-all recurrence; with ``adaptive_share`` below 1 an LSNN.

    Args:
        learn_recurrent: whether the recurrent weights are trained.
    """

    learn_recurrent: bool = True

    @property
    def recurrent(self) -> bool:
        return True

    def feedforward(self) -> NeuronFactory:
        return ALIFFactory(**shared(self, ALIFFactory))

    def with_recurrence(self) -> NeuronFactory:
        return self


@dataclass(frozen=True)
class RAdLIFFactory(AdLIFFactory):
    """The same with all-to-all recurrence.

    Args:
        learn_recurrent: whether the recurrent weights are trained.
    """

    learn_recurrent: bool = True

    @property
    def recurrent(self) -> bool:
        return True

    def feedforward(self) -> NeuronFactory:
        return AdLIFFactory(**shared(self, AdLIFFactory))

    def with_recurrence(self) -> NeuronFactory:
        return self
