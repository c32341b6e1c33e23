"""Fully connected networks, without and with recurrence in the hidden layers."""

import itertools
import math
from dataclasses import dataclass

from torch import nn

from surrolab.models.network import ModelFactory, Network, Surroundings
from surrolab.neurons import NeuronFactory
from surrolab.synapses import DelayedLinear


@dataclass(frozen=True)
class MLPFactory(ModelFactory):
    """A feed-forward network of any depth; with a recurrent neuron, a recurrent one.

    Args:
        max_delay: in ms; each synapse, but for recurrent ones, has a delay of up to so much, the
            readout's included. None for no delays. See :class:`~surrolab.synapses.DelayedLinear`.
        learn_delays: whether delays are trained; otherwise they stay random, in whole steps.
    """

    max_delay: float | None = None
    learn_delays: bool = True

    def build(self, around: Surroundings) -> Network:
        neuron = self._neuron(around)
        sizes = [math.prod(around.sample_shape), *self.hidden]
        layers = [self._dense(pair, around, neuron) for pair in itertools.pairwise(sizes)]
        return self._finish([*layers, self._readout(sizes[-1], around)])

    def _neuron(self, around: Surroundings) -> NeuronFactory:
        return around.neuron

    def _linear(self, inputs: int, outputs: int, around: Surroundings) -> nn.Linear:
        if self.max_delay is None:
            return super()._linear(inputs, outputs, around)
        dt = around.neuron.dt
        most = around.steps - 1
        steps = round(self.max_delay / dt)
        if not 1 <= steps <= most:
            raise ValueError(
                f"max_delay: {self.max_delay:g} is {steps} steps of neuron.dt={dt:g} ms; allowed: "
                f"1 to {most} steps, the sequence having {around.steps}, or null"
            )
        return DelayedLinear(inputs, outputs, steps, self.learn_delays, self.bias)


@dataclass(frozen=True)
class RecurrentFactory(MLPFactory):
    """A network whose hidden layers feed their spikes back to themselves, all to all.

    ``leaky``, ``synaptic``, ``alif`` and ``adlif`` neurons become ``rleaky``, ``rsynaptic``,
    ``ralif`` and ``radlif`` in the hidden layers.
    """

    def _neuron(self, around: Surroundings) -> NeuronFactory:
        return around.neuron.with_recurrence()
