"""snnTorch's neurons, unrolled over a sequence behind one layer type."""

from surrolab.neurons.engines import ENGINES
from surrolab.neurons.equations import State
from surrolab.neurons.factory import (
    AlphaFactory,
    LapicqueFactory,
    LeakyFactory,
    NeuronFactory,
    RLeakyFactory,
    RSynapticFactory,
    SynapticFactory,
)
from surrolab.neurons.layer import NeuronLayer, Readout, SpikingLayer
from surrolab.neurons.record import Record

__all__ = [
    "ENGINES",
    "AlphaFactory",
    "LapicqueFactory",
    "LeakyFactory",
    "NeuronFactory",
    "NeuronLayer",
    "RLeakyFactory",
    "RSynapticFactory",
    "Readout",
    "Record",
    "SpikingLayer",
    "State",
    "SynapticFactory",
]
