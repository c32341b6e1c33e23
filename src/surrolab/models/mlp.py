"""Fully connected networks, without and with recurrence in the hidden layers."""

import itertools
import math
from dataclasses import dataclass

from surrolab.models.network import ModelFactory, Network, Surroundings
from surrolab.neurons import NeuronFactory


@dataclass(frozen=True)
class MLPFactory(ModelFactory):
    """A feed-forward network of any depth; with a recurrent neuron, a recurrent one."""

    def build(self, around: Surroundings) -> Network:
        neuron = self._neuron(around)
        sizes = [math.prod(around.sample_shape), *self.hidden]
        layers = [self._dense(pair, around, neuron) for pair in itertools.pairwise(sizes)]
        return self._finish([*layers, self._readout(sizes[-1], around)])

    def _neuron(self, around: Surroundings) -> NeuronFactory:
        return around.neuron


@dataclass(frozen=True)
class RecurrentFactory(MLPFactory):
    """A network whose hidden layers feed their spikes back to themselves, all to all.

    ``leaky`` and ``synaptic`` neurons become ``rleaky`` and ``rsynaptic`` in the hidden layers.
    """

    def _neuron(self, around: Surroundings) -> NeuronFactory:
        return around.neuron.with_recurrence()
