"""Neurons as the configuration describes them: units, decays, and what is learned.

Times are in milliseconds. A decay is given either per step (``beta``, ``alpha``) or as a time
constant (``tau``, ``tau_syn``) with the length of a step ``dt``: ``beta = exp(-dt/tau)``.
"""

import copy
import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import snntorch
import torch
from torch import Tensor, nn

from surrolab.neurons.layer import InputScale, Readout, SpikingLayer


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


@dataclass(frozen=True)
class NeuronFactory:
    """What every neuron has; makes spiking layers and readouts of it.

    Args:
        beta: decay of the membrane per step, in (0, 1]; or give ``tau``. 0.9 when neither is.
        tau: time constant of the membrane in ms.
        dt: length of a time step in ms.
        threshold: membrane potential above which a spike is fired, dimensionless.
        reset: ``subtract``, ``zero`` or ``none``.
        input_scale: ``none``, or ``one_minus_beta`` to scale the current by ``1 - beta``, as the
            exact solution of the membrane equation has it.
        detach_reset: whether the gradient through the reset is cut.
        learn_beta, learn_threshold: make them parameters.
        per_neuron: give each neuron (each channel of a convolution) its own decay and threshold.
    """

    beta: float | None = None
    tau: float | None = None
    dt: float = 1.0
    threshold: float = 1.0
    reset: str = "subtract"
    input_scale: InputScale = "none"
    detach_reset: bool = True
    learn_beta: bool = False
    learn_threshold: bool = False
    per_neuron: bool = False

    default_beta: ClassVar[float] = 0.9

    def __post_init__(self) -> None:
        self.decay  # noqa: B018  (raises where the decays make no sense)
        if not self.threshold > 0:
            raise ValueError(f"threshold: {self.threshold} is not allowed; allowed: above 0")

    @property
    def decay(self) -> float:
        """``beta``, from whichever form was given."""
        return decay_per_step(("beta", "tau"), self.beta, self.tau, self.dt, self.default_beta)

    @property
    def recurrent(self) -> bool:
        """Whether the layer feeds its spikes back to itself."""
        return False

    def layer(self, shape: tuple[int, ...], surrogate: nn.Module, engine: str) -> SpikingLayer:
        """Spiking neurons for currents of ``shape`` (without time and batch).

        Each layer gets a copy of the surrogate, so that no two layers share one.
        """
        neuron = self._neuron(shape, spike_grad=copy.deepcopy(surrogate), reset=self.reset)
        self._set(neuron, "beta", self.decay, self.learn_beta, shape)
        self._set(neuron, "threshold", self.threshold, self.learn_threshold, shape)
        return SpikingLayer(neuron, engine, self.detach_reset, self.input_scale)

    def feedforward(self) -> "NeuronFactory":
        """The same neurons without recurrence."""
        return self

    def with_recurrence(self) -> "NeuronFactory":
        """The same neurons with recurrence.

        Raises:
            ValueError: snnTorch has no such neuron.
        """
        raise ValueError(
            "model: recurrent has no recurrent form of this neuron; allowed: leaky, synaptic, "
            "rleaky, rsynaptic"
        )

    def readout(self, engine: str, tau: float | None = None) -> Readout:
        """A readout that does not spike, with this neuron's dynamics.

        ``tau`` is the time constant of its membrane in ms, this neuron's own unless given.
        """
        beta = self.decay if tau is None else decay_per_step(("", "tau"), None, tau, self.dt, 0)
        return Readout(self._readout_neuron(beta), engine, self.input_scale)

    def impulse_response(self, steps: int) -> Tensor:
        """Membrane potential ``[steps]`` after a unit of current in step 0, without any reset."""
        readout = Readout(self._readout_neuron(self.decay), "auto", self.input_scale).double()
        cur_TBN = torch.zeros(steps, 1, 1, dtype=torch.float64)
        cur_TBN[0] = 1
        with torch.no_grad():
            response: Tensor = readout(cur_TBN).out[:, 0, 0]
        return response

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        raise NotImplementedError

    def _readout_neuron(self, beta: float) -> Any:
        return snntorch.Leaky(beta=beta, reset_mechanism="none")

    def _set(
        self, neuron: Any, name: str, value: float, learn: bool, shape: tuple[int, ...]
    ) -> None:
        """Replace a parameter of the neuron by one of the right shape, learnable or not.

        Done here and not through snnTorch's constructors, of which some refuse a vector or a
        learnable decay.
        """
        size = (shape[0], *[1] * (len(shape) - 1)) if self.per_neuron else ()
        tensor = torch.full(size, value, dtype=torch.float32)
        delattr(neuron, name)
        if learn:
            neuron.register_parameter(name, nn.Parameter(tensor))
        else:
            neuron.register_buffer(name, tensor)


@dataclass(frozen=True)
class LeakyFactory(NeuronFactory):
    """Leaky integrate-and-fire neurons (``snntorch.Leaky``)."""

    def with_recurrence(self) -> NeuronFactory:
        return RLeakyFactory(**_shared(self, RLeakyFactory))

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.Leaky(self.decay, spike_grad=spike_grad, reset_mechanism=reset)


