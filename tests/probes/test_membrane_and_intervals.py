"""Membranes against NumPy's histogram, intervals against spike trains made by hand."""

import itertools
import math

import numpy as np
import pytest
import torch

from surrolab.probes import MembraneDistribution, SpikeIntervals


def membranes(seed, steps=40, batch=6, shape=(3, 5), spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(steps, batch, *shape, generator=generator)


def relative(mem_TBN, threshold, lengths):
    """(U - theta) / theta of the valid neuron-steps, in float64."""
    wide = mem_TBN.double().numpy() / threshold.double().numpy() - 1
    return np.concatenate([wide[:n, b].flatten() for b, n in enumerate(lengths.tolist())])


@pytest.mark.parametrize("lengths", [[40] * 6, [40, 1, 7, 39, 12, 30]])
@pytest.mark.parametrize("per_neuron", [False, True])
def test_the_distribution_is_that_of_the_valid_neuron_steps(lengths, per_neuron):
    threshold = torch.tensor([0.5, 1.0, 2.0]).view(3, 1) if per_neuron else torch.tensor(1.3)
    lengths = torch.tensor(lengths)
    metric = MembraneDistribution()
    values = []
    for seed in range(3):
        metric.update(membranes(seed), threshold, lengths)
        values.append(relative(membranes(seed), threshold, lengths))
    values = np.concatenate(values)
    edges = metric.edges.numpy()
    assert edges[[0, 100, 200]].tolist() == [-5, 0, 5]
    # Rounding may move a value that lies on an edge.
    ends = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
    expected, _ = np.histogram(values, ends)
    found = {name: value.numpy() for name, value in metric.compute().items()}
    assert found["counts"].sum() == values.size
    assert np.abs(found["counts"] - expected).sum() <= 2
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-6)
    assert found["std"] == pytest.approx(values.std(), rel=1e-6)
    assert (np.abs(values) > 5).any() == per_neuron  # beyond the edges is in the outer bins


def test_a_small_spread_at_rest_is_seen():
    metric = MembraneDistribution()
    every = torch.full((6,), 40)
    for seed in range(4):
        metric.update(membranes(seed, spread=1e-5), torch.tensor(1.0), every)
    values = [relative(membranes(s, spread=1e-5), torch.tensor(1.0), every) for s in range(4)]
    assert float(metric.compute()["std"]) == pytest.approx(np.concatenate(values).std(), rel=0.01)


def test_a_membrane_at_the_threshold_is_at_the_lower_edge_of_its_bin():
    metric = MembraneDistribution()
    threshold = torch.tensor(1.0)
    below = torch.nextafter(threshold, torch.tensor(0.0)).expand(3, 1, 1)
    metric.update(threshold.expand(5, 1, 1), threshold, torch.tensor([5]))
    assert metric.counts.nonzero().tolist() == [[100]]
    metric.update(below, threshold, torch.tensor([3]))
    assert metric.counts[[99, 100]].tolist() == [3, 5]


def test_what_is_not_finite_is_counted_and_shows():
    metric = MembraneDistribution()
    mem_TBN = torch.tensor([math.nan, math.inf, -math.inf, 1.0]).view(4, 1, 1)
    metric.update(mem_TBN, torch.tensor(1.0), torch.tensor([4]))
    found = metric.compute()
    assert found["counts"][[0, 100, -1]].tolist() == [1, 1, 2]
    assert found["mean"].isnan()


def trains(*times, steps=20):
    """Spikes ``[steps, 1, N]`` from the times of each neuron."""
    spk_TBN = torch.zeros(steps, 1, len(times))
    for neuron, when in enumerate(times):
        spk_TBN[when, 0, neuron] = 1
    return spk_TBN


def test_intervals_of_trains_made_by_hand():
    metric = SpikeIntervals(20)
    # 3, 3, 3; 1, 10; none; none.
    metric.update(trains([2, 5, 8, 11], [0, 1, 11], [7], []), torch.tensor([20]))
    assert metric.counts.nonzero().flatten().tolist() == [0, 2, 9]
    assert metric.counts[[0, 2, 9]].tolist() == [1, 3, 1]
    intervals = np.array([3, 3, 3, 1, 10])
    found = metric.compute()
    assert float(found["isi_mean"]) == pytest.approx(intervals.mean(), rel=1e-12)
    assert float(found["isi_cv"]) == pytest.approx(intervals.std() / intervals.mean(), rel=1e-12)


def test_intervals_lie_within_a_neuron_a_sample_and_its_length():
    metric = SpikeIntervals(20)
    spk_TBN = torch.cat([trains([1, 4], [6]), trains([9], [0, 19]), trains([3, 5, 7], [18])], 1)
    metric.update(spk_TBN, torch.tensor([20, 20, 7]))
    assert metric.counts.nonzero().flatten().tolist() == [1, 2, 18]
    assert metric.counts.sum() == 3


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4)])
def test_intervals_equal_a_loop(shape):
    generator = torch.Generator().manual_seed(0)
    metric = SpikeIntervals(25)
    intervals = []
    for _ in range(3):
        spk_TBN = (torch.rand(25, 4, *shape, generator=generator) < 0.2).float()
        lengths = torch.randint(1, 26, (4,), generator=generator)
        metric.update(spk_TBN, lengths)
        for sample, length in enumerate(lengths.tolist()):
            for train in spk_TBN[:length, sample].flatten(1).T.tolist():
                times = [t for t, spike in enumerate(train) if spike]
                intervals += [b - a for a, b in itertools.pairwise(times)]
    assert metric.counts.tolist() == np.bincount(intervals, minlength=25)[1:].tolist()
    found = metric.compute()
    assert float(found["isi_mean"]) == pytest.approx(np.mean(intervals), rel=1e-12)
    assert float(found["isi_cv"]) == pytest.approx(np.std(intervals) / np.mean(intervals), rel=1e-9)


def test_a_clock_and_silence():
    metric = SpikeIntervals(20)
    metric.update(trains(range(0, 20, 4), range(1, 20, 4)), torch.tensor([20]))
    found = metric.compute()
    assert (float(found["isi_mean"]), float(found["isi_cv"])) == (4, 0)
    metric.reset()
    metric.update(trains([3], []), torch.tensor([20]))
    assert metric.compute() == {}
    one = SpikeIntervals(1)
    one.update(torch.ones(1, 2, 3), torch.tensor([1, 1]))
    assert one.compute() == {}
