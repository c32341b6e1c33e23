"""The input's gradient for those spikes alone to which a surrogate passes it on."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surrolab.models import MLPFactory, Network, Surroundings
from surrolab.neurons import (
    ALIFFactory,
    AlphaFactory,
    LeakyFactory,
    NeuronFactory,
    SynapticFactory,
)
from surrolab.surrogates import (
    ATan,
    Boxcar,
    Dspike,
    FastSigmoid,
    Sigmoid,
    SparseFastSigmoid,
    Surrogate,
    Trapezoid,
    Triangle,
)
from surrolab.surrogates.reach import Reach, taken_reach
from surrolab.synapses.kernel import Kernel, load
from surrolab.synapses.rule import most_within

COMPACT = [Boxcar(3.0), Triangle(4.0), Trapezoid(4.0), Dspike(3.0), SparseFastSigmoid(25.0)]


@given(
    shape=st.tuples(st.integers(1, 450), st.integers(1, 300), st.integers(1, 140)),
    share=st.sampled_from([0.0, 0.03, 0.4, 1.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_it_is_the_product_where_the_membrane_is_near_and_zero_elsewhere(
    shape: tuple[int, int, int], share: float, dtype: torch.dtype, seed: int
) -> None:
    rows, features, outputs = shape
    numbers = torch.Generator().manual_seed(seed)
    grad = torch.randn(rows, outputs, generator=numbers, dtype=dtype)
    weight = torch.randn(outputs, features, generator=numbers, dtype=dtype)
    near = torch.rand(rows, features, generator=numbers) < share
    far = 1 + 0.21 * (torch.randint(2, near.shape, generator=numbers) * 2 - 1)
    mem = torch.where(near, 1.19, far).to(dtype)
    found = load(dtype).input_gradient(grad, weight, Reach(mem, 1.0, 0.2), mem.numel())
    assert found is not None
    assert not found[~near].any()
    exact = grad.double() @ weight.double()
    magnitude = grad.double().abs() @ weight.double().abs()
    rounding = torch.finfo(dtype).eps * (outputs + 2)
    assert ((found.double() - exact)[near].abs() <= rounding * magnitude[near]).all()


def test_more_than_allowed_are_left_to_the_product() -> None:
    mem = torch.ones(4, 5)
    grad, weight = torch.randn(4, 3), torch.randn(3, 5)
    kernel = load(torch.float32)
    assert kernel.input_gradient(grad, weight, Reach(mem, 1.0, 0.2), 19) is None
    assert kernel.input_gradient(grad, weight, Reach(mem, 1.0, 0.2), 20) is not None


@pytest.mark.parametrize("surrogate", [*COMPACT, ATan(2.0), Sigmoid(5.0)], ids=repr)
def test_the_derivative_is_zero_beyond_the_support_and_not_within(surrogate: Surrogate) -> None:
    support = min(surrogate.support, 4.0)
    x = torch.linspace(0, support, 200, dtype=torch.float64)[1:-1]
    assert (surrogate.derivative(torch.cat([x, -x])) != 0).all()
    beyond = support * torch.tensor([1.001, 2.0, 50.0], dtype=torch.float64)
    if surrogate.support < 4:
        assert not surrogate.derivative(torch.cat([beyond, -beyond])).any()


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each gradient that could be computed in places was."""
    calls: list[bool] = []
    whole = Kernel.input_gradient

    def spied(self: Kernel, *given: Any) -> torch.Tensor | None:
        found = whole(self, *given)
        calls.append(found is not None)
        return found

    monkeypatch.setattr(Kernel, "input_gradient", spied)
    return calls


def network(neuron: NeuronFactory, surrogate: Surrogate, sparse: str) -> Network:
    torch.manual_seed(0)
    around = Surroundings((20,), 3, 12, neuron, surrogate, "auto", "membrane")
    made = MLPFactory([30, 25]).build(around).double()
    for _, layer in made.named_layers():
        layer.synapse.sparse = sparse
        layer.synapse.weight.data *= 3
        layer.neurons.overwrite_membrane = True
    return made


