"""Synapses with delays: against loops, shifts by hand, and finite differences."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from surrolab.models import MLPFactory, RecurrentFactory, Surroundings
from surrolab.neurons import LeakyFactory
from surrolab.optimization import Adam
from surrolab.surrogates import FastSigmoid
from surrolab.synapses import SIGMA_END, DelayedLinear, SpikeLinear
from surrolab.synapses.delays import shifted_sum

STEPS, BATCH, INPUTS, OUTPUTS = 9, 3, 4, 5


def synapse(max_delay: int = 4, learn: bool = True, seed: int = 0) -> DelayedLinear:
    torch.manual_seed(seed)
    return DelayedLinear(INPUTS, OUTPUTS, max_delay, learn).double()


def sequence(steps: int = STEPS, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(steps, BATCH, INPUTS, generator=generator, dtype=torch.float64)


def gaussian(delay: float, sigma: float, taps: int) -> np.ndarray:
    values = np.exp(-0.5 * ((np.arange(taps) - delay) / sigma) ** 2)
    return values / values.sum()


@pytest.mark.parametrize("max_delay", [1, 4, 12])
@pytest.mark.parametrize("sigma", [0.5, 1.3, 6.0])
@pytest.mark.parametrize("lead", [0, 2])
def test_it_is_a_sum_over_synapses_and_taps(max_delay: int, sigma: float, lead: int) -> None:
    layer, x = synapse(max_delay), sequence()
    layer.sigma.fill_(sigma)
    found = layer(x[lead:], x[:lead] if lead else None).detach().numpy()
    weight, delay = layer.weight.detach().numpy(), layer.delay.detach().numpy()
    wanted = np.zeros((STEPS, BATCH, OUTPUTS)) + layer.bias.detach().numpy()
    for n, f in itertools.product(range(OUTPUTS), range(INPUTS)):
        kernel = weight[n, f] * gaussian(delay[n, f], layer.sigma.item(), max_delay + 1)
        for b in range(BATCH):
            wanted[:, b, n] += np.convolve(x[:, b, f].numpy(), kernel)[:STEPS]
    np.testing.assert_allclose(found, wanted[lead:], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", ["evaluation", "not learned", "frozen"])
def test_in_whole_steps_a_delay_is_a_shift_of_the_input(mode: str) -> None:
    layer, x = synapse(learn=mode != "not learned"), sequence()
    if mode == "evaluation":
        layer.eval()
    elif mode == "frozen":
        layer.requires_grad_(False)
    layer.delay.data[0, 0], layer.delay.data[0, 1] = 2.5, 0.49
    steps = layer.delay.detach().round().int()
    assert steps[0, 0] == 2
    assert set(steps.flatten().tolist()) == {0, 1, 2, 3, 4}
    wanted = layer.bias.expand(STEPS, BATCH, OUTPUTS).clone()
    for n, f in itertools.product(range(OUTPUTS), range(INPUTS)):
        late = int(steps[n, f])
        shifted = torch.cat([torch.zeros(late, BATCH, dtype=x.dtype), x[: STEPS - late, :, f]])
        wanted[:, :, n] += layer.weight[n, f] * shifted
    torch.testing.assert_close(layer(x), wanted)


def test_gradients_by_finite_differences() -> None:
    layer, x = synapse(3), sequence(5).requires_grad_()
    layer.sigma.fill_(0.8)
    past = sequence(3, seed=2).requires_grad_()

    def of(x: Tensor, past: Tensor, weight: Tensor, delay: Tensor, bias: Tensor) -> Tensor:
        given = {"weight": weight, "delay": delay, "bias": bias}
        return torch.func.functional_call(layer, given, (x, past))

    given = (x, past, layer.weight, layer.delay, layer.bias)
    assert torch.autograd.gradcheck(of, given)
    for lead in (0, 1, 3, 4):
        kernel = torch.randn(4, 2, INPUTS, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(
            lambda x, k, lead=lead: shifted_sum(x, k, lead), (x, kernel)
        )


def test_a_networks_gradient_by_its_delays_is_that_of_finite_differences() -> None:
    around = Surroundings(
        (INPUTS,), OUTPUTS, STEPS, LeakyFactory(beta=0.75), FastSigmoid(), "auto", "membrane"
    )
    torch.manual_seed(0)
    network = MLPFactory([], max_delay=5.0).build(around).double()
    x, delay = sequence(), network.layers["readout"].synapse.delay

    def loss() -> Tensor:
        return network(x).y.square().sum()

    (gradient,) = torch.autograd.grad(loss(), delay)
    for n, f in itertools.product(range(OUTPUTS), range(INPUTS)):
        sides = []
        for side in (1e-6, -1e-6):
            delay.data[n, f] += side
            sides.append(loss().item())
            delay.data[n, f] -= side
        assert gradient[n, f].item() == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5)


def test_a_kernel_has_its_weight_and_ends_as_nearly_one_tap() -> None:
    layer = synapse(10)
    assert layer.sigma == layer.widest == 5.0
    for sigma in (5.0, SIGMA_END, 1e-3):
        layer.sigma.fill_(sigma)
        torch.testing.assert_close(layer.kernel().sum(0), layer.weight)
    layer.sigma.fill_(SIGMA_END)
    layer.delay.data.round_()
    share = layer.kernel() / layer.weight
    middle = (layer.delay > 0) & (layer.delay < 10)
    assert bool((share.amax(0)[middle] > 0.78).all())


def test_delays_stay_within_their_bounds() -> None:
    layer, x = synapse(4), sequence()
    layer.delay.data[0] = torch.tensor([-3.0, -0.1, 4.2, 99.0], dtype=torch.float64)
    layer(x).sum().backward()
    assert layer.delay[0].tolist() == [0.0, 0.0, 4.0, 4.0]
    with pytest.raises(ValueError, match=r"^max_delay: 0 is not allowed; allowed: at least 1"):
        DelayedLinear(2, 2, 0)


def test_nothing_in_gives_nothing_out_and_nothing_arrives_early() -> None:
    layer, x = synapse(4), sequence()
    late = x.clone()
    late[5:] += 1
    assert torch.equal(layer(x)[:5], layer(late)[:5])
    x[:3] = 0
    layer.eval()
    assert torch.equal(layer(x)[:3], layer.bias.expand(3, BATCH, OUTPUTS))


@pytest.mark.parametrize("lengths", [[4, 5], [1] * 9, [2, 7], [8, 1]])
@pytest.mark.parametrize("training", [True, False])
def test_parts_give_the_same_as_the_whole(lengths: list[int], training: bool) -> None:
    layer, x = synapse(4).train(training), sequence()
    past, found = None, []
    for part in x.split(lengths):
        found.append(layer(part, past))
        past = layer.remember(part, past)
        assert past.shape == (4, BATCH, INPUTS)
    torch.testing.assert_close(torch.cat(found), layer(x))


def test_under_autocast_the_sum_is_made_in_full() -> None:
    layer, x = synapse(4).float(), (sequence() > 0).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, layer(x.float()).bfloat16())
    out.sum().backward()
    assert float(layer.delay.grad.abs().max()) > 0


def around(steps: int = 20, dt: float = 0.5) -> Surroundings:
    neuron = LeakyFactory(dt=dt)
    return Surroundings((INPUTS,), OUTPUTS, steps, neuron, FastSigmoid(), "auto", "membrane")


def test_all_but_recurrent_synapses_of_a_network_have_delays() -> None:
    torch.manual_seed(0)
    network = RecurrentFactory([7], max_delay=3.0).build(around())
    assert {name for name, _ in network.named_parameters() if "delay" in name} == {
        "layers.hidden1.synapse.delay",
        "layers.readout.synapse.delay",
    }
    synapses = [layer.synapse for _, layer in network.named_layers()]
    assert all(isinstance(one, DelayedLinear) and one.max_delay == 6 for one in synapses)
    delays = torch.cat([one.delay.detach().flatten() for one in synapses])
    assert 0 <= delays.min() < 1
    assert 5 < delays.max() <= 6
    torch.manual_seed(0)
    plain = RecurrentFactory([7]).build(around())
    assert all(isinstance(layer.synapse, SpikeLinear) for _, layer in plain.named_layers())


@pytest.mark.parametrize("max_delay", [0.2, 10.0, 500.0])
def test_delays_that_the_sequence_cannot_have_are_refused(max_delay: float) -> None:
    with pytest.raises(ValueError, match=r"^max_delay: .*; allowed: 1 to 19 steps, .* or null$"):
        MLPFactory([3], max_delay=max_delay).build(around())


def test_delays_are_learned_a_hundred_times_as_fast_and_do_not_decay() -> None:
    network = MLPFactory([3], max_delay=3.0).build(around())
    factory = Adam(0.002, 0.1, "cosine", 0.0, 0.01)
    optimizer, schedule = factory.build(network, 10, 5)
    groups = {
        name: group
        for group in optimizer.param_groups
        for name, p in network.named_parameters()
        if any(p is one for one in group["params"])
    }
    delays, weights = (groups[f"layers.hidden1.synapse.{k}"] for k in ("delay", "weight"))
    assert (delays["lr"], delays["weight_decay"]) == (pytest.approx(0.2), 0.0)
    assert (weights["lr"], weights["weight_decay"]) == (0.002, 0.1)
    optimizer.step()
    schedule.step()
    assert delays["lr"] == pytest.approx(100 * weights["lr"])
    fixed = MLPFactory([3], max_delay=3.0, learn_delays=False).build(around())
    trained = [p for group in factory.build(fixed, 10, 5)[0].param_groups for p in group["params"]]
    assert len(trained) == 4