@dataclass(frozen=True)
class LapicqueFactory(NeuronFactory):
    """Lapicque's RC neuron (``snntorch.Lapicque``): ``U[t] = beta U[t-1] + (1 - beta) R I[t]``.

    Args:
        resistance: R, dimensionless like the current.
    """

    input_scale: InputScale = "one_minus_beta"
    resistance: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.resistance > 0:
            raise ValueError(f"resistance: {self.resistance} is not allowed; allowed: above 0")
        if self.decay == 1:
            raise ValueError("beta: 1 leaves Lapicque's circuit without a leak; allowed: below 1")

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.Lapicque(
            self.decay, R=self.resistance, spike_grad=spike_grad, reset_mechanism=reset
        )

    def _readout_neuron(self, beta: float) -> Any:
        return snntorch.Lapicque(beta, R=self.resistance, reset_mechanism="none")


@dataclass(frozen=True)
class SynapticFactory(NeuronFactory):
    """Current-based LIF neurons (``snntorch.Synaptic``).

    Args:
        alpha: decay of the synaptic current per step; or give ``tau_syn``. 0.8 when neither is.
        tau_syn: time constant of the synaptic current in ms.
        learn_alpha: make it a parameter.
    """

    alpha: float | None = None
    tau_syn: float | None = None
    learn_alpha: bool = False

    default_alpha: ClassVar[float] = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        self.decay_syn  # noqa: B018

    @property
    def decay_syn(self) -> float:
        """``alpha``, from whichever form was given."""
        return decay_per_step(
            ("alpha", "tau_syn"), self.alpha, self.tau_syn, self.dt, self.default_alpha
        )

    def with_recurrence(self) -> NeuronFactory:
        return RSynapticFactory(**_shared(self, RSynapticFactory))

    def layer(self, shape: tuple[int, ...], surrogate: nn.Module, engine: str) -> SpikingLayer:
        layer = super().layer(shape, surrogate, engine)
        self._set(layer.neuron, "alpha", self.decay_syn, self.learn_alpha, shape)
        return layer

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.Synaptic(
            self.decay_syn, self.decay, spike_grad=spike_grad, reset_mechanism=reset
        )

    def _readout_neuron(self, beta: float) -> Any:
        return snntorch.Synaptic(self.decay_syn, beta, reset_mechanism="none")


@dataclass(frozen=True)
class AlphaFactory(SynapticFactory):
    """Neurons with an alpha-shaped response (``snntorch.Alpha``).

    The response is the difference of two exponentials; ``alpha`` (``tau_syn``) has to decay more
    slowly than ``beta`` (``tau``). 0.9 and 0.8 when neither is given.
    """

    reset: str = "zero"

    default_beta: ClassVar[float] = 0.8
    default_alpha: ClassVar[float] = 0.9

    def with_recurrence(self) -> NeuronFactory:
        return NeuronFactory.with_recurrence(self)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.decay < self.decay_syn < 1:
            raise ValueError(
                f"alpha: {self.decay_syn:.6g} with beta {self.decay:.6g}; allowed: above beta "
                "(tau_syn above tau) and below 1"
            )

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.Alpha(
            self.decay_syn, self.decay, spike_grad=spike_grad, reset_mechanism=reset
        )

    def _readout_neuron(self, beta: float) -> Any:
        return snntorch.Alpha(self.decay_syn, beta, reset_mechanism="none")


@dataclass(frozen=True)
class RLeakyFactory(LeakyFactory):
    """Leaky neurons with all-to-all recurrence (``snntorch.RLeaky``).

    Args:
        learn_recurrent: whether the recurrent weights are trained.
    """

    learn_recurrent: bool = True

    @property
    def recurrent(self) -> bool:
        return True

    def feedforward(self) -> NeuronFactory:
        return LeakyFactory(**_shared(self, LeakyFactory))

    def with_recurrence(self) -> NeuronFactory:
        return self

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.RLeaky(
            self.decay,
            linear_features=_only_dimension(shape),
            spike_grad=spike_grad,
            reset_mechanism=reset,
            learn_recurrent=self.learn_recurrent,
        )


@dataclass(frozen=True)
class RSynapticFactory(SynapticFactory):
    """Current-based LIF neurons with all-to-all recurrence (``snntorch.RSynaptic``).

    Args:
        learn_recurrent: whether the recurrent weights are trained.
    """

    learn_recurrent: bool = True

    @property
    def recurrent(self) -> bool:
        return True

    def feedforward(self) -> NeuronFactory:
        return SynapticFactory(**_shared(self, SynapticFactory))

    def with_recurrence(self) -> NeuronFactory:
        return self

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.RSynaptic(
            self.decay_syn,
            self.decay,
            linear_features=_only_dimension(shape),
            spike_grad=spike_grad,
            reset_mechanism=reset,
            learn_recurrent=self.learn_recurrent,
        )


def _shared(factory: NeuronFactory, target: type[NeuronFactory]) -> dict[str, Any]:
    return {f.name: getattr(factory, f.name) for f in fields(target) if hasattr(factory, f.name)}


def _only_dimension(shape: tuple[int, ...]) -> int:
    if len(shape) != 1:
        raise ValueError(
            "neuron: recurrent neurons need a layer of one dimension; allowed with a "
            "convolution: leaky, synaptic, alpha, lapicque"
        )
    return shape[0]
