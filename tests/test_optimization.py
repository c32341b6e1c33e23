"""Learning rate schedules and weight decay, against closed forms and the published updates."""

import io
import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn

from surrolab.models import ConvFactory, MLPFactory, Network, Surroundings
from surrolab.neurons import RSynapticFactory, SynapticFactory
from surrolab.optimization import SGD, Adam, AdamW, OptimizerFactory
from surrolab.surrogates import FastSigmoid

LR = 0.2
SCHEDULES = ["constant", "linear", "cosine", "exponential"]


def make(
    kind: type[OptimizerFactory] = SGD,
    schedule: str = "constant",
    warmup: float = 0.0,
    final: float = 0.1,
    decay: float = 0.0,
    **more: Any,
) -> OptimizerFactory:
    return kind(LR, decay, schedule, warmup, final, **more)


def synapse_of(parameter: nn.Parameter) -> nn.Module:
    """A module whose synaptic weight is the parameter."""
    synapse = nn.Module()
    synapse.register_parameter("weight", parameter)
    module = nn.Module()
    module.add_module("synapse", synapse)
    return module


def learning_rates(factory: OptimizerFactory, steps: int, per_epoch: float) -> list[float]:
    """The rate that each of ``steps`` steps is taken with, and the one after them."""
    parameter = nn.Parameter(torch.zeros(2, 2))
    optimizer, schedule = factory.build(synapse_of(parameter), steps, per_epoch)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        parameter.grad = torch.zeros(2, 2)
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("final", [0.1, 1.0, 0.0])
@pytest.mark.parametrize(
    ("schedule", "middle"),
    [
        ("constant", lambda final: 1.0),
        ("linear", lambda final: (1 + final) / 2),
        ("cosine", lambda final: (1 + final) / 2),
        ("exponential", lambda final: math.sqrt(final)),
    ],
)
def test_schedules_at_start_middle_and_end(schedule: str, middle: Any, final: float) -> None:
    rates = learning_rates(make(schedule=schedule, final=final), 100, 10)
    assert rates[0] == pytest.approx(LR)
    assert rates[50] == pytest.approx(LR * middle(final))
    assert rates[100] == pytest.approx(LR * (1.0 if schedule == "constant" else final))
    assert all(a >= b for a, b in itertools.pairwise(rates))


def test_a_quarter_of_the_way_tells_the_schedules_apart() -> None:
    factors = {name: make(schedule=name).factor(80, 10)(20) for name in SCHEDULES}
    assert factors["constant"] == 1
    assert factors["linear"] == pytest.approx(1 - 0.9 / 4)
    assert factors["cosine"] == pytest.approx(0.1 + 0.9 * math.cos(math.pi / 8) ** 2)
    assert factors["exponential"] == pytest.approx(10**-0.25)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_beyond_the_last_step_the_rate_stays(schedule: str) -> None:
    factor = make(schedule=schedule).factor(40, 10)
    assert factor(41) == factor(1000) == factor(40)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("epochs", "per_epoch", "warm"),
    [(2.0, 10, 20), (0.5, 10, 5), (1.5, 7.0, 10.5), (0.25, 10.0, 2.5), (0.04, 10, 0.4)],
)
def test_warm_up_rises_linearly_and_then_the_schedule_begins(
    schedule: str, epochs: float, per_epoch: float, warm: float
) -> None:
    steps = 60
    rates = learning_rates(make(schedule=schedule, warmup=epochs), steps, per_epoch)
    first = math.ceil(warm)
    for step in range(first):
        assert rates[step] == pytest.approx(LR * (step + 1) / (warm + 1))
        assert 0 < rates[step] < LR
    done = (first - warm) / (steps - warm)
    start = {
        "constant": 1.0,
        "linear": 1 - 0.9 * done,
        "cosine": 0.1 + 0.9 * math.cos(math.pi * done / 2) ** 2,
        "exponential": 0.1**done,
    }[schedule]
    assert rates[first] == pytest.approx(LR * start)
    assert rates[steps] == pytest.approx(LR * (1.0 if schedule == "constant" else 0.1))
    assert all(a >= b for a, b in itertools.pairwise(rates[first:]))


def test_warm_up_longer_than_the_run_only_rises() -> None:
    rates = learning_rates(make(schedule="cosine", warmup=5), 10, 4)
    assert rates == pytest.approx([LR * (step + 1) / 21 for step in range(11)])


def surroundings(shape: tuple[int, ...], recurrent: bool, per_neuron: bool) -> Surroundings:
    kind = RSynapticFactory if recurrent else SynapticFactory
    neuron = kind(learn_beta=True, learn_alpha=True, learn_threshold=True, per_neuron=per_neuron)
    return Surroundings(shape, 3, 5, neuron, FastSigmoid(5.0), "auto", "spikes")


def dense(freeze: list[str] | None = None) -> Network:
    torch.manual_seed(0)
    factory = MLPFactory([6, 4], norm="tdbn", freeze=freeze)
    return factory.build(surroundings((5,), recurrent=True, per_neuron=True))


