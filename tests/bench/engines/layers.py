"""The contenders with synapses: ``(x_TBN, fcs) -> spk_TBN`` through layers of Linear and LIF.

The weights are given as ``nn.Linear`` without bias, the same ones to all contenders in turn.
"""

from collections.abc import Callable
from typing import Any

import torch
from neurons import BASELINE, Neurons, is_ours, leaky, makers, snntorch_steps
from torch import Tensor, nn

Layers = Callable[[Tensor, list[nn.Linear]], Tensor]
RATE = 0.1  # of the input spikes
HOISTED = "snnTorch, fc over all T"
PRODUCTS = "matrix products alone"


def synapses(width: int, depth: int, device: str) -> list[nn.Linear]:
    """Weights large enough for every layer to fire."""
    torch.manual_seed(0)
    fcs = [nn.Linear(width, width, bias=False, device=device) for _ in range(depth)]
    with torch.no_grad():
        for fc in fcs:
            fc.weight.mul_(2)
    return fcs


def sparse(fc: nn.Linear) -> Callable[[Tensor], Tensor]:
    """Our linear layer that makes use of spikes being few, with the weights of ``fc``."""
    from surrolab.synapses import SpikeLinear

    made = SpikeLinear(fc.in_features, fc.out_features, bias=False)
    made.weight = fc.weight
    synapse: Callable[[Tensor], Tensor] = made
    return synapse


def _idiom() -> Layers:
    # The whole network is called in every step.
    def run(x_TBN: Tensor, fcs: list[nn.Linear]) -> Tensor:
        neurons = [leaky() for _ in fcs]
        mems: list[Any] = [None] * len(fcs)
        spks = []
        for spk in x_TBN.unbind():
            for index, fc in enumerate(fcs):
                cur = fc(spk)
                if mems[index] is None:
                    mems[index] = torch.zeros_like(cur)
                spk, mems[index] = neurons[index](cur, mems[index])
            spks.append(spk)
        return torch.stack(spks)

    return run


def _hoisted(neurons: Neurons, synapse: Any = lambda fc: fc) -> Layers:
    # One matrix product over all steps, layer by layer.
    known: dict[nn.Linear, Callable[[Tensor], Tensor]] = {}

    def run(x_TBN: Tensor, fcs: list[nn.Linear]) -> Tensor:
        for fc in fcs:
            if fc not in known:
                known[fc] = synapse(fc)
            x_TBN = neurons(known[fc](x_TBN))
        return x_TBN

    return run


def _products() -> Layers:
    def run(x_TBN: Tensor, fcs: list[nn.Linear]) -> Tensor:
        for fc in fcs:
            x_TBN = fc(x_TBN)
        return x_TBN

    return run


def layer_makers(device: str) -> dict[str, Callable[[], Layers]]:
    """All of them by name, the baseline first; ours also with the sparse linear layer."""
    made: dict[str, Callable[[], Layers]] = {BASELINE: _idiom}
    neuron = leaky()
    made[HOISTED] = lambda: _hoisted(lambda cur_TBN: snntorch_steps(neuron, cur_TBN.unbind()))

    def add(name: str, make: Callable[[], Neurons]) -> None:
        made[name] = lambda: _hoisted(make())
        if is_ours(name) and name != "stepwise":
            made[f"{name}, sparse"] = lambda: _hoisted(make(), sparse)

    for name, make in makers(device).items():
        if name != BASELINE and "formula" not in name:
            add(name, make)
    return made | {PRODUCTS: _products}
