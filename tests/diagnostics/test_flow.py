"""Where the gradient goes, against finite differences and against fits of known growth."""

import copy
import math

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from surrolab.data import Batch
from surrolab.diagnostics import Flow, gradient_flow
from surrolab.encoding import Direct
from surrolab.models import MLPFactory, RecurrentFactory, Surroundings
from surrolab.models.normalization import StepNorm
from surrolab.neurons import LeakyFactory
from surrolab.objectives import CELast, CEMean
from surrolab.optimization import Adam
from surrolab.run.build import build_parts
from surrolab.schema import CONF, validate
from surrolab.surrogates import Boxcar, Sigmoid
from surrolab.task import Task, judge

STEPS, SAMPLES, FEATURES, CLASSES = 6, 3, 4, 3
NOTHING = torch.empty(0)
ADAM = Adam(0.01, 0.0, "constant", 0.0, 1.0, betas=[0.9, 0.999])


def task_of(factory, neuron=None, surrogate=None, objective=None, steps=STEPS):
    neuron = LeakyFactory(beta=0.8, detach_reset=False) if neuron is None else neuron
    surrogate = Sigmoid(3.0) if surrogate is None else surrogate
    objective = CEMean() if objective is None else objective
    around = Surroundings((FEATURES,), CLASSES, steps, neuron, surrogate, "auto", "membrane")
    torch.manual_seed(0)
    network = factory.build(around).double()
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            parameter.data += 0.3
    return Task(network, Direct(steps), objective, ADAM, CLASSES, is_sequence=True)


def batch_of(lengths=None, steps=STEPS, samples=SAMPLES):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(steps, samples, FEATURES, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([steps] * samples if lengths is None else lengths)
    x = x * (torch.arange(steps)[:, None] < lengths)[..., None]
    return Batch(x, torch.arange(samples) % CLASSES, lengths)


class Pushed(nn.Module):
    """Adds to the current, and so, in a leaky neuron, to the membrane of that very step."""

    def __init__(self, push_TBN):
        super().__init__()
        self.push_TBN = push_TBN

    def forward(self, cur_TBN, lengths_B=None):
        return cur_TBN + self.push_TBN


def finite_difference_norms(task, batch, eps=1e-5):
    """Norm of dL/dU by layer and step, from the loss alone."""
    norms = []
    for name, layer in task.network.named_layers():
        zero = torch.zeros(STEPS, SAMPLES, *layer.shape, dtype=torch.float64)
        gradient = torch.zeros_like(zero)
        network = copy.deepcopy(task.network)
        for index in range(zero.numel()):
            losses = []
            for sign in (1, -1):
                push = zero.clone()
                push.view(-1)[index] = sign * eps
                network.layers[name].norm = Pushed(push)
                with torch.no_grad():
                    out = network(batch.x)
                    judged = judge(
                        task.objective, out.y, batch.y, batch.lengths, out.hidden, CLASSES
                    )
                losses.append(judged.loss.item())
            gradient.view(-1)[index] = (losses[0] - losses[1]) / (2 * eps)
        norms.append(gradient.flatten(1).norm(dim=1))
    return torch.stack(norms)


@pytest.mark.parametrize("lengths", [None, [6, 2, 5]])
@pytest.mark.parametrize("factory", [MLPFactory([4, 3]), RecurrentFactory([4])])
def test_norms_equal_finite_differences_of_the_smoothed_network(factory, lengths):
    task, batch = task_of(factory), batch_of(lengths)
    for _, layer in task.network.hidden_layers():
        layer.neurons.fire = layer.neurons.surrogate.smooth_step
    flow = gradient_flow(task, batch)
    expected = finite_difference_norms(task, batch)
    assert flow.layers == list(task.network.layers)
    assert (expected > 1e-6).any(1).all()
    torch.testing.assert_close(flow.norm_LT, expected, rtol=1e-5, atol=1e-9)
    assert flow.metrics()["gradients/hidden1/membrane_norm"] == pytest.approx(
        float(expected[0].norm()), rel=1e-5
    )


def test_activity_regularisation_is_part_of_the_gradient():
    quiet = task_of(MLPFactory([4]), LeakyFactory(threshold=50.0), Sigmoid(0.1))
    urged = task_of(
        MLPFactory([4]),
        LeakyFactory(threshold=50.0),
        Sigmoid(0.1),
        CEMean(lower_strength=100.0, lower_rate=0.1),
    )
    batch = batch_of()
    with_it, without = (gradient_flow(task, batch).norm_LT[0] for task in (urged, quiet))
    assert (with_it > 1.5 * without).any()


def test_nothing_is_touched():
    task, batch = task_of(MLPFactory([4, 3], dropout=0.5, norm="step")), batch_of()
    task.train()
    for parameter in task.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = copy.deepcopy(task.state_dict())
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with torch.inference_mode():
        flow = gradient_flow(task, batch)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in task.modules() if isinstance(module, nn.Module))
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in task.parameters())
    for name, value in task.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert float(flow.norm_LT[0].norm()) > 0  # though the mode of the caller has no gradients
    assert torch.equal(gradient_flow(task, batch).norm_LT, flow.norm_LT)