def decayed(network: Network, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Each parameter's weight decay, by its name."""
    names = {id(p): name for name, p in network.named_parameters()}
    return {
        names[id(p)]: group["weight_decay"]
        for group in optimizer.param_groups
        for p in group["params"]
    }


def expected(network: Network, decay: float) -> dict[str, float]:
    """Weights of synapses, recurrent ones included, decay; nothing else does."""
    synapses = ("synapse.weight", "recurrent.weight")
    named = network.named_parameters()
    return {n: decay if n.endswith(synapses) else 0.0 for n, p in named if p.requires_grad}


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_only_synaptic_weights_decay(kind: type[OptimizerFactory]) -> None:
    network = dense()
    optimizer, _ = make(kind, decay=0.3).build(network, 10, 5)
    found = decayed(network, optimizer)
    assert found == expected(network, 0.3)
    kept = {name.rsplit(".", 1)[1] for name, decay in found.items() if decay == 0}
    assert kept == {"bias", "beta", "alpha", "threshold", "weight"}  # the norm's weight


def test_no_gradient_and_decay_moves_weights_alone() -> None:
    network = dense()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer, _ = make(AdamW, decay=0.3).build(network, 10, 5)
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in network.named_parameters():
        factor = 1 - LR * expected(network, 0.3)[name]
        torch.testing.assert_close(p.detach(), factor * before[name])


@pytest.mark.parametrize("per_neuron", [False, True])
def test_learned_decays_of_convolutions_do_not_decay(per_neuron: bool) -> None:
    around = surroundings((1, 6, 6), recurrent=False, per_neuron=per_neuron)
    network = ConvFactory([4], channels=[2], norm="tdbn").build(around)
    optimizer, _ = make(AdamW, decay=0.3).build(network, 10, 5)
    assert decayed(network, optimizer) == expected(network, 0.3)


def test_frozen_parameters_are_left_out() -> None:
    network = dense(freeze=["hidden1"])
    optimizer, _ = make(Adam, decay=0.3).build(network, 10, 5)
    found = decayed(network, optimizer)
    assert found == expected(network, 0.3)
    assert not any(name.startswith("layers.hidden1.") for name in found)
    assert any(name.startswith("layers.hidden2.") for name in found)


def test_parameters_of_one_kind_alone_make_one_group() -> None:
    for parameter in (nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))):
        optimizer, _ = make(decay=0.3).build(synapse_of(parameter), 10, 5)
        assert [group["params"] for group in optimizer.param_groups] == [[parameter]]


@pytest.mark.parametrize("kind", [Adam, AdamW])
@pytest.mark.parametrize("betas", [[0.5, 0.75], (0.5, 0.75)])
def test_betas_may_be_a_list(kind: type[OptimizerFactory], betas: Any) -> None:
    parameter = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    optimizer, _ = make(kind, betas=betas).build(synapse_of(parameter), 10, 5)
    m, v, value = torch.zeros(1, 2), torch.zeros(1, 2), parameter.detach().clone()
    for step in range(1, 5):
        gradient = torch.tensor([[0.5 * step, 1.0 / step]])
        parameter.grad = gradient.clone()
        optimizer.step()
        m, v = (m + gradient) / 2, 0.75 * v + gradient**2 / 4
        value = value - LR * (m / (1 - 0.5**step)) / ((v / (1 - 0.75**step)).sqrt() + 1e-8)
    torch.testing.assert_close(parameter.detach(), value)


def test_sgd_has_momentum() -> None:
    parameter = nn.Parameter(torch.zeros(1, 1))
    optimizer, _ = make(SGD, momentum=0.5).build(synapse_of(parameter), 10, 5)
    for _ in range(3):
        parameter.grad = torch.ones(1, 1)
        optimizer.step()
    assert float(parameter.detach()) == pytest.approx(-LR * (1 + 1.5 + 1.75))


class Training:
    """A few steps on a quadratic, with what is needed to go on from a state."""

    def __init__(self, factory: OptimizerFactory, steps: int) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(4, 3)
        self.optimizer, self.schedule = factory.build(self.model, steps, 8)
        self.rates: list[float] = []

    def run(self, first: int, last: int) -> None:
        for step in range(first, last):
            x = torch.randn(5, 4, generator=torch.Generator().manual_seed(step))
            self.optimizer.zero_grad()
            self.model(x).square().mean().backward()
            self.optimizer.step()
            self.rates.append(self.optimizer.param_groups[0]["lr"])
            self.schedule.step()

    def state(self) -> dict[str, Any]:
        parts: list[Any] = [self.model, self.optimizer, self.schedule]
        return {str(i): part.state_dict() for i, part in enumerate(parts)}

    def load(self, state: dict[str, Any]) -> None:
        parts: list[Any] = [self.model, self.optimizer, self.schedule]
        for i, part in enumerate(parts):
            part.load_state_dict(state[str(i)])


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", [SGD, AdamW])
@pytest.mark.parametrize("stop", [3, 17])  # during the warm-up, and after
def test_a_resumed_schedule_equals_the_uninterrupted_one(
    kind: type[OptimizerFactory], schedule: str, stop: int
) -> None:
    factory = make(kind, schedule, warmup=1.25, decay=0.1)
    whole, first, second = (Training(factory, 24) for _ in range(3))
    whole.run(0, 24)
    first.run(0, stop)
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.load(torch.load(file, weights_only=True))
    second.run(stop, 24)
    assert first.rates + second.rates == whole.rates
    assert torch.equal(second.model.weight, whole.model.weight)
    assert second.schedule.get_last_lr() == whole.schedule.get_last_lr()
