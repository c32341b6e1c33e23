"""What a network computes per sample, in NeuroBench's terms."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_input
from torchmetrics import Metric

from surrolab.models import Network, NetworkOutput, count_spikes
from surrolab.models.wiring import INPUT
from surrolab.neurons import SpikingLayer
from surrolab.synapses import OneHot


class SynapticOperations(Metric):
    """Operations of a network over a whole pass, per sample.

    Definitions of NeuroBench (Yik et al. 2025, doi:10.1038/s41467-025-56739-4; its documentation
    and the code of 2.x, read metric by metric):

    - An *effective* operation is a non-zero input value that meets a non-zero weight. It is an
      accumulate (AC) where the input is spikes, that is values in {-1, 0, 1}, and a
      multiply-accumulate (MAC) where it is anything else. ``dense`` counts all inputs and weights.
    - ``activation_sparsity``: share of zeros in what the neurons put out.
    - ``membrane_updates``: how often a membrane potential is another than in the step before; the
      first step of a sample is an update of every neuron.
    - Biases, pooling, normalisation and the padding of a convolution are no operations.

    Where this differs:

    - A spike that arrives later, by a delay, counts once for each synapse, in the step in which it
      was fired, even where the sequence ends before it arrives.
    - Steps beyond a sample's length do not count; NeuroBench knows no lengths.
    - Whether the input of the network is spikes is decided once for the whole pass, not for each
      step and batch. What hidden layers get are spikes always. Where the spikes of several layers
      are added up, as in residual networks, an input of 3 is three accumulates: each spike is
      handed on by itself. The mean over space before a linear layer is part of its weights: each
      spike is an accumulate for each output.
    - Activation sparsity is over the layers that spike; a readout that does not has none. Membrane
      updates are over all layers, and over the samples whose membranes were recorded.

    As in NeuroBench, an input that is the same in every step counts in every step, even where it is
    multiplied once; and the recurrent weights of a step meet the spikes of the step before, so that
    those of a sample's last step meet none.

    ``compute`` gives ``effective_macs``, ``effective_acs``, ``dense``, ``activation_sparsity`` and
    ``membrane_updates``, and ``<layer>/effective_macs`` and ``<layer>/effective_acs``, float64 on
    the CPU. Counts are integers and are summed over batches and ranks.

    Args:
        network: whose layers are counted. Its weights must not change during a pass.
    """

    full_state_update = False
    feedforward: Tensor
    recurrent: Tensor
    dense: Tensor
    currents: Tensor
    active: Tensor
    activations: Tensor
    updates: Tensor
    samples: Tensor
    recorded: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._layers = list(network.layers)
        for name in ("feedforward", "recurrent"):
            zeros = torch.zeros(len(self._layers), dtype=torch.int64)
            self.add_state(name, zeros, dist_reduce_fx="sum")
        for name in ("dense", "currents", "active", "activations", "updates"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("samples", "recorded"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self._fans: dict[str, tuple[Tensor, int]] = {}

    def update(
        self,
        network: Network,
        x_TBF: Tensor,
        output: NetworkOutput,
        lengths_B: Tensor,
        spikes: Mapping[str, Tensor],
    ) -> None:
        """Count a batch.

        Args:
            network: in evaluation mode, where dropout lets all spikes through.
            x_TBF: what the first layer was given.
            output: of the network; with records, membrane updates are counted too.
            lengths_B: valid steps of each sample.
            spikes: of the batch's valid steps, per neuron of each hidden layer (its shape).
        """
        steps = int(lengths_B.sum())
        counts = {INPUT: self._inputs(x_TBF, lengths_B), **spikes}
        counts |= self._joined(network, output, lengths_B)
        for index, (name, layer) in enumerate(network.named_layers()):
            count = counts[network.wiring.wires[name].source]
            fan_out, dense = self._fan(name, layer.synapse, count)
            self.feedforward[index] += (fan_out * count).sum()
            self.dense += dense * steps
            recurrent = getattr(layer.neurons.neuron, "recurrent", None)
            if isinstance(layer.neurons, SpikingLayer):
                spk_TBN = output.y if name == "readout" else output.hidden[name]
                fired = _valid(spk_TBN != 0, lengths_B) if name == "readout" else spikes[name]
                self.active += fired.sum()
                self.activations += steps * spk_TBN[0, 0].numel()
                if recurrent is not None:
                    last_BN = spk_TBN[lengths_B - 1, torch.arange(len(lengths_B))]
                    fan_out, dense = self._fan(f"{name}.recurrent", recurrent, spikes[name])
                    before = spikes[name] - last_BN.detach().long().sum(0)
                    self.recurrent[index] += (fan_out * before).sum()
                    self.dense += dense * steps
        self.samples += len(lengths_B)
        if output.records:
            self.recorded += len(lengths_B)
            for record in output.records.values():
                mem_TBN = record.membrane
                changed = _valid(mem_TBN[1:] != mem_TBN[:-1], lengths_B - 1)
                self.updates += torch.count_nonzero(changed) + mem_TBN[0].numel()

    def compute(self) -> dict[str, Tensor]:
        samples = self.samples.cpu().double()
        feedforward, recurrent = self.feedforward.cpu() / samples, self.recurrent.cpu() / samples
        macs, acs = torch.zeros_like(feedforward), feedforward + recurrent
        if self.currents > 0:
            macs[0], acs[0] = feedforward[0], recurrent[0]
        found = {
            "effective_macs": macs.sum(),
            "effective_acs": acs.sum(),
            "dense": self.dense.cpu() / samples,
        }
        if self.activations > 0:  # there is a layer that spikes
            active = self.active.cpu().double()
            found["activation_sparsity"] = 1 - active / self.activations.cpu()
        if self.recorded > 0:
            found["membrane_updates"] = self.updates.cpu().double() / self.recorded.cpu()
        for name, mac, ac in zip(self._layers, macs, acs, strict=True):
            found |= {f"{name}/effective_macs": mac, f"{name}/effective_acs": ac}
        return found

    def reset(self) -> None:
        """Start a new pass, by then with other weights."""
        super().reset()
        self._fans = {}

    @staticmethod
    def _joined(network: Network, output: NetworkOutput, lengths_B: Tensor) -> dict[str, Tensor]:
        """Spikes in the valid steps of what is handed on by layers that join theirs with others."""
        wires = network.wiring.wires
        names = [name for name in output.hidden if wires[name].identity is not None]
        given = network.wiring.outputs(output.hidden) if names else {}
        return {name: count_spikes(given[name].detach(), lengths_B).long() for name in names}

    def _inputs(self, x_TBF: Tensor, lengths_B: Tensor) -> Tensor:
        """How often each input value is not zero, ``[*F]``; also whether there are currents."""
        x_TBF = x_TBF.detach()
        if isinstance(x_TBF, OneHot):
            here = _valid(x_TBF.numbers >= 0, lengths_B)
            return torch.bincount(x_TBF.numbers[here], minlength=x_TBF.shape[-1])
        constant = len(x_TBF) > 1 and x_TBF.stride(0) == 0
        x = x_TBF[:1] if constant else x_TBF
        self.currents += (x.abs() != x.square()).any()  # equal for -1, 0 and 1 alone
        if constant:
            lengths = lengths_B.view(-1, *[1] * (x.ndim - 2))
            return ((x[0] != 0) * lengths).sum(0)
        return torch.count_nonzero(_valid(x != 0, lengths_B), dim=(0, 1))

    def _fan(self, name: str, synapse: nn.Linear | nn.Conv2d, like: Tensor) -> tuple[Tensor, int]:
        if name not in self._fans:
            effective = fan_out(synapse, like.shape, synapse.weight.detach().cpu())
            dense = fan_out(synapse, like.shape, torch.ones(synapse.weight.shape))
            self._fans[name] = effective.to(like.device), int(dense.sum())
        return self._fans[name]


def fan_out(synapse: nn.Linear | nn.Conv2d, shape: tuple[int, ...], weight: Tensor) -> Tensor:
    """How many weights each input value meets: int64, of the input's ``shape``, on the CPU.

    Args:
        synapse: for stride, padding, dilation and groups.
        shape: of one input, without time and batch.
        weight: of the synapse's shape, not zero where there is a weight.
    """
    if isinstance(synapse, nn.Linear):
        fan_F = torch.count_nonzero(weight, dim=0)
        if len(fan_F) < math.prod(shape):  # of the mean over space
            return fan_F.view(-1, *[1] * (len(shape) - 1)).expand(shape)
        return fan_F.view(shape)
    weight = (weight != 0).double()
    stride, padding, dilation = synapse.stride, synapse.padding, synapse.dilation
    zeros = torch.zeros(1, *shape, dtype=torch.float64)
    out = nn.functional.conv2d(zeros, weight, None, stride, padding, dilation, synapse.groups)
    # By linearity: the transposed convolution of ones.
    back: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
        (1, *shape), weight, torch.ones_like(out), stride, padding, dilation, synapse.groups
    )
    return back[0].round().long()


@torch.no_grad()
def static_metrics(network: Network) -> dict[str, Tensor]:
    """``connection_sparsity`` and ``footprint``, which need no data; float64.

    Sparsity is the share of zeros in the synaptic weights, recurrent ones included, biases not. The
    footprint is what parameters and buffers take, in bytes; the state of the neurons is no part of
    it. Both as in NeuroBench, which rounds the first to four digits.
    """
    weights = []
    for _, layer in network.named_layers():
        weights.append(layer.synapse.weight)
        if hasattr(layer.neurons.neuron, "recurrent"):
            weights.append(layer.neurons.neuron.recurrent.weight)
    zeros = sum(weight.numel() - int(torch.count_nonzero(weight)) for weight in weights)
    tensors = [*network.parameters(), *network.buffers()]
    return {
        "connection_sparsity": torch.tensor(
            zeros / sum(weight.numel() for weight in weights), dtype=torch.float64
        ),
        "footprint": torch.tensor(
            sum(tensor.numel() * tensor.element_size() for tensor in tensors), dtype=torch.float64
        ),
    }


def _valid(given_TBN: Tensor, lengths_B: Tensor) -> Tensor:
    """The same, false beyond a sample's length."""
    if int(lengths_B.min()) >= len(given_TBN):
        return given_TBN
    valid_TB = torch.arange(len(given_TBN), device=lengths_B.device)[:, None] < lengths_B
    return given_TBN & valid_TB.view(*valid_TB.shape, *[1] * (given_TBN.ndim - 2))
