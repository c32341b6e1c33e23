"""Probes against counting by hand, over several batches."""

import math

import pytest
import torch
from torch import Tensor, nn

from surrolab.probes import GradientNorms, SpikeStatistics, WindowFraction
from surrolab.surrogates import ATan, Boxcar, FastSigmoid, Sigmoid, Surrogate, Triangle

SHAPES = [(6,), (2, 3, 4)]


def raster(seed: int, steps: int, batch: int, shape: tuple[int, ...]) -> Tensor:
    """Spikes of neurons from silent to always on, in turn."""
    generator = torch.Generator().manual_seed(seed)
    size = math.prod(shape)
    rate_N = torch.tensor([0.0, 1.0, 0.97, 0.3, 0.02, 0.9]).repeat(size // 6).view(shape)
    return (torch.rand(steps, batch, *shape, generator=generator) < rate_N).float()


def by_hand(batches: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    trains: dict[int, list[float]] = {}
    for spk_TBN, lengths_B in batches:
        for sample, length in enumerate(lengths_B.tolist()):
            flat_TN = spk_TBN[:length, sample].flatten(1)
            for neuron in range(flat_TN.shape[1]):
                trains.setdefault(neuron, []).extend(flat_TN[:, neuron].tolist())
    rates = [sum(train) / len(train) for train in trains.values()]
    return {
        "rate": sum(rates) / len(rates),
        "silent_fraction": sum(not any(train) for train in trains.values()) / len(trains),
        "saturated_fraction": sum(rate >= 0.95 for rate in rates) / len(rates),
    }


def values(metric: SpikeStatistics) -> dict[str, float]:
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("full", [True, False])
def test_spike_statistics_equal_counting_by_hand(shape: tuple[int, ...], full: bool) -> None:
    metric = SpikeStatistics(shape)
    batches = []
    for seed, (steps, batch) in enumerate([(12, 5), (7, 3), (12, 1)]):
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, steps + 1, (batch,), generator=generator)
        batches.append((raster(seed, steps, batch, shape), torch.tensor([steps] * batch)))
        if not full:
            batches[-1] = (batches[-1][0], lengths)
        metric.update(*batches[-1])
    expected = by_hand(batches)
    assert expected["silent_fraction"] > 0
    assert expected["saturated_fraction"] > 0
    assert values(metric) == pytest.approx(expected, rel=1e-12)
    # And a new pass starts from nothing.
    metric.reset()
    metric.update(*batches[1])
    assert values(metric) == pytest.approx(by_hand(batches[1:2]), rel=1e-12)


def test_spikes_beyond_a_samples_length_do_not_count() -> None:
    metric = SpikeStatistics((2,))
    spk_TBN = torch.zeros(4, 2, 2)
    spk_TBN[3, 0, 0] = 1  # beyond its length
    spk_TBN[:2, :, 1] = 1
    metric.update(spk_TBN, torch.tensor([2, 2]))
    assert values(metric) == {"rate": 0.5, "silent_fraction": 0.5, "saturated_fraction": 0.5}


def test_one_spike_in_one_sample_of_one_batch_is_not_silence() -> None:
    metric = SpikeStatistics((3,))
    for batch in range(4):
        spk_TBN = torch.zeros(10, 8, 3)
        spk_TBN[5, 7, 1] = batch == 2
        metric.update(spk_TBN, torch.full((8,), 10))
    assert values(metric)["silent_fraction"] == pytest.approx(2 / 3)
    assert values(metric)["rate"] == pytest.approx(1 / (3 * 4 * 80))


@pytest.mark.parametrize(("spikes", "saturated"), [(18, 0.0), (19, 1.0), (20, 1.0)])
def test_saturation_begins_at_95_percent(spikes: int, saturated: float) -> None:
    metric = SpikeStatistics((1,))
    spk_TBN = (torch.arange(20) < spikes).float().view(20, 1, 1)
    metric.update(spk_TBN, torch.tensor([20]))
    assert values(metric)["saturated_fraction"] == saturated


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_counts_are_exact_for_spikes_of_half_precision(dtype: torch.dtype) -> None:
    metric = SpikeStatistics((2,))
    spk_TBN = torch.ones(500, 30, 2, dtype=dtype)  # 15000 spikes, beyond either type's integers
    spk_TBN[7, 3, 0] = 0
    for _ in range(3):
        metric.update(spk_TBN, torch.full((30,), 500))
    assert values(metric)["rate"] == pytest.approx(1 - 3 / 90000, rel=1e-12)


def test_spike_statistics_hold_no_graph() -> None:
    metric = SpikeStatistics((2,))
    current = torch.randn(5, 3, 2, requires_grad=True)
    metric.update(FastSigmoid(5.0)(current), torch.full((3,), 5))
    assert not metric.count.requires_grad


def test_window_fraction_counts_neuron_steps_around_the_threshold() -> None:
    metric = WindowFraction()
    mem_TBN = torch.tensor([0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, -1.0]).view(4, 2, 1)
    metric.update(mem_TBN, torch.tensor(1.0), 0.25)
    assert float(metric.compute()) == 3 / 8
    metric.update(mem_TBN[:1], torch.tensor(1.0), 0.5)
    assert float(metric.compute()) == 4 / 10
    metric.reset()
    # Of the first sample two steps count, of the second four.
    metric.update(mem_TBN, torch.tensor(1.0), 0.25, torch.tensor([2, 4]))
    assert float(metric.compute()) == 2 / 6
    metric.reset()
    metric.update(mem_TBN, torch.tensor(0.5), math.inf)
    assert float(metric.compute()) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_window_fraction_knows_each_neurons_threshold(shape: tuple[int, ...]) -> None:
    threshold = torch.linspace(0.2, 2, shape[0]).view(-1, *[1] * (len(shape) - 1))
    metric = WindowFraction()
    inside, total = 0, 0
    for seed in range(3):
        mem_TBN = torch.randn(5, 2 + seed, *shape, generator=torch.Generator().manual_seed(seed))
        metric.update(mem_TBN, threshold, 0.3)
        for channel in range(shape[0]):
            distance = (mem_TBN[:, :, channel] - float(threshold[channel, ...].flatten()[0])).abs()
            inside += int((distance <= 0.3).sum())
            total += distance.numel()
    assert 0 < inside < total
    assert float(metric.compute()) == inside / total


@pytest.mark.parametrize(
    "surrogate", [Sigmoid(3.0), ATan(2.0), FastSigmoid(25.0), Triangle(2.0), Boxcar(2.0)]
)
def test_the_window_is_where_the_derivative_is_a_percent_of_its_peak(surrogate: Surrogate) -> None:
    mem_TBN = torch.linspace(-20, 22, 4200, dtype=torch.float64).view(-1, 1, 1)
    metric = WindowFraction()
    metric.update(mem_TBN, torch.tensor(1.0), surrogate.window)
    high = surrogate.derivative(mem_TBN - 1) >= 0.01 * surrogate.peak
    assert 0 < float(high.double().mean()) < 1
    assert float(metric.compute()) == pytest.approx(float(high.double().mean()), abs=2 / 4200)


def gradient_of(module: nn.Module, name: str) -> Tensor:
    gradient = module.get_parameter(name).grad
    assert gradient is not None
    return gradient


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def gradients(module: nn.Module, seed: int) -> dict[str, Tensor]:
    """Fill in gradients and return them by name."""
    generator = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.grad = torch.randn(p.shape, generator=generator)
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def test_gradient_norms_are_means_over_steps_and_largest_elements() -> None:
    module = network()
    norms = GradientNorms(module)
    assert norms.mean() == {}
    assert norms.largest() == {}
    seen = []
    for seed in range(4):
        seen.append(gradients(module, seed))
        sizes = norms.measure()
        assert sizes.largest.tolist() == [float(g.abs().max()) for g in seen[-1].values()]
        norms.update(sizes)
    for name in norms.names:
        squares = [math.sqrt(sum(v * v for v in g[name].flatten().tolist())) for g in seen]
        assert norms.mean()[name] == pytest.approx(sum(squares) / 4, rel=1e-6)
        assert norms.largest()[name] == max(float(g[name].abs().max()) for g in seen)
    norms.reset()
    assert norms.mean() == {}
    gradients(module, 9)
    norms.update(norms.measure())
    assert norms.mean()["0.bias"] == pytest.approx(
        float(gradient_of(module, "0.bias").norm()), rel=1e-6
    )


def test_a_parameter_without_gradient_counts_as_zero_and_a_frozen_one_not_at_all() -> None:
    module = network()
    module[0].bias.requires_grad_(False)
    norms = GradientNorms(module)
    assert norms.names == ["0.weight", "1.weight", "1.bias"]
    norms.update(norms.measure())  # no gradient at all yet
    gradients(module, 0)
    module[1].weight.grad = None
    assert norms.measure().largest[1] == 0
    norms.update(norms.measure())
    assert norms.mean()["1.weight"] == 0
    half = float(gradient_of(module, "0.weight").norm()) / 2
    assert norms.mean()["0.weight"] == pytest.approx(half, rel=1e-6)
    assert norms.largest()["1.weight"] == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("position", [0, 5, 11])
def test_measure_shows_a_single_element_that_is_not_finite(bad: float, position: int) -> None:
    module = network()
    norms = GradientNorms(module)
    gradients(module, 0)
    gradient_of(module, "0.weight").view(-1)[position] = bad
    largest = norms.measure().largest
    assert torch.isfinite(largest).tolist() == [False, True, True, True]
    assert largest[0].isnan() if math.isnan(bad) else largest[0] == math.inf


def test_large_finite_gradients_are_finite() -> None:
    module = network()
    norms = GradientNorms(module)
    gradients(module, 0)
    gradient_of(module, "0.weight").fill_(3e38)  # the sum of squares would overflow
    assert norms.measure().largest[0] == pytest.approx(3e38)
