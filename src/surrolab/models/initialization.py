"""Initial weights, by name."""

import math

import torch
from torch import nn

from surrolab.neurons import NeuronFactory

INITS = (
    "default",
    "uniform_fan_in",
    "kaiming_uniform",
    "kaiming_normal",
    "xavier_uniform",
    "xavier_normal",
    "orthogonal",
    "fluctuation_driven",
)


def fluctuation_driven_std(
    neuron: NeuronFactory, inputs: int, rate: float, xi: float, steps: int
) -> float:
    """Standard deviation of zero-mean weights for fluctuation-driven firing at initialisation.

    Rossbroich, Gygax & Zenke 2022 (doi:10.1088/2634-4386/ac97bb): the membrane fluctuates with
    standard deviation ``theta / xi`` around rest when ``inputs`` independent Poisson inputs fire
    at ``rate`` spikes per step: ``sigma_w^2 = (theta / xi)^2 / (n nu eps2)``, ``eps2`` being the
    sum of the squared response to one input spike, here over the ``steps`` of a sample: the
    membrane fluctuates that much at its end, and has by then for all but very slow neurons.
    """
    eps2 = float(neuron.impulse_response(steps).square().sum())
    return neuron.threshold / xi / math.sqrt(inputs * rate * eps2)


@torch.no_grad()
def initialize(
    synapse: nn.Linear | nn.Conv2d,
    name: str,
    gain: float,
    neuron: NeuronFactory,
    rate: float,
    xi: float,
    steps: int,
) -> None:
    """Draw the weights of a synapse from torch's global generator, then multiply them by ``gain``.

    ``default`` keeps torch's own; ``uniform_fan_in`` is U(-1/sqrt(n), 1/sqrt(n)) for n inputs.
    Biases keep torch's own, except under ``fluctuation_driven``, where the mean input is zero.
    """
    weight = synapse.weight
    fan_in = weight[0].numel()
    if name == "uniform_fan_in":
        nn.init.uniform_(weight, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))
    elif name == "kaiming_uniform":
        nn.init.kaiming_uniform_(weight, nonlinearity="linear")
    elif name == "kaiming_normal":
        nn.init.kaiming_normal_(weight, nonlinearity="linear")
    elif name == "xavier_uniform":
        nn.init.xavier_uniform_(weight)
    elif name == "xavier_normal":
        nn.init.xavier_normal_(weight)
    elif name == "orthogonal":
        nn.init.orthogonal_(weight)
    elif name == "fluctuation_driven":
        nn.init.normal_(weight, std=fluctuation_driven_std(neuron, fan_in, rate, xi, steps))
        if synapse.bias is not None:
            nn.init.zeros_(synapse.bias)
    weight.mul_(gain)
