"""A network over a long sequence, part by part: truncated gradients, and less memory."""

import itertools
import math
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from surrolab.models.layer import LayerState

if TYPE_CHECKING:
    from surrolab.models.network import Network, NetworkOutput

States = dict[str, LayerState]


def in_parts(network: "Network", x_TBF: Tensor, lengths_B: Tensor | None) -> "NetworkOutput":
    """The same output as in one go; see the attributes of :class:`~surrolab.models.Network`."""
    from surrolab.models.network import NetworkOutput

    total = len(x_TBF)
    kept = network.checkpoint_steps is None or not network.training
    cuts = {0, total}
    if not kept:
        cuts |= set(range(0, total, network.checkpoint_steps or math.ceil(math.sqrt(total))))
    truncated = set(range(0, total, network.truncate_steps)) if network.truncate_steps else set()
    edges = sorted(cuts | truncated)
    readouts: list[Tensor] = []
    spikes: dict[str, list[Tensor]] = {}
    counts: dict[str, Tensor] = {}
    states: States | None = None
    for first, end in itertools.pairwise(edges):
        if states is not None and first in truncated:
            states = {name: _detached(state) for name, state in states.items()}
        part = x_TBF[first:end]
        lengths = None if lengths_B is None else lengths_B - first
        if kept:
            y, passes = network.run(part, states=states, lengths_B=lengths)
            for name, done in passes.items():
                if name != "readout":
                    spikes.setdefault(name, []).append(done.spk)
            states = {name: done.state for name, done in passes.items()}
        else:
            y, states, found = cast(
                tuple[Tensor, States, list[tuple[str, Tensor]]],
                checkpoint(_counted, network, part, states, lengths, use_reentrant=False),
            )
            counts = {name: n if name not in counts else counts[name] + n for name, n in found}
        readouts.append(y)
    assert states is not None
    return NetworkOutput(
        torch.cat(readouts),
        {name: torch.cat(parts) for name, parts in spikes.items()},
        {name: state.neurons.mem for name, state in states.items()},
        {},
        counts,
    )


def _counted(
    network: "Network", x_TBF: Tensor, states: States | None, lengths_B: Tensor | None
) -> tuple[Tensor, States, list[tuple[str, Tensor]]]:
    """The readout, the states, and how often each hidden neuron fired in the valid steps."""
    y, passes = network.run(x_TBF, states=states, lengths_B=lengths_B)
    hidden = [(name, done) for name, done in passes.items() if name != "readout"]
    return (
        y,
        {name: done.state for name, done in passes.items()},
        [(name, count_spikes(done.spk, lengths_B)) for name, done in hidden],
    )


def count_spikes(spk_TBN: Tensor, lengths_B: Tensor | None = None) -> Tensor:
    """How often each neuron fired in the valid steps of a batch, float32 ``[N...]``.

    Exact, as no batch has 2^24 spikes of one neuron. All steps are valid unless ``lengths_B`` says
    how many of each sample are.
    """
    if lengths_B is not None and int(lengths_B.min()) < len(spk_TBN):
        valid_TB = torch.arange(len(spk_TBN), device=spk_TBN.device)[:, None] < lengths_B
        spk_TBN = spk_TBN * valid_TB.view(*valid_TB.shape, *[1] * (spk_TBN.ndim - 2))
    return spk_TBN.sum((0, 1), dtype=torch.float32)


def _detached(state: LayerState) -> LayerState:
    fields: Any = [field.detach() for field in state.neurons]
    past = None if state.past is None else state.past.detach()
    return state._replace(neurons=type(state.neurons)(*fields), past=past)
