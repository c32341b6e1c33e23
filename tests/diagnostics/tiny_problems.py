"""Networks small enough for every spike pattern to be enumerated, with membranes near threshold."""

import torch

from surrolab.diagnostics import Problem
from surrolab.models import MLPFactory, RecurrentFactory, Surroundings
from surrolab.neurons import LeakyFactory
from surrolab.objectives import CEMean
from surrolab.surrogates import Sigmoid

STEPS, SAMPLES, FEATURES, CLASSES = 3, 2, 2, 2


def tiny(
    hidden=(2, 2),
    neuron=None,
    surrogate=None,
    objective=None,
    *,
    recurrent=False,
    steps=STEPS,
    samples=SAMPLES,
    features=FEATURES,
    classes=CLASSES,
    lengths=None,
    bias=True,
    seed=0,
) -> Problem:
    objective = CEMean() if objective is None else objective
    neuron = LeakyFactory(beta=0.8) if neuron is None else neuron
    factory = (RecurrentFactory if recurrent else MLPFactory)(list(hidden), bias=bias)
    surrogate = Sigmoid(3.0) if surrogate is None else surrogate
    around = Surroundings((features,), classes, steps, neuron, surrogate, "auto", objective.readout)
    generator = torch.Generator().manual_seed(seed)
    network = factory.build(around).double().eval()
    for name, parameter in network.named_parameters():
        if name.endswith(("weight", "bias")):
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.data = 0.3 * noise + (0.1 if name.endswith("bias") else 0.4)
    x_TBF = torch.randn(steps, samples, features, generator=generator, dtype=torch.float64)
    target = torch.arange(samples) % classes
    lengths_B = torch.tensor([steps] * samples if lengths is None else lengths)
    return Problem(network, objective, 0.5 + 0.5 * x_TBF.abs(), target, lengths_B, classes)


def flat(gradient, names=None):
    return torch.cat([gradient[name].flatten() for name in (gradient if names is None else names)])
