"""Networks of spiking layers; plain ``torch.nn`` modules."""

from surrolab.models.conv import ConvFactory
from surrolab.models.layer import Layer
from surrolab.models.mlp import MLPFactory, RecurrentFactory
from surrolab.models.network import ModelFactory, Network, NetworkOutput, Surroundings
from surrolab.models.parts import count_spikes
from surrolab.models.sew import SEWFactory
from surrolab.models.wiring import Wire, Wiring

__all__ = [
    "ConvFactory",
    "Layer",
    "MLPFactory",
    "ModelFactory",
    "Network",
    "NetworkOutput",
    "RecurrentFactory",
    "SEWFactory",
    "Surroundings",
    "Wire",
    "Wiring",
    "count_spikes",
]
