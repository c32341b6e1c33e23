"""Gradients of learned slopes and scales, against finite differences in float64."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.neurons import SpikingLayer
from surrolab.run.build import build_parts
from surrolab.schema import CONF, validate


def configured(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*words, "name=test", "logger=none"])
    return validate(OmegaConf.to_container(config, resolve=True))


def test_what_is_learned_in_a_frozen_layer_is_frozen_too():
    words = ("slope=learned", "model.hidden=[8,8]", "model.freeze=[hidden1]")
    network = build_parts(configured(*words)).task.network
    first, second = (network.layers[name].neurons.surrogate for name in ("hidden1", "hidden2"))
    assert not first.slope.requires_grad
    assert second.slope.requires_grad


def differences(loss, parameter, step=1e-6):
    """Central finite differences of ``loss()`` by each element of a parameter."""
    found = torch.zeros_like(parameter).flatten()
    flat = parameter.data.view(-1)
    for i in range(len(flat)):
        ends = []
        for sign in (1, -1):
            flat[i] += sign * step
            with torch.no_grad():
                ends.append(loss().item())
            flat[i] -= sign * step
        found[i] = (ends[0] - ends[1]) / (2 * step)
    return found.view_as(parameter)


NETWORKS = {
    "mlp": ("model.hidden=[6,5]",),
    "recurrent": ("model=recurrent", "model.hidden=[5]", "neuron.detach_reset=false"),
    "conv": ("model=conv", "model.channels=[3]", "model.hidden=[5]"),
    "spiking readout": ("model.hidden=[6]", "objective=ce_rate", "neuron.reset=zero"),
}


@pytest.mark.parametrize("words", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("per", ["layer", "neuron"])
def test_its_gradient_is_that_of_the_smoothed_network(words, per):
    setting = ("slope=learned", "scale=learned", f"slope.per={per}", f"scale.per={per}")
    setting = (*setting, "surrogate=sigmoid", "surrogate.slope=2", "surrogate.normalize=peak")
    network = build_parts(configured(*setting, *words)).task.network.double()
    for _, layer in network.named_layers():
        if isinstance(layer.neurons, SpikingLayer):
            surrogate = layer.neurons.surrogate
            layer.neurons.fire = lambda x, surrogate=surrogate: 0.5 + surrogate.primitive(x)
            # What goes back through the reset is then part of the function, too.
            layer.neurons.detach_reset = False
    generator = torch.Generator().manual_seed(1)
    x = 4 * torch.rand(5, 3, 1, 8, 8, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, 3, 10, generator=generator, dtype=torch.float64)

    def loss():
        return (network(x).y * weight).square().mean()

    learned = [p for name, p in network.named_parameters() if "spike_grad" in name]
    spiking = sum(isinstance(layer.neurons, SpikingLayer) for _, layer in network.named_layers())
    assert len(learned) == 2 * spiking
    loss().backward()
    for parameter in learned:
        assert parameter.grad.abs().max() > 1e-6
        torch.testing.assert_close(
            parameter.grad, differences(loss, parameter), rtol=1e-5, atol=1e-9
        )


@pytest.mark.parametrize("per", ["layer", "neuron"])
@pytest.mark.parametrize("words", [("model.hidden=[6]",), ("model=conv", "model.hidden=[]")])
def test_spikes_give_the_gradient_of_the_primitive(words, per):
    """With a loss linear in the spikes and no reset, spiking or smoothed is all one."""
    setting = ("slope=learned", f"slope.per={per}", "surrogate=atan", "neuron.reset=none")
    setting = (*setting, "model.channels=[3]") if "model=conv" in words else setting
    network = build_parts(configured(*setting, *words)).task.network.double()
    generator = torch.Generator().manual_seed(1)
    x = 4 * torch.rand(5, 3, 1, 8, 8, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, 3, 10, generator=generator, dtype=torch.float64)

    def loss():
        return (network(x).y * weight).sum()

    neurons = network.layers["hidden1"].neurons
    surrogate = neurons.surrogate
    loss().backward()
    spiking = surrogate.slope.grad.clone()
    neurons.fire = lambda x: 0.5 + surrogate.primitive(x)
    torch.testing.assert_close(spiking, differences(loss, surrogate.slope), rtol=1e-6, atol=1e-9)
