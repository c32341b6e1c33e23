"""First-spike times and spike counts by hand."""

import math

import pytest
import snntorch.functional as SF
import torch
import torch.nn.functional as F

from surrolab.objectives import CELatency, CERate, MSECount, ValidSteps

T = 12


def trains(*steps_of_classes, steps=T):
    """``[T, 1, C]`` with spikes of class c at the given steps."""
    spk = torch.zeros(steps, 1, len(steps_of_classes), dtype=torch.float64)
    for index, at in enumerate(steps_of_classes):
        spk[list(at), 0, index] = 1
    return spk


def test_first_spike_times():
    spk = trains([3, 5], [], [0], [11], [2, 3, 4])
    lengths = torch.tensor([T])
    objective = CELatency(temperature=2.0)
    loss, prediction = objective(spk, torch.tensor([4]), lengths, {})
    assert prediction.item() == 2
    logits = -torch.tensor([[3.0, 12.0, 0.0, 11.0, 2.0]], dtype=torch.float64) / 2.0
    torch.testing.assert_close(loss, F.cross_entropy(logits, torch.tensor([4])))
    # Of those that fire together the lowest index is predicted.
    assert objective(trains([], [4], [4]), torch.tensor([0]), lengths, {}).prediction == 1


def test_gradient_of_the_first_spike_time():
    """What a spike more, or less, would do to the time, step by step."""
    spk = trains([3, 5], []).requires_grad_()
    CELatency().first_spike(spk, steps_of(T)).sum().backward()
    # An earlier spike would save the steps up to the first; without it, the one at 5 counts.
    assert spk.grad[:, 0, 0].tolist() == [-3, -2, -1, -2, 0, 0, 0, 0, 0, 0, 0, 0]
    assert spk.grad[:, 0, 1].tolist() == [-12 + step for step in range(T)]


def steps_of(total):
    return ValidSteps(total, torch.tensor([total]))


def test_snntorch_first_spike_takes_silence_for_a_spike_in_the_last_step():
    """Why it is not used. If this fails, snnTorch was mended."""
    spk = trains([], [T - 1], [4]).float().requires_grad_()
    times = SF.loss.SpikeTime.FirstSpike.apply(spk)
    assert times.tolist() == [[T - 1, T - 1, 4]]
    times.sum().backward()
    assert spk.grad.count_nonzero() == 3  # one step each, whatever the distance to it
    ours = CELatency().first_spike(spk, steps_of(T))
    assert ours.tolist() == [[T, T - 1, 4]]


def test_mse_count_by_hand():
    spk = trains([0, 1, 2], [4], [], steps=10)
    loss, prediction = MSECount(0.8, 0.05)(spk, torch.tensor([0]), torch.tensor([10]), {})
    assert loss.item() == pytest.approx((0.5**2 + 0.05**2 + 0.05**2) / 3)
    assert prediction.item() == 0
    # In a batch of which this sample has 5 valid steps, the rates are per valid step.
    loss, _ = MSECount(0.8, 0.05)(spk, torch.tensor([0]), torch.tensor([5]), {})
    assert loss.item() == pytest.approx((0.2**2 + 0.15**2 + 0.05**2) / 3)


def test_half_precision_counts_more_than_256_spikes():
    spk = torch.zeros(400, 1, 2, dtype=torch.bfloat16)
    spk[:258, 0, 0] = 1
    spk[:259, 0, 1] = 1
    loss, prediction = CERate()(spk, torch.tensor([1]), torch.tensor([400]), {})
    assert prediction.item() == 1
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)))
