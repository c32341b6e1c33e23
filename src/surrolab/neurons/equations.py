"""The published update of each neuron, one time step at a time.

These are the equations that every engine computes. Symbols: ``U`` membrane potential, ``I`` input
current, ``S`` spikes, ``R[t] = S[t-1]`` the reset signal, ``theta`` threshold, ``beta`` the decay
of the membrane per step, ``alpha`` that of the synaptic current, ``g`` the input scale (1, or
``1 - beta``). A spike is fired where ``U > theta``.

One choice is made for all of them, where snnTorch makes several: the reset acts on the membrane of
the step before. ``subtract`` takes ``theta`` off after the decay; ``zero`` puts the membrane to
zero before the decay, so that the input of the step is kept and the synaptic current is untouched.
``A`` and ``w`` are what adaptation adds: to the threshold, and to the current, with the decay
``rho``. Only the reset is cut by ``detach_reset``: gradient always flows from adaptation to the
spikes that brought it about.

Sources: Eshraghian et al. 2023 (doi:10.1109/JPROC.2023.3308088) for the discrete updates;
Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics (doi:10.1017/CBO9781107447615), for the
continuous ones.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import snntorch
import torch
from torch import Tensor, nn

from surrolab.neurons.adaptive import ALIF, AdaptiveNeuron, AdLIF

ResetMode: TypeAlias = Literal["subtract", "zero", "none"]


class LeakyState(NamedTuple):
    """State of ``Leaky`` and ``Lapicque``: the membrane potential ``[B, N]``."""

    mem: Tensor


class SynapticState(NamedTuple):
    """State of ``Synaptic``: synaptic current and membrane potential, each ``[B, N]``."""

    syn: Tensor
    mem: Tensor


class AlphaState(NamedTuple):
    """State of ``Alpha``: its two currents and the membrane potential, each ``[B, N]``."""

    syn_exc: Tensor
    syn_inh: Tensor
    mem: Tensor


class RLeakyState(NamedTuple):
    """State of ``RLeaky``: spikes of the last step and membrane potential, each ``[B, N]``."""

    spk: Tensor
    mem: Tensor


class RSynapticState(NamedTuple):
    """State of ``RSynaptic``: spikes of the last step, current, membrane, each ``[B, N]``."""

    spk: Tensor
    syn: Tensor
    mem: Tensor


class AdaptiveState(NamedTuple):
    """State of ``ALIF`` and ``AdLIF``: adaptation and membrane potential, each ``[B, N]``."""

    adapt: Tensor
    mem: Tensor


class RAdaptiveState(NamedTuple):
    """The same with recurrence: spikes of the last step, adaptation, membrane, each ``[B, N]``."""

    spk: Tensor
    adapt: Tensor
    mem: Tensor


State: TypeAlias = (
    LeakyState
    | SynapticState
    | AlphaState
    | RLeakyState
    | RSynapticState
    | AdaptiveState
    | RAdaptiveState
)


def _reset(mem: Tensor, r: Tensor, mode: ResetMode) -> Tensor:
    return (1 - r) * mem if mode == "zero" else mem


def _subtract(mem: Tensor, r: Tensor, threshold: Tensor, mode: ResetMode) -> Tensor:
    return mem - r * threshold if mode == "subtract" else mem


@dataclass(frozen=True)
class Equation:
    """One step of a neuron: parameters, and how the state moves.

    ``beta``, ``threshold`` and whatever else the neuron has are scalars or broadcast over
    ``[B, N]``. ``reset`` is the reset mode, ``gain`` the input scale, which ``step`` expects to
    have been applied to its current already; only the recurrent input is scaled inside.
    """

    beta: Tensor
    threshold: Tensor
    reset: ResetMode
    gain: Tensor | None

    def start(self, cur_BN: Tensor) -> State:
        """The state at rest."""
        raise NotImplementedError

    def step(self, cur_BN: Tensor, state: Any, r: Tensor, s: Tensor) -> State:
        """The next state, fields: see the state types.

        ``s`` are the spikes of the step before ``[B, N]``, ``r`` the same as the reset signal,
        which may be detached.
        """
        raise NotImplementedError

    def level(self, state: Any) -> Tensor:
        """What the membrane has to exceed in that state for a spike."""
        return self.threshold


@dataclass(frozen=True)
class LeakyEquation(Equation):
    """Leaky integrate-and-fire: ``U[t] = beta U[t-1] + g I[t] - R[t] theta``.

    The exact solution of ``tau dU/dt = -U + I`` over a step of constant input is
    ``beta = exp(-dt/tau)`` with ``g = 1 - beta``; ``g = 1`` takes the factor into the weights.
    Lapicque's neuron (Lapicque 1907) is the same with ``I`` scaled by its resistance.
    """

    def start(self, cur_BN: Tensor) -> LeakyState:
        return LeakyState(torch.zeros_like(cur_BN))

    def step(self, cur_BN: Tensor, state: LeakyState, r: Tensor, s: Tensor) -> LeakyState:
        mem = self.beta * _reset(state.mem, r, self.reset) + cur_BN
        return LeakyState(_subtract(mem, r, self.threshold, self.reset))


@dataclass(frozen=True)
class SynapticEquation(Equation):
    """Current-based LIF: the membrane of the leaky neuron driven by a synaptic current.

    ``I_syn[t] = alpha I_syn[t-1] + g I[t]``, ``U[t] = beta U[t-1] + I_syn[t] - R[t] theta``.
    """

    alpha: Tensor

    def start(self, cur_BN: Tensor) -> SynapticState:
        return SynapticState(torch.zeros_like(cur_BN), torch.zeros_like(cur_BN))

    def step(self, cur_BN: Tensor, state: SynapticState, r: Tensor, s: Tensor) -> SynapticState:
        syn = self.alpha * state.syn + cur_BN
        mem = self.beta * _reset(state.mem, r, self.reset) + syn
        return SynapticState(syn, _subtract(mem, r, self.threshold, self.reset))


@dataclass(frozen=True)
class AlphaEquation(Equation):
    """Spike-response neuron whose kernel is a difference of exponentials.

    ``E[t] = alpha E[t-1] + I[t]``, ``J[t] = beta J[t-1] - I[t]``, ``U = tau_alpha (E + J)`` with
    ``tau_alpha = ln(alpha) / (ln(beta) - ln(alpha)) + 1`` and ``alpha > beta``.

    The membrane is a function of the two currents, so a reset has to act on them: ``subtract``
    takes ``theta / tau_alpha`` off ``E``, which lowers ``U`` by ``theta`` and decays with
    ``alpha`` (the refractory kernel of the spike response model, Gerstner & Kistler 2002,
    doi:10.1017/CBO9780511815706); ``zero`` empties both before the decay.
    """

    alpha: Tensor

    def start(self, cur_BN: Tensor) -> AlphaState:
        zero = torch.zeros_like(cur_BN)
        return AlphaState(zero, zero, zero)

    def step(self, cur_BN: Tensor, state: AlphaState, r: Tensor, s: Tensor) -> AlphaState:
        log_alpha, log_beta = torch.log(self.alpha), torch.log(self.beta)
        tau_alpha = log_alpha / (log_beta - log_alpha) + 1
        exc = self.alpha * _reset(state.syn_exc, r, self.reset) + cur_BN
        inh = self.beta * _reset(state.syn_inh, r, self.reset) - cur_BN
        exc = _subtract(exc, r, self.threshold / tau_alpha, self.reset)
        return AlphaState(exc, inh, tau_alpha * (exc + inh))


@dataclass(frozen=True)
class RLeakyEquation(Equation):
    """Leaky with recurrence: ``U[t] = beta U[t-1] + g I[t] + g V S[t-1] - R[t] theta``."""

    recurrent: nn.Module

    def start(self, cur_BN: Tensor) -> RLeakyState:
        return RLeakyState(torch.zeros_like(cur_BN), torch.zeros_like(cur_BN))

    def step(self, cur_BN: Tensor, state: RLeakyState, r: Tensor, s: Tensor) -> RLeakyState:
        feedback = self.recurrent(state.spk)
        if self.gain is not None:
            feedback = self.gain * feedback
        mem = self.beta * _reset(state.mem, r, self.reset) + cur_BN + feedback
        return RLeakyState(state.spk, _subtract(mem, r, self.threshold, self.reset))


@dataclass(frozen=True)
class RSynapticEquation(Equation):
    """Current-based LIF with recurrence, which enters the synaptic current."""

    alpha: Tensor
    recurrent: nn.Module

    def start(self, cur_BN: Tensor) -> RSynapticState:
        zero = torch.zeros_like(cur_BN)
        return RSynapticState(zero, zero, zero)

    def step(self, cur_BN: Tensor, state: RSynapticState, r: Tensor, s: Tensor) -> RSynapticState:
        feedback = self.recurrent(state.spk)
        if self.gain is not None:
            feedback = self.gain * feedback
        syn = self.alpha * state.syn + cur_BN + feedback
        mem = self.beta * _reset(state.mem, r, self.reset) + syn
        return RSynapticState(state.spk, syn, _subtract(mem, r, self.threshold, self.reset))


@dataclass(frozen=True)
class _AdaptiveEquation(Equation):
    """What both have: the decay of the adaptation, and maybe recurrence."""

    rho: Tensor
    recurrent: nn.Module | None

    def start(self, cur_BN: Tensor) -> AdaptiveState | RAdaptiveState:
        zero = torch.zeros_like(cur_BN)
        if self.recurrent is None:
            return AdaptiveState(zero, zero)
        return RAdaptiveState(zero, zero, zero)

    def _driven(self, cur_BN: Tensor, state: Any, r: Tensor) -> Tensor:
        """The membrane with all its input, before adaptation and reset."""
        mem = self.beta * _reset(state.mem, r, self.reset) + cur_BN
        if self.recurrent is None:
            return mem
        feedback: Tensor = self.recurrent(state.spk)
        return mem + (feedback if self.gain is None else self.gain * feedback)


@dataclass(frozen=True)
class ALIFEquation(_AdaptiveEquation):
    """Adaptive leaky integrate-and-fire, the neuron of LSNNs: the threshold rises with each spike.

    ``A[t] = rho A[t-1] + S[t-1]``, a spike where ``U[t] > theta + kappa A[t]``, and
    ``U[t] = beta U[t-1] + g I[t] + g V S[t-1] - R[t] (theta + kappa A[t-1])``: ``subtract`` takes
    off the threshold that was crossed.

    Bellec et al. 2018 (arXiv:1803.09574), with ``A = b / (1 - rho)``: their ``beta`` is
    ``kappa / (1 - rho)`` here, their ``beta = 1.8`` at a threshold of 0.01 and an adaptation of
    1200 ms a rise of 0.15 thresholds for each spike.
    """

    kappa: Tensor

    def level(self, state: Any) -> Tensor:
        adapt: Tensor = state.adapt
        return self.kappa * adapt + self.threshold

    def step(self, cur_BN: Tensor, state: Any, r: Tensor, s: Tensor) -> State:
        mem = _subtract(self._driven(cur_BN, state, r), r, self.level(state), self.reset)
        return state._replace(adapt=self.rho * state.adapt + s, mem=mem)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AdLIFEquation(_AdaptiveEquation):
    """Leaky integrate-and-fire with an adaptation current, subthreshold and spike-triggered.

    ``w[t] = rho w[t-1] + a U[t-1] + b S[t-1]``,
    ``U[t] = beta U[t-1] + g (I[t] + V S[t-1] - w[t]) - R[t] theta``.

    Bittar & Garner 2022 (doi:10.3389/fnins.2022.865897), with ``g = 1 - beta``; they take the reset
    off before the decay. With ``g = 1`` their ``a`` and ``b`` are to be multiplied by ``1 - beta``.
    """

    a: Tensor
    b: Tensor

    def step(self, cur_BN: Tensor, state: Any, r: Tensor, s: Tensor) -> State:
        adapt = self.rho * state.adapt + self.a * state.mem + self.b * s
        back = adapt if self.gain is None else self.gain * adapt
        mem = self._driven(cur_BN, state, r) - back
        mem = _subtract(mem, r, self.threshold, self.reset)
        return state._replace(adapt=adapt, mem=mem)  # type: ignore[no-any-return]


_WRAPPED = (
    snntorch.Leaky,
    snntorch.Synaptic,
    snntorch.Alpha,
    snntorch.Lapicque,
    snntorch.RLeaky,
    snntorch.RSynaptic,
)
_OWN: tuple[type[AdaptiveNeuron], ...] = (ALIF, AdLIF)


def equation_of(neuron: Any, reset: ResetMode, gain: Tensor | None) -> Equation:
    """The equation of a neuron, with the parameters that the neuron owns.

    Raises:
        TypeError: if it is neither one of snnTorch's six that are wrapped here nor one of ours.
    """
    kind = type(neuron)
    if kind not in (*_WRAPPED, *_OWN):
        names = ", ".join(neuron.__name__ for neuron in (*_WRAPPED, *_OWN))
        raise TypeError(f"neuron: {kind.__name__} is not supported; allowed: {names}")
    common = (neuron.beta.clamp(0, 1), neuron.threshold, reset, gain)
    if kind in (snntorch.Leaky, snntorch.Lapicque):
        return LeakyEquation(*common)
    if kind in _OWN:
        adaptive = (*common, neuron.rho.clamp(0, 1), getattr(neuron, "recurrent", None))
        if kind is ALIF:
            return ALIFEquation(*adaptive, neuron.strength("threshold_step"))
        return AdLIFEquation(*adaptive, neuron.strength("a"), neuron.strength("b"))
    if kind is snntorch.Synaptic:
        return SynapticEquation(*common, neuron.alpha.clamp(0, 1))
    if kind is snntorch.Alpha:
        return AlphaEquation(*common, neuron.alpha.clamp(0, 1))
    if kind is snntorch.RLeaky:
        return RLeakyEquation(*common, neuron.recurrent)
    return RSynapticEquation(*common, neuron.alpha.clamp(0, 1), neuron.recurrent)
