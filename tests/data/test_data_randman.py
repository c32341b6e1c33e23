"""Random manifolds: formula, spike code and data module."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from surrolab.data import Randman
from surrolab.data.manifolds import Manifold, spectrum_terms, spike_times

SMALL: dict[str, Any] = {
    "manifold_classes": 3,
    "units": 4,
    "alpha": 2.0,
    "spectrum": "fzenke",
    "samples_per_class": 20,
}


def times(**changes: Any) -> NDArray[np.int32]:
    return spike_times(**{**SMALL, "dim": 1, "window": 50, "data_seed": 0, **changes})


def test_paper_spectrum() -> None:
    k, w = spectrum_terms("paper", 1.5)
    assert (k[0], k[-1], len(k)) == (1, 1000, 1000)
    assert w[[0, 3, 999]] == pytest.approx([1, 1 / 8, 1000**-1.5])


@pytest.mark.parametrize(
    ("alpha", "last", "first_weight"),
    [(0.5, 999, 1 / (1 + 2**0.5)), (1.0, 999, 1 / 3), (2.0, 31, 1 / 5), (3.0, 9, 1 / 9)],
)
def test_spectrum_of_the_published_generator(alpha: float, last: int, first_weight: float) -> None:
    k, w = spectrum_terms("fzenke", alpha)
    assert k.tolist() == list(range(1, last + 1))
    assert w[0] == pytest.approx(first_weight)
    assert w[-1] == pytest.approx(1 / ((last + 1) ** alpha + 1))


@pytest.mark.parametrize("alpha", [1e-3, 100.0])
@pytest.mark.parametrize("spectrum", ["paper", "fzenke"])
def test_extreme_exponents_are_finite(spectrum: str, alpha: float) -> None:
    found = times(spectrum=spectrum, alpha=alpha)
    assert found.min() == 0
    assert found.max() == 49


@pytest.mark.parametrize("spectrum", ["paper", "fzenke"])
@pytest.mark.parametrize("dim", [1, 2])
def test_manifold_equals_its_formula(spectrum: str, dim: int) -> None:
    rng = np.random.default_rng(3)
    manifold = Manifold.draw(rng, 3, dim, 1.0, spectrum)
    points = rng.uniform(size=(5, dim))
    found = manifold(points)
    for s in range(5):
        for n in range(3):
            product = 1.0
            for j in range(dim):
                product *= math.fsum(
                    weight * math.sin(2 * math.pi * (k * b * points[s, j] + c))
                    for k, weight, b, c in zip(
                        manifold.k,
                        manifold.weight[n, j],
                        manifold.stretch[n, j],
                        manifold.phase[n, j],
                        strict=True,
                    )
                )
            assert found[s, n] == pytest.approx(product, abs=2e-6)


def test_weights_are_the_spectrum_times_an_amplitude_below_one() -> None:
    manifold = Manifold.draw(np.random.default_rng(0), 50, 1, 1.0, "paper")
    amplitude = manifold.weight / spectrum_terms("paper", 1.0)[1]
    for drawn in (amplitude, manifold.stretch, manifold.phase):
        assert drawn.min() >= 0
        assert drawn.max() < 1
        assert drawn.mean() == pytest.approx(0.5, abs=0.01)


def test_chunks_of_samples_do_not_change_the_result() -> None:
    manifold = Manifold.draw(np.random.default_rng(0), 2, 1, 3.0, "fzenke")
    points = np.random.default_rng(1).uniform(size=(2500, 1))
    parts = np.concatenate([manifold(points[:700]), manifold(points[700:])])
    assert np.allclose(manifold(points), parts, rtol=0, atol=1e-12)


def test_larger_alpha_is_smoother() -> None:
    grid = np.linspace(0, 1, 500).reshape(-1, 1)

    def variation(alpha: float, spectrum: str) -> float:
        f_SN = Manifold.draw(np.random.default_rng(0), 20, 1, alpha, spectrum)(grid)
        unit = (f_SN - f_SN.min(axis=0)) / (f_SN.max(axis=0) - f_SN.min(axis=0))
        return float(np.abs(np.diff(unit, axis=0)).sum(axis=0).mean())

    for spectrum in ("paper", "fzenke"):
        found = [variation(alpha, spectrum) for alpha in (1.0, 2.0, 4.0)]
        assert found == sorted(found, reverse=True)
        assert found[0] > 3 * found[2]


def test_times_span_the_window_and_follow_the_parameters() -> None:
    base = times()
    assert base.shape == (60, 4)
    assert base.dtype == np.int32
    for one_class in base.reshape(3, 20, 4):
        assert (one_class.min(axis=0) == 0).all()
        assert (one_class.max(axis=0) == 49).all()
    assert np.array_equal(base, times())
    for changes in ({"data_seed": 1}, {"spectrum": "paper"}, {"alpha": 1.0}, {"dim": 2}):
        assert not np.array_equal(base, times(**changes))
    # A manifold does not depend on the number of classes.
    assert np.array_equal(base, times(manifold_classes=5)[:60])


def test_classes_can_be_told_apart() -> None:
    found = times(units=10, samples_per_class=200)
    labels = np.repeat(np.arange(3), 200)
    nearest = KNeighborsClassifier(1).fit(found[::2], labels[::2])
    assert nearest.score(found[1::2], labels[1::2]) > 0.95


def test_one_spike_per_unit_and_sample_in_the_window(tmp_path: Path) -> None:
    module = Randman(
        batch_size=25, root=str(tmp_path), steps=30, window=12, **{**SMALL, "units": 7}
    )
    assert (module.sample_shape, module.classes, module.steps) == ((7,), 3, 30)
    assert module.split_sizes == {"train": 48, "val": 6, "test": 6}
    batch = next(iter(module.train_dataloader()))
    assert batch.x.shape == (30, 25, 7)
    assert batch.x.dtype == torch.float32
    assert batch.x.unique().tolist() == [0, 1]
    assert bool((batch.x.sum(dim=0) == 1).all())
    assert batch.x[12:].sum() == 0
    assert batch.lengths.tolist() == [30] * 25
    for loader in (module.val_dataloader(), module.test_dataloader()):
        (only,) = list(loader)
        assert only.y.bincount().tolist() == [2, 2, 2]


def test_spikes_fall_where_the_times_say(tmp_path: Path) -> None:
    samples = Randman(root=tmp_path, **SMALL).load()
    assert samples.x.dtype == torch.uint8
    assert np.array_equal(samples.x.argmax(dim=1).numpy(), times())
    assert samples.y.tolist() == [0] * 20 + [1] * 20 + [2] * 20
