"""Generated tasks: what is in a sample, what is asked, and that nothing else tells the answer."""

import numpy as np
import pytest
import torch

from surrolab.data import DelayedXor, Poisson, StoreRecall, Trajectories
from surrolab.data.store_recall import NOTHING, RECALL, STORE, draw_commands, stored_bits
from surrolab.targets import UNASKED

SMALL_STREAM = {"samples": 64, "units": 8, "symbol_steps": 20, "rate": 400.0}


@pytest.mark.parametrize(
    ("cls", "some"),
    [
        (Poisson, {}),
        (Trajectories, {"samples": 3}),
        (DelayedXor, {"samples": 200}),
        (StoreRecall, SMALL_STREAM),
    ],
)
def test_samples_are_a_function_of_the_data_seed(cls, some):
    def drawn(**more):
        return cls(**some, **more).samples["train"]

    first, again, other = drawn(), drawn(), drawn(data_seed=1)
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)


def test_poisson_rate_and_labels_of_all_stages():
    data = Poisson(samples=400, rate=20.0, time_step=2.0)
    assert (data.sample_shape, data.steps, data.classes, data.step_ms) == ((100,), 200, 2, 2.0)
    samples = data.samples
    # Six standard deviations of a binomial count.
    x, expected = samples["train"].x, 0.04
    assert abs(x.double().mean() - expected) < 6 * (expected * (1 - expected) / x.numel()) ** 0.5
    assert abs(samples["train"].y.double().mean() - 0.5) < 6 * 0.5 / 400**0.5
    for stage in ("val", "test"):
        assert torch.equal(samples[stage].x, x)
        assert torch.equal(samples[stage].y, samples["train"].y)
    assert data.split_sizes == {"train": 400, "val": 400, "test": 400}


@pytest.mark.parametrize("function", ["linear", "sqrt"])
def test_trajectories_follow_their_formula(function):
    data = Trajectories(batch_size=4, samples=4, function=function, steps=7, data_seed=3)
    (batch,) = data.val_dataloader()
    assert batch.x.shape == batch.y.shape == (7, 4, 1)
    assert batch.y.dtype == torch.float32
    rng = np.random.default_rng(3)
    ends, slope = rng.random(4), rng.random()
    for step in range(7):
        for sample in range(4):
            x = ends[sample] * step / 6
            y = x if function == "linear" else (slope * x) ** 0.5
            assert batch.x[step, sample, 0] == pytest.approx(x, abs=1e-6)
            assert batch.y[step, sample, 0] == pytest.approx(y, abs=1e-6)


def test_delayed_xor_is_the_exclusive_or_of_the_cues():
    """Read off the spikes: at these rates a cue cannot be mistaken."""
    data = DelayedXor(
        samples=400, units=50, delay_steps=30, low_rate=0.0, high_rate=1000.0, background_rate=50.0
    )
    samples = data.load()
    assert samples.x.shape == (400, 50, 50)
    rates = samples.x.double().mean(2)
    first, second = rates[:, :10].mean(1) > 0.5, rates[:, -10:].mean(1) > 0.5
    assert torch.equal(samples.y, (first ^ second).long())
    pairs = torch.bincount(2 * first.long() + second.long())
    assert pairs.tolist() == [100] * 4  # so that neither cue alone tells anything
    between = rates[:, 10:-10]
    assert abs(between.mean() - 0.05) < 6 * (0.05 * 0.95 / between.numel() / 50) ** 0.5
    assert data.split_sizes == {"train": 260, "val": 40, "test": 100}


def test_commands_take_turns_and_come_at_their_rate():
    commands = draw_commands(np.random.default_rng(0), 3000, 12, 6)
    assert commands.shape == (3000, 12)
    delays = []
    for sequence in commands:
        told = [(at, command) for at, command in enumerate(sequence) if command != NOTHING]
        assert [command for _, command in told] == [STORE, RECALL] * (len(told) // 2)
        assert len(told) >= 2
        waits = [b - a for (a, _), (b, _) in zip(told[::2], told[1::2], strict=True)]
        assert min(waits) >= 2
        delays += waits
    # Cut short by the end of the sequence, so below the 7 of an endless one.
    assert 3 < np.mean(delays) < 5
    assert max(delays) == 11


def test_stored_bits_by_hand():
    commands = np.array([[NOTHING, STORE, NOTHING, RECALL, NOTHING, STORE, NOTHING, RECALL]])
    bits = np.array([[1, 0, 1, 1, 0, 1, 0, 0]])
    assert stored_bits(commands, bits).tolist() == [[-1, -1, -1, 0, -1, -1, -1, 1]]


def test_store_recall_answers_can_be_read_off_the_spikes():
    """A program that looks at the groups of units finds what is asked for."""
    data = StoreRecall(batch_size=64, **SMALL_STREAM)
    samples = data.load()
    assert samples.targets is not None
    by_symbol = samples.x.view(64, 12, 20, 4, 2).double().mean((2, 4)) > 0.1
    for sample in range(64):
        stored, last = None, None
        for at, (zero, one, store, recall) in enumerate(by_symbol[sample].tolist()):
            asked = samples.targets[sample, 20 * at : 20 * at + 20].tolist()
            assert asked[:-1] == [UNASKED] * 19
            if recall:
                assert (zero, one, store) == (False, False, False)
                assert asked[-1] == stored
                last = stored
            else:
                assert zero != one
                assert asked[-1] == UNASKED
            stored = int(one) if store else stored
        assert samples.y[sample] == last


def test_batches_hold_the_targets_of_their_samples_and_no_more_steps_than_they_have():
    data = StoreRecall(batch_size=10, **SMALL_STREAM)
    test = data.samples["test"]
    batch = next(iter(data.test_dataloader()))
    assert batch.y.shape == batch.x.shape[:2] == (240, 10)
    assert torch.equal(batch.y, test.targets[:10].T)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Poisson(rate=2000.0), "rate: 2000 is not allowed; allowed: at most 1000, "),
        (lambda: Poisson(rate=-1.0), "rate: -1.0 is not allowed; allowed: a number 0 or more"),
        (lambda: DelayedXor(high_rate=600.0, time_step=2.0), "high_rate: 600 is not allowed"),
        (lambda: StoreRecall(units=10), "units: 10 is not allowed; allowed: a multiple of 4"),
        (lambda: StoreRecall(symbols=2), "symbols: 2 is not allowed"),
        (lambda: Trajectories(function="cube"), "function: 'cube' is not allowed"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, line):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)
