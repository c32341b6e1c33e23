"""A layer of spiking neurons over a whole sequence, and the readout that does not spike."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import snntorch
import torch
from torch import Tensor, nn

from surrolab.native import CompilerError
from surrolab.neurons import engines, stepwise
from surrolab.neurons.adaptive import AdaptiveNeuron
from surrolab.neurons.engines import ENGINES, Choice
from surrolab.neurons.equations import Equation, ResetMode, State, equation_of
from surrolab.neurons.fused import Unsupported, fused
from surrolab.neurons.record import Record
from surrolab.surrogates import Surrogate

InputScale: TypeAlias = Literal["none", "one_minus_beta"]
INPUT_SCALES = ("none", "one_minus_beta")

# A learned threshold at or below zero would make a resting neuron fire for ever.
MIN_THRESHOLD = 0.01


class LayerOutput(NamedTuple):
    """``out_TBN`` (spikes, or a readout's membrane), final ``state``, ``record`` if asked for."""

    out: Tensor
    state: State
    record: Record | None


class NeuronLayer(nn.Module):
    """A neuron, unrolled over time; base of :class:`SpikingLayer` and :class:`Readout`.

    The wrapped ``neuron`` owns the parameters (``beta``, ``threshold``, reset); they may be
    scalars or tensors that broadcast over ``[B, N]``, learnable or not. Learnable decays are kept
    in [0, 1] and thresholds above 0 by projection at the start of each forward pass (snnTorch
    clamps in the graph instead, where a decay that has left [0, 1] gets no gradient and stays).

    The neuron is taken out of ``snntorch.SpikingNeuron.instances``, snnTorch's class-level list
    that keeps every neuron alive and lets one model reset another's state.
    """

    def __init__(
        self,
        neuron: nn.Module,
        engine: str = "auto",
        detach_reset: bool = True,
        input_scale: InputScale | None = None,
        overwrite_membrane: bool = False,
    ) -> None:
        super().__init__()
        _check_options(neuron)
        if engine not in ENGINES:
            raise ValueError(f"engine: {engine!r} is not available; allowed: {', '.join(ENGINES)}")
        if input_scale is None:
            # Lapicque's RC circuit charges by (1 - beta) R I; the others leave that to the weights.
            input_scale = "one_minus_beta" if type(neuron) is snntorch.Lapicque else "none"
        if input_scale not in INPUT_SCALES:
            raise ValueError(
                f"input_scale: {input_scale!r} is unknown; allowed: {', '.join(INPUT_SCALES)}"
            )
        instances = snntorch.SpikingNeuron.instances
        instances[:] = [other for other in instances if other is not neuron]
        self.neuron: Any = neuron
        self.engine = engine
        self.detach_reset = detach_reset
        self.input_scale = input_scale
        self.overwrite_membrane = overwrite_membrane
        self._failed: frozenset[str] = frozenset()  # engines that do not work, for this layer
        # Takes the place of the hard step, from U - theta to spikes: a surrogate's smooth_step, or
        # a draw of escape noise. For diagnostics; None is the surrogate itself.
        self.fire: Callable[[Tensor], Tensor] | None = None
        equation_of(neuron, self.reset, None)

    @property
    def reset(self) -> ResetMode:
        """``subtract``, ``zero`` or ``none``."""
        reset: ResetMode = self.neuron.reset_mechanism
        return reset

    @property
    def surrogate(self) -> Any:
        """What fires: a :class:`surrolab.surrogates.Surrogate` or any ``spike_grad``."""
        return self.neuron.spike_grad

    def extra_repr(self) -> str:
        return (
            f"engine={self.engine!r}, reset={self.reset!r}, detach_reset={self.detach_reset}, "
            f"input_scale={self.input_scale!r}"
        )

    @property
    def spiking(self) -> bool:
        """Whether the neurons fire."""
        return True

    def choice(
        self, dtype: torch.dtype = torch.float32, device: torch.device | None = None
    ) -> Choice:
        """The engine that a current of that dtype on that device (the CPU) would be given."""
        return engines.choose(self, dtype, device or torch.device("cpu"), self._failed)

    def gain(self) -> Tensor | None:
        """The factor on the input current, or None for 1."""
        gain = 1 - self.neuron.beta.clamp(0, 1) if self.input_scale == "one_minus_beta" else None
        if type(self.neuron) is snntorch.Lapicque and not _is_one(self.neuron.R):
            gain = self.neuron.R if gain is None else gain * self.neuron.R
        return gain

    def prepare(self, cur_TBN: Tensor) -> tuple[Tensor, Equation]:
        """The current as the neuron sees it, and the equation with today's parameters."""
        gain = self.gain()
        equation = equation_of(self.neuron, self.reset, gain)
        return (cur_TBN if gain is None else gain * cur_TBN), equation

    def forward(
        self,
        cur_TBN: Tensor,
        state: State | None = None,
        record: bool = False,
        steps: int | None = None,
    ) -> LayerOutput:
        """Run a current through the neurons.

        Args:
            cur_TBN: ``[T, B, N...]``; the output has its dtype.
            state: where to start; at rest unless given.
            record: whether the output is to carry the membrane potential and, after backward, its
                gradient.
            steps: a current ``[1, B, N...]`` is the same in so many steps.
        """
        if steps is not None and (len(cur_TBN) != 1 or steps < 1):
            raise ValueError(
                f"steps: {steps} with a current of {len(cur_TBN)} steps; allowed: at least 1, "
                "with a current of one step"
            )
        self._project()
        without = self._failed
        while True:
            choice = engines.choose(self, cur_TBN.dtype, cur_TBN.device, without)
            if choice.engine is None:
                if steps is not None:
                    cur_TBN = cur_TBN.expand(steps, *cur_TBN.shape[1:])
                return LayerOutput(*self._stepwise(cur_TBN, state, record))
            try:
                return LayerOutput(*fused(self, choice.engine, cur_TBN, steps, state, record))
            except (CompilerError, Unsupported) as error:
                engines.failed(self.engine, choice, error)
                without |= {choice.name}
                if isinstance(error, CompilerError):
                    self._failed |= {choice.name}

    def _stepwise(
        self, cur_TBN: Tensor, state: State | None, record: bool
    ) -> tuple[Tensor, State, Record | None]:
        raise NotImplementedError

    def _project(self) -> None:
        # Through .data: a graph of an earlier forward pass stays good for its backward.
        for name, parameter in self.neuron._parameters.items():
            if parameter is not None and name in ("beta", "alpha", "rho"):
                parameter.data.clamp_(0, 1)
            elif parameter is not None and name == "threshold":
                parameter.data.clamp_(min=MIN_THRESHOLD)
            elif parameter is not None and name == "threshold_step":
                parameter.data.clamp_(min=0)
        surrogate = self.surrogate
        if isinstance(surrogate, Surrogate) and surrogate._parameters:
            surrogate.project()


class SpikingLayer(NeuronLayer):
    """Spiking neurons over a sequence: current in, spikes out.

    Args:
        neuron: a ``snntorch.Leaky``, ``Synaptic``, ``Alpha``, ``Lapicque``, ``RLeaky`` or
            ``RSynaptic``, with any ``spike_grad``, whose hidden state is not used; or an
            :class:`surrolab.neurons.ALIF` or :class:`surrolab.neurons.AdLIF`.
        engine: ``auto``, ``stepwise``, ``torch``, ``native`` or ``triton``; one that cannot compute
            this layer gives way to the next, see :meth:`choice`.
        detach_reset: whether the gradient through the reset is cut.
        input_scale: ``none``, or ``one_minus_beta`` for a current that is scaled by
            ``1 - beta``; None means the neuron's own (``one_minus_beta`` for Lapicque).
        overwrite_membrane: whether the gradient is written over the saved membrane, which takes
            less memory and time, and refuses a second backward pass of the same graph.

    Raises:
        TypeError: the neuron is none of these.
        ValueError: an unknown option, or a snnTorch option that has no counterpart here
            (``init_hidden``, ``inhibition``, ``state_quant``, ``surrogate_disable``, graded
            spikes, ``reset_delay=False``).
    """

    def __init__(
        self,
        neuron: nn.Module,
        engine: str = "auto",
        detach_reset: bool = True,
        input_scale: InputScale | None = None,
        overwrite_membrane: bool = False,
    ) -> None:
        super().__init__(neuron, engine, detach_reset, input_scale, overwrite_membrane)
        self.correction = stepwise.correction(self)

    def _stepwise(
        self, cur_TBN: Tensor, state: State | None, record: bool
    ) -> tuple[Tensor, State, Record | None]:
        return stepwise.spikes(self, cur_TBN, state, record)


class Readout(NeuronLayer):
    """Leaky readout that integrates and does not spike: current in, membrane potential out.

    Args:
        neuron: as for :class:`SpikingLayer`, without recurrence; its ``reset_mechanism`` has to
            be ``none``, and its threshold is not used.
        engine, input_scale: as for :class:`SpikingLayer`.
    """

    def __init__(
        self, neuron: nn.Module, engine: str = "auto", input_scale: InputScale | None = None
    ) -> None:
        super().__init__(neuron, engine, True, input_scale)
        if self.reset != "none":
            raise ValueError(
                f"reset: {self.reset!r} in a readout that does not spike; allowed: none"
            )
        if hasattr(neuron, "recurrent"):
            raise ValueError("neuron: a readout has no recurrence; allowed: Leaky, Synaptic, Alpha")
        if isinstance(neuron, AdaptiveNeuron):
            raise ValueError("neuron: a readout does not adapt; allowed: Leaky, Synaptic, Alpha")

    @property
    def spiking(self) -> bool:
        return False

    def _stepwise(
        self, cur_TBN: Tensor, state: State | None, record: bool
    ) -> tuple[Tensor, State, Record | None]:
        return stepwise.membranes(self, cur_TBN, state, record)


def _is_one(value: Tensor) -> bool:
    return value.numel() == 1 and float(value) == 1.0


def _check_options(neuron: nn.Module) -> None:
    """Refuse what snnTorch offers and no engine here reproduces."""
    if isinstance(neuron, AdaptiveNeuron):
        return
    if not isinstance(neuron, snntorch.SpikingNeuron):
        raise TypeError(f"neuron: {type(neuron).__name__} is not a snnTorch neuron")
    graded = neuron.graded_spikes_factor
    for name, unusual in {
        "init_hidden": neuron.init_hidden,
        "inhibition": neuron.inhibition,
        "state_quant": bool(neuron.state_quant),
        "surrogate_disable": neuron.surrogate_disable,
        "graded_spikes_factor": isinstance(graded, nn.Parameter) or not _is_one(graded),
        "reset_delay": not getattr(neuron, "reset_delay", True),
    }.items():
        if unusual:
            raise ValueError(f"{name}: not supported in a layer; allowed: snnTorch's default")
