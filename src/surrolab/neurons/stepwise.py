"""The engine that steps through time with snnTorch's own step, corrected where that is wrong."""

from typing import TYPE_CHECKING, Any

import snntorch
import torch
from torch import Tensor

from surrolab.neurons.adaptive import AdaptiveNeuron
from surrolab.neurons.equations import Equation, State
from surrolab.neurons.record import Record, SteppedRecord

if TYPE_CHECKING:
    from surrolab.neurons.layer import NeuronLayer

# Where snnTorch 1.0.0 computes the published update; tests compare it to the bit.
_RIGHT = {
    snntorch.Leaky: ("subtract", "zero", "none"),
    snntorch.Synaptic: ("subtract", "none"),
    snntorch.Alpha: ("none",),
    snntorch.RLeaky: ("subtract", "none"),
    snntorch.RSynaptic: ("subtract", "none"),
}


def correction(layer: "NeuronLayer") -> str | None:
    """Why snnTorch's own step is not used for this layer, or None where it is."""
    kind = type(layer.neuron)
    if isinstance(layer.neuron, AdaptiveNeuron):
        return "snnTorch has no neuron that adapts"
    if kind is snntorch.Lapicque:
        return "snnTorch's Lapicque decays by 1 + ln(beta) instead of beta"
    if kind is snntorch.Alpha and layer.reset == "subtract":
        return "snnTorch's Alpha does not subtract the threshold from the membrane"
    if layer.reset not in _RIGHT[kind]:
        return f"snnTorch's {kind.__name__} drops the input of the step in which it resets"
    if layer.reset != "none" and not layer.detach_reset:
        return "snnTorch's step always detaches the reset"
    if hasattr(layer.neuron, "recurrent") and layer.input_scale != "none":
        return "snnTorch's step cannot scale the recurrent input"
    return None


def spikes(
    layer: "NeuronLayer", cur_TBN: Tensor, state: State | None, record: bool
) -> tuple[Tensor, State, Record | None]:
    """``spk_TBN``, the final state and the record of a layer that spikes."""
    cur_TBN, equation = layer.prepare(cur_TBN)
    memory = SteppedRecord(equation.threshold) if record else None
    if correction(layer) is None and layer.fire is None:
        start = equation.start(cur_TBN[0]) if state is None else state
        spk, state = _snntorch_steps(layer, cur_TBN, start, memory)
    else:
        spk, state = _own_steps(layer, equation, cur_TBN, state, memory)
    return spk, state, memory


def membranes(
    layer: "NeuronLayer", cur_TBN: Tensor, state: State | None, record: bool
) -> tuple[Tensor, State, Record | None]:
    """``mem_TBN``, the final state and the record of a layer that does not spike."""
    cur_TBN, equation = layer.prepare(cur_TBN)
    memory = SteppedRecord(equation.threshold) if record else None
    if state is None:
        state = equation.start(cur_TBN[0])
    mems = []
    for cur in cur_TBN.unbind():
        state = equation.step(cur, state, cur, cur)  # no reset: the signals are not looked at
        mems.append(state.mem)
        if memory is not None:
            memory.append(state.mem, equation.threshold)
    return torch.stack(mems), state, memory


def _snntorch_steps(
    layer: "NeuronLayer", cur_TBN: Tensor, state: Any, memory: SteppedRecord | None
) -> tuple[Tensor, State]:
    neuron = layer.neuron
    spks = []
    for cur in cur_TBN.unbind():
        out = neuron(cur, *state)
        # The recurrent neurons count their spikes as state, the others return them beside it.
        state = type(state)(*out[len(out) - len(state) :])
        spks.append(out[0])
        if memory is not None:
            memory.append(state.mem, neuron.threshold)
    _forget(neuron)
    return torch.stack(spks), state


def _own_steps(
    layer: "NeuronLayer",
    equation: Equation,
    cur_TBN: Tensor,
    state: Any,
    memory: SteppedRecord | None,
) -> tuple[Tensor, State]:
    fire = layer.surrogate if layer.fire is None else layer.fire
    if state is None:
        state = equation.start(cur_TBN[0])
        spk = torch.zeros_like(state.mem)  # at rest nothing has fired, smoothed or not
    else:
        spk = fire(state.mem - equation.level(state))
    spks = []
    for cur in cur_TBN.unbind():
        state = equation.step(cur, state, spk.detach() if layer.detach_reset else spk, spk)
        level = equation.level(state)
        if memory is not None:
            memory.append(state.mem, level)
        spk = fire(state.mem - level)
        if hasattr(state, "spk"):
            state = state._replace(spk=spk)
        spks.append(spk)
    return torch.stack(spks), state


def _forget(neuron: Any) -> None:
    """Drop the state that snnTorch's step left in the neuron, and the graph it holds."""
    for name in ("spk", "syn", "syn_exc", "syn_inh", "mem"):
        if hasattr(neuron, name):
            setattr(neuron, name, torch.zeros(0, device=neuron.threshold.device))
    neuron.reset = None
