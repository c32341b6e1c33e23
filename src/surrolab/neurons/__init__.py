"""snnTorch's neurons and ours, unrolled over a sequence behind one layer type."""

from surrolab.neurons.adaptive import ALIF, AdLIF
from surrolab.neurons.adaptive_factory import (
    AdLIFFactory,
    ALIFFactory,
    RAdLIFFactory,
    RALIFFactory,
)
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
    "ALIF",
    "ENGINES",
    "ALIFFactory",
    "AdLIF",
    "AdLIFFactory",
    "AlphaFactory",
    "LapicqueFactory",
    "LeakyFactory",
    "NeuronFactory",
    "NeuronLayer",
    "RALIFFactory",
    "RAdLIFFactory",
    "RLeakyFactory",
    "RSynapticFactory",
    "Readout",
    "Record",
    "SpikingLayer",
    "State",
    "SynapticFactory",
]
