"""The simulated event camera against a pixel that is followed by hand."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from surrolab.data import Digits, Saccades
from surrolab.data.events.dvs import DvsPixels
from surrolab.data.events.saccades import SaccadeRecordings, cubic_b_spline, light


def followed(logs: list[float], dt: float, on: float, off: float) -> list[tuple[float, int]]:
    """Times and polarities of a pixel."""
    level, found = logs[0], []
    for at, (a, b) in enumerate(itertools.pairwise(logs)):
        while b >= level + on:
            level += on
            found.append(((at + (level - a) / (b - a)) * dt, 1))
        while b <= level - off:
            level -= off
            found.append(((at + (level - a) / (b - a)) * dt, 0))
    return found


@pytest.mark.parametrize("mismatch", [0.0, 0.05])
def test_pixels_are_those_that_are_followed_by_hand(mismatch: float) -> None:
    rng = np.random.default_rng(0)
    logs = np.cumsum(rng.normal(0, 0.4, (50, 7)), axis=0)
    pixels = DvsPixels(0.3, mismatch)
    found = pixels.events(iter(np.exp(logs)), 2.0, np.random.default_rng(1))
    draw = np.random.default_rng(1)
    on, off = (np.maximum(0.3 + mismatch * draw.standard_normal(7), 0.03) for _ in range(2))
    assert len(found.t) > 200
    for pixel in range(7):
        wanted = followed(logs[:, pixel].tolist(), 2.0, on[pixel], off[pixel])
        own = found.pixel == pixel
        order = np.argsort(found.t[own], kind="stable")
        times = [t for t, _ in wanted]
        assert np.allclose(found.t[own][order], times, rtol=0, atol=1e-9)
        assert found.p[own][order].tolist() == [p for _, p in wanted]


def test_a_ramp_of_the_logarithm_fires_at_known_times() -> None:
    slope, dt = 0.021, 1.0  # per ms
    samples = iter(np.exp(np.array([[slope * k, -slope * k]])).reshape(2) for k in range(101))
    found = DvsPixels(0.3).events(samples, dt, np.random.default_rng(0))
    times = [0.3 * k / slope for k in range(1, math.floor(2.1 / 0.3 + 1e-9) + 1)]
    for pixel, polarity in ((0, 1), (1, 0)):
        assert np.allclose(np.sort(found.t[found.pixel == pixel]), times)
        assert set(found.p[found.pixel == pixel].tolist()) == {polarity}


def test_background_has_its_rate_and_both_polarities() -> None:
    samples = iter([np.ones(4000)] * 501)
    found = DvsPixels(0.3, 0.03, background=5.0).events(samples, 1.0, np.random.default_rng(0))
    assert len(found.t) == pytest.approx(4000 * 0.5 * 5, rel=0.05)
    assert float(found.p.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(found.t.mean()) == pytest.approx(250, rel=0.02)


def test_the_image_moves_and_keeps_its_light() -> None:
    x = np.linspace(-3, 3, 601)
    assert np.allclose(sum(cubic_b_spline(x - shift) for shift in range(-5, 6)), 1)
    image = np.zeros((1, 8, 8))
    image[0, 3, 4] = 1
    frames = [(frame.reshape(16, 16) - 0.1) / 0.9 for frame in light(image)]
    assert len(frames) == 151
    total = [frame.sum() for frame in frames]
    assert np.allclose(total, 1.5**2, rtol=0.01)
    middles = np.array(
        [[(frame.sum(axis) @ np.arange(16)) / frame.sum() for axis in (0, 1)] for frame in frames]
    )
    moved = middles - middles[0]
    for at, (right, down) in ((50, (1.5, 3.0)), (100, (3.0, 0.0)), (150, (0, 0))):
        assert np.allclose(moved[at], (right, down), atol=0.02)
    assert np.allclose(moved[25], (0.75, 1.5), atol=0.02)


def test_the_set(tmp_path: Path) -> None:
    data = Saccades(root=tmp_path, split_seed=3)
    digits = Digits(split_seed=3)
    for stage, index in digits.split_indices.items():
        assert torch.equal(data.split_indices[stage], index)
        assert torch.equal(data.samples[stage].y, digits.samples[stage].y)
    assert (data.steps, data.sample_shape, data.classes) == (30, (2, 16, 16), 10)
    assert not data.arrays.cut.any()
    assert 900 < data.arrays.events.mean() < 1600
    assert "synthetic" in data.licence
    # Each pixel comes back to where it was: about as many ON as OFF events.
    batch = next(iter(data.test_dataloader()))
    on, off = (float(batch.x[:, :, p].sum()) for p in (1, 0))
    assert on == pytest.approx(off, rel=0.05)


def test_seeds_and_pixels_decide_the_events() -> None:
    images = Digits().load().x[:150, 0].double().numpy()

    def simulated(seed: int = 0, **options: float) -> list[np.ndarray]:
        pixels = DvsPixels(**{"threshold": 0.3, "mismatch": 0.03, "background": 1.0, **options})
        return [one.t for one in SaccadeRecordings(pixels, seed).simulated(images)]

    first, again, other, few = (
        *(simulated(), simulated(), simulated(1)),
        simulated(threshold=0.6, background=0.0),
    )
    assert len(first) == 150
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert all((np.diff(t) >= 0).all() and t[-1] < 300_000 for t in first)
    numbers = [np.array([len(t) for t in run]) for run in (first, other, few)]
    assert np.corrcoef(numbers[0], numbers[1])[0, 1] > 0.9
    assert numbers[2].sum() < 0.6 * numbers[0].sum()
