"""A network: named layers from encoded input to readout, in a row or wired otherwise."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from surrolab.models.initialization import INITS, initialize
from surrolab.models.layer import Layer, LayerPass, LayerState
from surrolab.models.normalization import NORMS, time_norm
from surrolab.models.parts import in_parts
from surrolab.models.wiring import INPUT, Wire, Wiring, joined
from surrolab.neurons import NeuronFactory, NeuronLayer, Readout, Record
from surrolab.synapses import SpikeLinear

# Of the membrane's variance under fluctuation-driven initialisation, where there is recurrence.
FEEDFORWARD_SHARE = 0.9


class NetworkOutput(NamedTuple):
    """What a forward pass gives.

    ``y_TBC`` is the readout (membrane potential or spikes); ``hidden`` maps layer names to
    ``spk_TBN``; ``last_mem`` maps all layer names to the final membrane potential ``[B, N]``,
    which is not finite if any of its steps was not; ``records`` is empty unless asked for. Where
    the spikes of all steps are not kept (:attr:`Network.checkpoint_steps`), ``hidden`` is empty and
    ``counts`` has the spikes of each neuron in the valid steps of the batch, ``[N...]``.
    """

    y: Tensor
    hidden: dict[str, Tensor]
    last_mem: dict[str, Tensor]
    records: dict[str, Record]
    counts: dict[str, Tensor]


class Network(nn.Module):
    """Layers ``hidden1``, ``hidden2``, ..., ``readout``, each feeding the next.

    Args:
        layers: by name, in the order in which they are computed.
        wiring: what each of them reads; the one before it unless given.

    Attributes:
        truncate_steps: cut the gradient between parts of so many steps (truncated backpropagation
            through time); None does not.
        checkpoint_steps: in training keep only the state between parts of so many steps and compute
            each part again in the backward pass (Chen et al. 2016, arXiv:1604.06174); 0 takes the
            root of their number, with which the memory grows as the root of the length. None keeps
            everything.
    """

    truncate_steps: int | None = None
    checkpoint_steps: int | None = None

    def __init__(self, layers: dict[str, Layer], wiring: Wiring | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.wiring = Wiring.chain(layers) if wiring is None else wiring

    def forward(
        self, x_TBF: Tensor, record: bool = False, lengths_B: Tensor | None = None
    ) -> NetworkOutput:
        """Run encoded input ``[T, B, F...]`` through all layers.

        ``record`` keeps all membranes, and then everything. ``lengths_B`` are the valid steps of
        each sample, all unless given; ``counts`` and batch norms depend on them, and nothing else.
        """
        if not record:
            checkpointed = self.checkpoint_steps is not None and self.training
            if checkpointed and torch.is_grad_enabled():
                return in_parts(self, x_TBF, lengths_B)
            if self.truncate_steps is not None and torch.is_grad_enabled():
                return in_parts(self, x_TBF, lengths_B)
        out, passes = self.run(x_TBF, record, lengths_B=lengths_B)
        return NetworkOutput(
            out,
            {name: done.spk for name, done in passes.items() if name != "readout"},
            {name: done.state.neurons.mem for name, done in passes.items()},
            {name: done.record for name, done in passes.items() if done.record is not None},
            {},
        )

    def run(
        self,
        x_TBF: Tensor,
        record: bool = False,
        states: dict[str, LayerState] | None = None,
        lengths_B: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, LayerPass]]:
        """The readout, and what each layer did, from given states or from rest."""
        given = {INPUT: x_TBF}
        passes: dict[str, LayerPass] = {}
        for name, layer in self.named_layers():
            source, identity, join = self.wiring.wires[name]
            state = states[name] if states else None
            done = layer(given[source], record=record, state=state, lengths_B=lengths_B)
            if identity is not None:
                done = done._replace(out=joined(done.out, given[identity], join))
            passes[name], given[name] = done, done.out
        return given["readout"], passes

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """Layers with their names, in order."""
        for name, layer in self.layers.items():
            yield name, cast(Layer, layer)

    def hidden_layers(self) -> Iterator[tuple[str, Layer]]:
        """The same without the readout."""
        return ((name, layer) for name, layer in self.named_layers() if name != "readout")

    def freeze(self, names: list[str]) -> None:
        """Stop training the named layers.

        Raises:
            ValueError: a name that is no layer of this network.
        """
        for name in names:
            if name not in self.layers:
                raise ValueError(f"freeze: {name!r} is no layer; allowed: {', '.join(self.layers)}")
            self.layers[name].requires_grad_(False)


@dataclass(frozen=True)
class Surroundings:
    """What a model has to fit into: data, neurons, surrogate, engine and objective.

    Args:
        sample_shape: shape of a sample without time and batch.
        classes: number of outputs.
        steps: number of time steps.
        neuron: makes the neurons of each layer.
        surrogate: copied into each spiking layer.
        engine: how neurons are computed.
        readout: ``membrane`` for a readout that does not spike, or ``spikes``.
    """

    sample_shape: tuple[int, ...]
    classes: int
    steps: int
    neuron: NeuronFactory
    surrogate: nn.Module
    engine: str
    readout: str


@dataclass(frozen=True)
class ModelFactory:
    """What every model has.

    Args:
        hidden: sizes of the fully connected hidden layers.
        bias: whether synapses have a bias.
        dropout: probability of dropping a neuron for a whole sample, in [0, 1).
        norm: ``none``, ``step``, ``tdbn`` or ``bntt``.
        init: weight initialisation, see :mod:`surrolab.models.initialization`.
        init_gain: factor on the initial weights.
        init_rate: for ``fluctuation_driven``: input spikes per input and step.
        init_xi: for ``fluctuation_driven``: threshold in standard deviations of the membrane.
        readout_tau: time constant of the readout in ms; the neurons' own unless given.
        freeze: names of layers that are not trained.
    """

    hidden: list[int]
    bias: bool = True
    dropout: float = 0.0
    norm: str = "none"
    init: str = "default"
    init_gain: float = 1.0
    init_rate: float = 0.05
    init_xi: float = 1.0
    readout_tau: float | None = None
    freeze: list[str] | None = None

    def __post_init__(self) -> None:
        if any(size < 1 for size in self.hidden):
            raise ValueError(f"hidden: {self.hidden} is not allowed; allowed: sizes of at least 1")
        for name, allowed in (("norm", NORMS), ("init", INITS)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name}: {getattr(self, name)!r} is unknown; allowed: {', '.join(allowed)}"
                )

    def build(self, around: Surroundings) -> Network:
        """The network, with initial weights from torch's global generator."""
        raise NotImplementedError

    def _dense(
        self,
        sizes: tuple[int, int],
        around: Surroundings,
        neuron: NeuronFactory,
        average: bool = False,
    ) -> Layer:
        """A fully connected hidden layer, of its input's mean over space where ``average``."""
        synapse = self._linear(*sizes, around)
        share = FEEDFORWARD_SHARE if neuron.recurrent else 1.0
        self._initialize(synapse, neuron, around.steps, share)
        neurons = neuron.layer((sizes[1],), around.surrogate, around.engine)
        if neuron.recurrent:
            recurrent = neurons.neuron.recurrent
            if not self.bias:
                recurrent.register_parameter("bias", None)
            self._initialize(recurrent, neuron, around.steps, 1 - share)
        norm = time_norm(self.norm, (sizes[1],), neuron.threshold, around.steps)
        return Layer(synapse, neurons, (sizes[1],), norm, dropout=self.dropout, average=average)

    def _readout(self, inputs: int, around: Surroundings, average: bool = False) -> Layer:
        """The last layer: leaky and silent, or spiking like the others but without recurrence."""
        synapse = self._linear(inputs, around.classes, around)
        neuron = around.neuron
        if around.readout == "membrane":
            neuron = neuron.integrator()
            if self.readout_tau is not None:
                neuron = replace(neuron, beta=None, tau=self.readout_tau)
        self._initialize(synapse, neuron, around.steps)
        neurons = self._readout_neurons(around)
        return Layer(synapse, neurons, (around.classes,), average=average)

    def _linear(self, inputs: int, outputs: int, around: Surroundings) -> nn.Linear:
        """The synapses of a fully connected layer."""
        return SpikeLinear(inputs, outputs, bias=self.bias)

    def _readout_neurons(self, around: Surroundings) -> NeuronLayer:
        neuron = around.neuron
        if around.readout == "spikes":
            return neuron.feedforward().layer((around.classes,), around.surrogate, around.engine)
        readout: Readout = neuron.readout(around.engine, self.readout_tau)
        return readout

    def _initialize(
        self,
        synapse: nn.Linear | nn.Conv2d,
        neuron: NeuronFactory,
        steps: int,
        share: float = 1.0,
    ) -> None:
        # A share of the fluctuations is a larger xi for the synapse that has it.
        xi = self.init_xi / math.sqrt(share)
        initialize(synapse, self.init, self.init_gain, neuron, self.init_rate, xi, steps)

    def _finish(self, layers: list[Layer], wires: list[Wire] | None = None) -> Network:
        """Name the layers in order, the last one being the readout, and freeze what has to be."""
        names = [f"hidden{i}" for i in range(1, len(layers))] + ["readout"]
        wiring = None if wires is None else Wiring(dict(zip(names, wires, strict=True)))
        network = Network(dict(zip(names, layers, strict=True)), wiring)
        network.freeze(list(self.freeze or []))
        return network
