"""Neurons as the configuration describes them: units, decays, and what is learned.

Times are in milliseconds. A decay is given either per step (``beta``, ``alpha``) or as a time
constant (``tau``, ``tau_syn``) with the length of a step ``dt``: ``beta = exp(-dt/tau)``.
"""

import copy
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import snntorch
import torch
from torch import Tensor, nn

from surrolab.neurons.decays import decay_per_step, spread_decays
from surrolab.neurons.layer import InputScale, Readout, SpikingLayer


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
        per_neuron: give each neuron (each channel of a convolution) its own decays and threshold.
        tau_spread: standard deviation over mean of the time constants of a layer's neurons, in
            [0, 1]; see :func:`surrolab.neurons.decays.spread_decays`. Above 0 each neuron has its
            own decays, also without ``per_neuron``; learned ones begin there. Readouts that do not
            spike have none.
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
    tau_spread: float = 0.0

    default_beta: ClassVar[float] = 0.9
    same_spread: ClassVar[bool] = False  # of all time constants of a neuron

    def __post_init__(self) -> None:
        self.decay  # noqa: B018  (raises where the decays make no sense)
        if not self.threshold > 0:
            raise ValueError(f"threshold: {self.threshold} is not allowed; allowed: above 0")
        if not 0 <= self.tau_spread <= 1:
            raise ValueError(f"tau_spread: {self.tau_spread} is not allowed; allowed: from 0 to 1")

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
        decays = self._decays()
        spread: dict[str, Tensor] = {}
        if self.tau_spread > 0:
            spread = spread_decays(decays, self.tau_spread, shape[0], self.same_spread)
        values = {"beta": self.decay, "threshold": self.threshold, **decays, **self._strengths()}
        for name, value in values.items():
            learned = getattr(self, f"learn_{name}")
            self._set(neuron, name, value, learned, shape, spread.get(name))
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
            "alif, adlif, rleaky, rsynaptic, ralif, radlif"
        )

    def integrator(self) -> "NeuronFactory":
        """Neurons with the dynamics that a readout of these has."""
        return self

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

    def _decays(self) -> dict[str, float]:
        """All decays per step, by the names of the neuron's parameters."""
        return {"beta": self.decay}

    def _strengths(self) -> dict[str, float]:
        """The neuron's other parameters beside its threshold."""
        return {}

    def _set(
        self,
        neuron: Any,
        name: str,
        value: float,
        learn: bool,
        shape: tuple[int, ...],
        spread: Tensor | None,
    ) -> None:
        """Replace a parameter of the neuron by one of the right shape, learnable or not.

        ``spread`` has a value for each neuron (channel), which then counts.

        Done here and not through snnTorch's constructors, of which some refuse a vector or a
        learnable decay.
        """
        each = (shape[0], *[1] * (len(shape) - 1))
        if spread is None:
            tensor = torch.full(each if self.per_neuron else (), value, dtype=torch.float32)
        else:
            tensor = spread.view(each)
        delattr(neuron, name)
        if learn:
            neuron.register_parameter(name, nn.Parameter(tensor))
        else:
            neuron.register_buffer(name, tensor)


@dataclass(frozen=True)
class LeakyFactory(NeuronFactory):
    """Leaky integrate-and-fire neurons (``snntorch.Leaky``)."""

    def with_recurrence(self) -> NeuronFactory:
        return RLeakyFactory(**shared(self, RLeakyFactory))

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
        return RSynapticFactory(**shared(self, RSynapticFactory))

    def _decays(self) -> dict[str, float]:
        return {"beta": self.decay, "alpha": self.decay_syn}

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
    slowly than ``beta`` (``tau``). 0.9 and 0.8 when neither is given. Under ``tau_spread`` the two
    of a neuron are longer or shorter by the same factor.
    """

    reset: str = "zero"

    default_beta: ClassVar[float] = 0.8
    default_alpha: ClassVar[float] = 0.9
    same_spread: ClassVar[bool] = True

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
        return LeakyFactory(**shared(self, LeakyFactory))

    def with_recurrence(self) -> NeuronFactory:
        return self

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.RLeaky(
            self.decay,
            linear_features=only_dimension(shape),
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
        return SynapticFactory(**shared(self, SynapticFactory))

    def with_recurrence(self) -> NeuronFactory:
        return self

    def _neuron(self, shape: tuple[int, ...], spike_grad: nn.Module | None, reset: str) -> Any:
        return snntorch.RSynaptic(
            self.decay_syn,
            self.decay,
            linear_features=only_dimension(shape),
            spike_grad=spike_grad,
            reset_mechanism=reset,
            learn_recurrent=self.learn_recurrent,
        )


def shared(factory: NeuronFactory, target: type[NeuronFactory]) -> dict[str, Any]:
    """The values of a factory for another one, as far as that has them."""
    return {f.name: getattr(factory, f.name) for f in fields(target) if hasattr(factory, f.name)}


def only_dimension(shape: tuple[int, ...]) -> int:
    """The number of neurons of a layer that may be recurrent.

    Raises:
        ValueError: it has more than one dimension.
    """
    if len(shape) != 1:
        raise ValueError(
            "neuron: recurrent neurons need a layer of one dimension; allowed with a "
            "convolution: leaky, synaptic, alpha, lapicque, alif, adlif"
        )
    return shape[0]