def test_a_random_encoding_is_the_same_at_every_look():
    words = ["encoding=rate", "model.hidden=[5]", "name=test", "logger=none"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = validate(OmegaConf.to_container(compose("train", words), resolve=True))
    task = build_parts(config).task
    x = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, torch.arange(3), torch.ones(3, dtype=torch.int64))
    norms = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        norms.append(gradient_flow(task, batch).norm_LT)
    assert torch.equal(*norms)


def test_normalisation_is_that_of_training():
    """Before the first step running statistics know nothing: all would be silent."""
    task, batch = task_of(MLPFactory([4], norm="step", bias=False)), batch_of()
    batch = batch._replace(x=0.05 * batch.x)
    assert isinstance(task.network.layers["hidden1"].norm, StepNorm)
    flow = gradient_flow(task, batch)
    assert flow.hidden["hidden1"].any()
    one = Batch(batch.x[:, :1], batch.y[:1], batch.lengths[:1])
    assert not gradient_flow(task, one).hidden["hidden1"].any()


def test_a_dead_network_is_called_dead():
    task = task_of(MLPFactory([4, 3]), LeakyFactory(threshold=1e3), Boxcar(2.0))
    flow = gradient_flow(task, batch_of())
    found = flow.metrics()
    for layer in ("hidden1", "hidden2"):
        assert found[f"gradients/{layer}/membrane_norm"] == 0
        assert found[f"gradients/{layer}/nonzero_fraction"] == 0
        assert found[f"gradients/{layer}/reached_fraction"] == 0
        assert f"gradients/{layer}/growth_per_step" not in found
    assert "gradients/growth_per_layer" not in found
    assert found["gradients/readout/membrane_norm"] > 0


def test_shares_count_weights_and_neurons():
    task = task_of(MLPFactory([4]), LeakyFactory(beta=0.8), Boxcar(2.0))
    network = task.network
    hidden = network.layers["hidden1"].synapse
    hidden.weight.data[2:] = 0  # two neurons at rest, outside of the window of 1/2
    hidden.bias.data[2:] = 0
    hidden.weight.data[:2], hidden.bias.data[:2] = 0.2, 0.1
    batch = batch_of()
    batch.x[:, :, 3] = 0  # an input without a value has no gradient to its weights
    flow = gradient_flow(task, batch)
    assert flow.reached["hidden1"] == 0.5
    assert flow.nonzero["hidden1"] == 2 * 3 / (4 * FEATURES)
    assert flow.reached["readout"] == 1
    fired = flow.hidden["hidden1"].any(0).any(0).double().mean().item()
    assert flow.nonzero["readout"] == fired


def flow_of(norm_LT, lengths=(7, 7)):
    names = [f"hidden{i + 1}" for i in range(len(norm_LT) - 1)] + ["readout"]
    return Flow(names, norm_LT, {}, {}, {}, {}, {}, {}, torch.tensor(lengths), NOTHING, NOTHING)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_growth_of_a_known_factor(factor):
    back = torch.arange(6, -1, -1, dtype=torch.float64)
    norm_T = 3e-12 * factor**back
    growth = flow_of(torch.stack([norm_T, 2 * norm_T])).growth_per_step()
    assert growth == pytest.approx({"hidden1": factor, "readout": factor}, rel=1e-12)
    gaps = norm_T.clone()
    gaps[[1, 4]] = torch.tensor([0.0, math.inf], dtype=torch.float64)
    growth = flow_of(torch.stack([gaps, gaps.where(back > 3, 0.0)])).growth_per_step()
    assert growth == pytest.approx({"hidden1": factor}, rel=1e-12)


def test_growth_is_per_valid_sample():
    back = torch.arange(6, -1, -1, dtype=torch.float64)
    lengths = (7, 4, 4, 4)  # four samples, then one
    valid = torch.tensor([4, 4, 4, 4, 1, 1, 1]).double()
    norm_T = valid.sqrt() * 1.2**back
    assert flow_of(norm_T[None], lengths).growth_per_step() == pytest.approx({"readout": 1.2})


def test_a_linear_chain_decays_by_beta_per_step_back():
    """The readout's loss of the last step alone: dL/dU[t] = beta^(T - 1 - t) dL/dU[T - 1]."""
    task = task_of(MLPFactory([4]), LeakyFactory(beta=0.8), objective=CELast())
    growth = gradient_flow(task, batch_of()).growth_per_step()
    assert growth["readout"] == pytest.approx(0.8, rel=1e-7)  # a float32 decay


def test_growth_per_layer_is_the_mean_factor_toward_the_input():
    norm_LT = torch.tensor([8.0, 4.0, 1.0, 5.0], dtype=torch.float64)[:, None].expand(4, 6)
    assert flow_of(norm_LT).growth_per_layer() == pytest.approx(8**0.5)
    assert flow_of(norm_LT[2:]).growth_per_layer() is None
    nothing = norm_LT.clone()
    nothing[0] = 0
    assert flow_of(nothing).growth_per_layer() == 0
    assert flow_of(0 * norm_LT).growth_per_layer() is None


def test_gradients_whose_squares_underflow_are_seen():
    task = task_of(MLPFactory([4]))
    task.network.float()
    task.network.layers["readout"].synapse.weight.data *= 1e-25
    flow = gradient_flow(task, batch_of()._replace(x=batch_of().x.float()))
    assert 0 < float(flow.norm_LT[0].norm()) < 1e-22
    assert "hidden1" in flow.growth_per_step()
