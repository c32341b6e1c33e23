"""What is known of each layer of a task, from its probe batch: the facts behind the findings."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from surrolab.data import Batch
from surrolab.diagnostics.findings import Growth, LayerFacts
from surrolab.diagnostics.flow import Flow, free_membrane, valid_steps
from surrolab.diagnostics.remedies import gain_for_fluctuations, slope_for_reach
from surrolab.neurons import SpikingLayer
from surrolab.probes import MembraneDistribution
from surrolab.probes.spikes import SATURATED
from surrolab.surrogates import NoSurrogate, Surrogate
from surrolab.task import Task


def probe_facts(task: Task, flow: Flow) -> list[LayerFacts]:
    """Each layer, from the input side, as the probe batch shows it; without the remedies' numbers.

    Silent and saturated refer to the probe batch alone.
    """
    found: list[LayerFacts] = []
    layers = dict(task.network.named_layers())
    for name in flow.layers:
        silent = saturated = None
        neurons = layers[name].neurons
        if name in flow.hidden:
            rate_N = flow.hidden[name][valid_steps(flow.norm_LT.shape[1], flow.lengths_B)].mean(0)
            silent = float((rate_N == 0).double().mean())
            saturated = float((rate_N >= SATURATED).double().mean())
        window = None
        if isinstance(neurons, SpikingLayer) and isinstance(neurons.surrogate, Surrogate):
            reached = distance(flow, name) <= torch.as_tensor(neurons.surrogate.window)
            window = float(reached.double().mean())
        trained = layers[name].synapse.weight.requires_grad
        found.append(
            LayerFacts(
                name=name,
                silent=silent,
                saturated=saturated,
                gradient=flow.largest[name] if trained else None,
                window=window,
                **surrogate_facts(task, name),
            )
        )
    return told_of_silence(task, found)


def told_of_silence(task: Task, found: list[LayerFacts]) -> list[LayerFacts]:
    """The same facts of all layers, with which of them wait for spikes of layers before them."""
    silent = {facts.name for facts in found if facts.silent == 1}
    behind = task.network.wiring.behind_silence(silent)
    return [replace(facts, behind_silence=facts.name in behind) for facts in found]


def with_slope(task: Task, flow: Flow, facts: LayerFacts) -> LayerFacts:
    """The same with the slope at which a tenth of the neuron-steps lies inside the window."""
    neurons = dict(task.network.named_layers())[facts.name].neurons
    if not isinstance(neurons, SpikingLayer) or facts.true_derivative:
        return facts
    if not isinstance(neurons.surrogate, Surrogate):
        return facts
    slope = slope_for_reach(neurons.surrogate, distance(flow, facts.name))
    return replace(facts, wider_slope=slope)


def initial_gain(
    task: Task, batch: Batch, name: str, init_gain: float, init_xi: float
) -> float | None:
    """``model.init_gain`` at which an untrained layer has fluctuation-driven weights.

    Args:
        task: before its first step.
        batch: the probe batch.
        name: of a layer that spikes.
        init_gain: the present one.
        init_xi: threshold in standard deviations of the membrane.
    """
    free: Tensor = free_membrane(task, batch, name)
    threshold = dict(task.network.named_layers())[name].neurons.neuron.threshold.detach()
    gain = gain_for_fluctuations(free, threshold, init_xi)
    return None if gain is None else float(f"{init_gain * gain:.3g}")


def growth(task: Task, flow: Flow) -> Growth:
    """How the gradient changes on its way back, with what there is to change about it."""
    spiking = [
        layer.neurons
        for _, layer in task.network.named_layers()
        if isinstance(layer.neurons, SpikingLayer)
    ]
    surrogates = [layer.surrogate for layer in spiking]
    alike = len({(type(one), number(one, "scale")) for one in surrogates}) == 1
    return Growth(
        per_step=flow.growth_per_step(),
        per_layer=flow.growth_per_layer(),
        steps=flow.norm_LT.shape[1],
        layers=len(flow.hidden),
        scale=number(surrogates[0], "scale") if alike else None,
        detach_reset=all(layer.detach_reset or layer.reset == "none" for layer in spiking),
        recurrent=any(hasattr(layer.neuron, "recurrent") for layer in spiking),
        decay=max((_decay(layer.neuron) for layer in spiking), default=None),
    )


def surrogate_facts(task: Task, name: str) -> dict[str, Any]:
    """Whether the true derivative cuts the layer off, and the slope of its surrogate."""
    layers = dict(task.network.named_layers())
    blocked = {
        other
        for other, layer in layers.items()
        if isinstance(layer.neurons, SpikingLayer)
        and isinstance(layer.neurons.surrogate, NoSurrogate)
    }
    cut_off = name in task.network.wiring.cut_off(blocked)
    own = layers[name].neurons
    slope = number(own.surrogate, "slope") if isinstance(own, SpikingLayer) else None
    return {"true_derivative": cut_off, "slope": slope}


def number(surrogate: Any, name: str) -> float | None:
    """A parameter of a surrogate, the mean over neurons; None where it has none."""
    if not isinstance(surrogate, Surrogate) or not surrogate.has(name):
        return None
    return float(torch.as_tensor(getattr(surrogate, name)).detach().mean())


def distance(flow: Flow, name: str) -> Tensor:
    """``|U - theta|`` of a layer's valid neuron-steps, ``[steps, N...]``."""
    distance_TBN = (flow.membrane[name] - flow.threshold[name]).abs()
    return distance_TBN[valid_steps(flow.norm_LT.shape[1], flow.lengths_B)]


def membrane_distributions(task: Task, flow: Flow) -> dict[str, MembraneDistribution]:
    """Of each hidden layer's ``(U - theta) / theta`` on the probe batch, in this process alone."""
    found = {}
    for name, _ in task.network.hidden_layers():
        membrane = flow.membrane[name]
        found[name] = MembraneDistribution(sync_on_compute=False).to(membrane.device)
        found[name].update(membrane, flow.threshold[name], flow.lengths_B)
    return found


def relative_window(task: Task, flow: Flow, name: str) -> float:
    """Half width of a surrogate's window in thresholds, the mean over neurons; 0 without one.

    Over the valid neuron-steps, where thresholds adapt.
    """
    neurons = dict(task.network.named_layers())[name].neurons
    window = torch.as_tensor(getattr(neurons.surrogate, "window", 0.0)).detach()
    threshold = flow.threshold[name]
    if threshold.shape == flow.membrane[name].shape:
        threshold = threshold[valid_steps(flow.norm_LT.shape[1], flow.lengths_B)]
    return float((window / threshold).mean())


def _decay(neuron: Any) -> float:
    """Of a neuron's slowest state per step, the mean over the layer."""
    decays = [getattr(neuron, name) for name in ("alpha", "beta") if hasattr(neuron, name)]
    return max(float(torch.as_tensor(decay).detach().mean()) for decay in decays)
