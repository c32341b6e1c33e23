"""Yin-Yang: regions, balance and split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from surrolab.data import YinYang
from surrolab.data.yinyang import draw_points, label_points

PUBLISHED = Path(__file__).parents[2] / ".." / "shared" / "data" / "yinyang"


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_published_samples_get_their_published_labels(part: str) -> None:
    if not PUBLISHED.is_dir():
        pytest.skip("the published arrays (../shared/data/yinyang) are not here")
    samples = np.load(PUBLISHED / f"{part}_samples.npy").astype(np.float64)
    labels = np.load(PUBLISHED / f"{part}_labels.npy")
    assert samples.shape == (len(labels), 4)
    assert np.array_equal(label_points(samples[:, :2]), labels)


def test_regions_by_hand() -> None:
    points = np.array(
        [
            [0.25, 0.5],  # centre of the left dot
            [0.75, 0.5],  # centre of the right dot
            [0.25, 0.36],  # around the left dot, in the lower half
            [0.75, 0.64],  # around the right dot, in the upper half
            [0.5, 0.9],  # top
            [0.5, 0.1],  # bottom
        ]
    )
    assert label_points(points).tolist() == [2, 2, 1, 0, 1, 0]


def test_half_a_turn_swaps_yin_and_yang() -> None:
    _, points = draw_points(3000, np.random.SeedSequence(0))
    turned = label_points(1 - points)
    assert np.array_equal(turned, np.array([1, 0, 2])[label_points(points)])


def test_features_classes_and_balance() -> None:
    samples, points = draw_points(6000, np.random.SeedSequence(1))
    x, y = samples.x[:, 0], samples.x[:, 1]
    assert torch.allclose(samples.x[:, 2:], 1 - samples.x[:, :2], atol=1e-7)
    assert bool(((x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25 + 1e-6).all())
    assert np.array_equal(samples.y.numpy(), label_points(points))
    # Four standard deviations of a binomial count with p = 1/3.
    assert samples.y.bincount().sub(2000).abs().max() < 4 * (6000 * 2 / 9) ** 0.5
    # Uniform within a class: the dots are two discs of equal area.
    left = (points[samples.y.numpy() == 2, 0] < 0.5).mean()
    assert abs(left - 0.5) < 4 * 0.5 / 2000**0.5


def test_split_is_the_official_one_and_follows_split_seed() -> None:
    first, same, other = YinYang(), YinYang(), YinYang(split_seed=1)
    same.seed = 7
    assert first.split_sizes == {"train": 5000, "val": 1000, "test": 1000}
    assert (first.sample_shape, first.classes, first.steps) == ((4,), 3, None)
    for a, b, c in zip(first.load(), same.load(), other.load(), strict=True):
        assert a is not None
        assert b is not None
        assert c is not None
        assert torch.equal(a.x, b.x)
        assert not torch.equal(a.x, c.x)
    train, val, test = first.load()
    assert val is not None
    assert test is not None
    assert {part.x.dtype for part in (train, val, test)} == {torch.float32}
    assert len({tuple(row) for part in (train, val, test) for row in part.x.tolist()}) == 7000
