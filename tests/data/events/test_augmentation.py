"""Augmentation: what it does to events, that it is drawn by seed and epoch, and never in a test."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Program
from recorded import shd_file

from surrolab.data import OwnEvents
from surrolab.data.batches import IndexBatches
from surrolab.data.events.augmentation import Augmentation
from surrolab.data.events.samples import Entries

SIZE = 200_000


def entries(step: int, place: int, samples: int = 1000) -> Entries:
    return Entries(
        np.sort(np.arange(SIZE, dtype=np.int32) % samples),
        np.full(SIZE, step, np.int32),
        np.full(SIZE, place, np.int32),
        None,
        samples,
    )


def augmented(given: Entries, shape: tuple[int, ...], **options: Any) -> Entries:
    """What is left of the events."""
    found = Augmentation(**options)(given, shape, 100, 2.0, np.random.default_rng(0))
    assert found.kept is not None
    sample, step, place = (part[found.kept] for part in found[:3])
    return Entries(sample, step, place, None, found.samples)


def test_nothing_is_drawn_by_default() -> None:
    assert not Augmentation()
    for options in ({"drop": 0.1}, {"shift": 1}, {"time_shift": 1.0}, {"time_jitter": 1.0}):
        assert Augmentation(**options)


def test_events_are_dropped_one_by_one() -> None:
    found = augmented(entries(50, 7), (20,), drop=0.3)
    assert len(found.step) == pytest.approx(0.7 * SIZE, rel=0.01)
    kept = np.bincount(found.sample)
    assert kept.var() == pytest.approx(200 * 0.3 * 0.7, rel=0.15)


def test_time_jitter_has_its_standard_deviation() -> None:
    found = augmented(entries(50, 7), (20,), time_jitter=10.0)  # five steps of 2 ms
    # A bin's own width adds a little: once as the place in it, and once as it is rounded.
    time = found.step + 0.5
    assert time.mean() == pytest.approx(50.5, abs=0.05)
    assert time.std() == pytest.approx(np.hypot(5.0, np.sqrt(2 / 12)), rel=0.01)
    assert len(found.step) == SIZE
    # A small one leaves most events where they were.
    little = augmented(entries(50, 7), (20,), time_jitter=0.02)
    assert (little.step != 50).mean() == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.1)


def test_channel_jitter_is_rounded_and_keeps_polarities() -> None:
    found = augmented(entries(50, 47), (2, 40), channel_jitter=2.0)  # polarity 1, channel 7
    polarity, channel = np.divmod(found.place, 40)
    assert (polarity == 1).all()
    assert channel.min() == 0
    assert np.median(channel) == 7
    lost = 1 - len(found.place) / SIZE
    from math import erf

    assert lost == pytest.approx(0.5 * (1 - erf(7.5 / 2 / np.sqrt(2))), rel=0.3)


@pytest.mark.parametrize("shape", [(40,), (2, 9, 13)])
def test_shift_moves_a_sample_as_a_whole(shape: tuple[int, ...]) -> None:
    place = 20 if len(shape) == 1 else int(np.ravel_multi_index((1, 4, 6), shape))
    found = augmented(entries(50, place), shape, shift=3)
    assert len(found.place) == SIZE
    for sample in range(20):
        assert len(set(found.place[found.sample == sample].tolist())) == 1
    axes = np.unravel_index(found.place, shape)
    moving = axes if len(shape) == 1 else axes[1:]
    for axis, middle in zip(moving, (20,) if len(shape) == 1 else (4, 6), strict=True):
        values, counts = np.unique(axis - middle, return_counts=True)
        assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
        assert counts.min() > SIZE / 7 * 0.7
    if len(shape) == 3:
        assert (axes[0] == 1).all()


def test_time_shift_moves_a_sample_as_a_whole_and_drops_what_leaves() -> None:
    found = augmented(entries(1, 7), (20,), time_shift=10.0)
    spread = [np.ptp(found.step[found.sample == sample]) for sample in set(found.sample.tolist())]
    assert max(spread) == 1  # which of two steps depends on where in its bin an event was
    assert found.step.min() == 0
    # Of places between 1 and 2 that move by up to 5 steps, those are lost that end below 0.
    assert 1 - len(found.step) / SIZE == pytest.approx(3.5 / 10, abs=0.05)


def test_what_is_moved_beyond_all_bounds_is_gone() -> None:
    for options in ({"time_jitter": 1e300}, {"time_shift": 1e300}, {"time_jitter": 1e30}):
        assert len(augmented(entries(50, 7), (20,), **options).step) < 5
    few = augmented(entries(50, 7), (20,), channel_jitter=60_000.0)
    assert len(few.step) < 200
    assert len(augmented(entries(50, 7, 100_000), (20,), shift=60_000).step) < 200


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"drop": 1.0}, "augment_drop: 1.0 is not allowed; allowed: a number from 0 to below 1"),
        ({"time_jitter": -1.0}, "augment_time_jitter: -1.0 is not allowed"),
        ({"channel_jitter": float("nan")}, "augment_channel_jitter: nan is not allowed"),
        ({"shift": 1.5}, "augment_shift: 1.5 is not allowed; allowed: a whole number from 0"),
        ({"shift": 1 << 16}, "augment_shift: 65536 is not allowed; allowed: a whole number from 0"),
        ({"time_shift": float("inf")}, "augment_time_shift: inf is not allowed"),
    ],
)
def test_what_is_out_of_range_is_refused(options: Any, line: str) -> None:
    with pytest.raises(ValueError) as caught:
        Augmentation(**options)
    assert str(caught.value).startswith(line)


AUGMENTED: dict[str, Any] = {
    "augment_time_jitter": 20.0,
    "augment_channel_jitter": 3.0,
    "augment_drop": 0.2,
    "augment_shift": 5,
    "augment_time_shift": 30.0,
    "time_step": 20.0,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    shd_file(tmp_path / "own.h5")
    return tmp_path / "own.h5"


def batches(data: OwnEvents, stage: str, epoch: int) -> list[torch.Tensor]:
    loader = getattr(data, f"{stage}_dataloader")()
    assert isinstance(loader.sampler, IndexBatches)
    loader.sampler.set_epoch(epoch)
    found = []
    for batch in loader:
        steps = torch.arange(len(batch.x))[:, None]
        assert not batch.x.sum(2)[steps >= batch.lengths].any()
        last = batch.lengths - 1
        assert (batch.x.sum(2)[last, torch.arange(len(last))] > 0).all()
        found.append(batch.x)
    return found


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(a.shape == b.shape and a.equal(b) for a, b in zip(one, other, strict=True))


def test_training_batches_follow_from_seed_and_epoch_and_others_are_as_they_are(path: Path) -> None:
    def data(seed: int = 0, **options: Any) -> OwnEvents:
        made = OwnEvents(path, 8, path.parent, **{"time_step": 20.0, **options})
        made.seed, made.shuffle = seed, False
        return made

    plain, first, again, other = data(), data(**AUGMENTED), data(**AUGMENTED), data(1, **AUGMENTED)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    for epoch in (0, 1):
        shown = batches(first, "train", epoch)
        assert equal(shown, batches(again, "train", epoch))
        assert not equal(shown, batches(other, "train", epoch))
        assert not equal(shown, batches(plain, "train", epoch))
    assert not equal(batches(first, "train", 0), batches(first, "train", 1))
    for stage in ("val", "test"):
        assert equal(batches(first, stage, 3), batches(plain, stage, 0))
    assert torch.equal(torch.rand(3), expected)
    # A batch is a function of its indices: in whatever order they are asked for.
    loader = first.train_dataloader()
    rows = list(loader.sampler)
    alone = loader.dataset[rows[2]]
    assert torch.equal(alone.x, list(loader)[2].x)


def test_counts_and_binary_bins(path: Path) -> None:
    summed = OwnEvents(path, root=path.parent, **{**AUGMENTED, "augment_drop": 0.0}, pool=70)
    binary = OwnEvents(
        path, root=path.parent, **{**AUGMENTED, "augment_drop": 0.0}, pool=70, counts="binary"
    )
    a, b = (next(iter(data.train_dataloader())).x for data in (summed, binary))
    assert a.max() > 1
    assert torch.equal(a.clamp(max=1), b)


@pytest.mark.slow
def test_a_resumed_run_draws_the_same(path: Path, program: Program) -> None:
    words = [
        *("data=events", f"data.path={path}", f"data.root={path.parent}", "data.batch_size=8"),
        *(f"data.{key}={value}" for key, value in AUGMENTED.items()),
        *("model.hidden=[20]", "optimizer.schedule=constant"),
    ]
    whole = program.run("whole", *words, "trainer.max_epochs=4")
    part = program.run("part", *words, "trainer.max_epochs=2")
    process = program(f"resume={part.path}", "trainer.max_epochs=4")
    assert process.returncode == 0, process.stderr
    for name, tensor in whole.weights.items():
        assert torch.equal(tensor, part.weights[name]), name