def gradients(made: Network) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x_TBF = (torch.rand(12, 7, 20, generator=generator) < 0.3).double()
    loss = made(x_TBF).y.square().mean()
    return list(torch.autograd.grad(loss, list(made.parameters())))


@pytest.mark.parametrize(
    ("neuron", "surrogate"),
    [
        *((LeakyFactory(), surrogate) for surrogate in COMPACT),
        (LeakyFactory(reset="zero", detach_reset=False), COMPACT[-1]),
        (LeakyFactory(threshold=0.7, learn_beta=True), COMPACT[0]),
        (SynapticFactory(alpha=0.6, detach_reset=False), COMPACT[1]),
        (AlphaFactory(), COMPACT[0]),
    ],
    ids=str,
)
def test_gradients_of_a_network_are_the_same(
    neuron: NeuronFactory, surrogate: Surrogate, used: list[bool]
) -> None:
    exact = gradients(network(neuron, surrogate, "false"))
    assert not used
    found = gradients(network(neuron, surrogate, "true"))
    assert used == [True, True]
    assert any(grad.any() for grad in exact[:2])
    for one, other in zip(found, exact, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12 * max(1.0, float(other.abs().max())))


LEARNED = Triangle(4.0)
LEARNED.learn("slope")


@pytest.mark.parametrize(
    ("neuron", "surrogate"),
    [
        (LeakyFactory(), FastSigmoid(25.0)),
        (LeakyFactory(), LEARNED),  # its slope's gradient comes from all spikes
        (ALIFFactory(), COMPACT[0]),
        (LeakyFactory(per_neuron=True, learn_threshold=True), COMPACT[0]),
    ],
    ids=str,
)
def test_without_one_threshold_and_compact_support_it_is_a_product(
    neuron: NeuronFactory, surrogate: Surrogate, used: list[bool]
) -> None:
    gradients(network(neuron, surrogate, "true"))
    assert not used


def test_an_overwritten_membrane_is_not_asked(used: list[bool]) -> None:
    made = network(LeakyFactory(), COMPACT[0], "true")
    output = made(torch.ones(12, 7, 20).double())
    loss, spk_TBN = output.y.square().mean(), output.hidden["hidden2"]
    loss.backward(retain_graph=True)
    used.clear()
    (found,) = torch.autograd.grad(loss, spk_TBN)
    assert not used
    made = network(LeakyFactory(), COMPACT[0], "false")
    output = made(torch.ones(12, 7, 20).double())
    (exact,) = torch.autograd.grad(output.y.square().mean(), output.hidden["hidden2"])
    assert torch.allclose(found, exact, rtol=0, atol=1e-12)


def test_a_membrane_that_is_computed_again_is_not_kept(
    used: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory that checkpoint_steps saves is saved with these surrogates too."""
    exact = gradients(network(LeakyFactory(), COMPACT[1], "false"))
    marked: list[Reach] = []
    mark = Reach.mark

    def noted(reach: Reach, spk: torch.Tensor) -> None:
        marked.append(reach)
        mark(reach, spk)

    monkeypatch.setattr(Reach, "mark", noted)
    made = network(LeakyFactory(), COMPACT[1], "true")
    x_TBF = (torch.rand(12, 7, 20, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    kept = made(x_TBF).y
    assert [reach.mem is None for reach in marked] == [False, False]
    del kept
    marked.clear()
    made.checkpoint_steps = 4
    loss = made(x_TBF).y.square().mean()
    assert [reach.mem is None for reach in marked] == [True] * 6
    for one, other in zip(torch.autograd.grad(loss, list(made.parameters())), exact, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12 * max(1.0, float(other.abs().max())))
    assert not any(used)


def test_spikes_hand_it_on_once() -> None:
    spk = torch.ones(2, 3)
    reach = Reach(spk.clone(), 1.0, 0.2)
    reach.mark(spk)
    assert taken_reach(spk) is reach
    assert taken_reach(spk) is None


def test_the_rule() -> None:
    assert most_within(6400, 512, 10, 1) < 0
    share = most_within(6400, 512, 512, 1) / (6400 * 512)
    assert 0.15 < share < 0.35
    assert most_within(6400, 1024, 1024, 1) > 2 * most_within(6400, 512, 512, 1)
