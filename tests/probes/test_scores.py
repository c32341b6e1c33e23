"""Means and accuracies against torchmetrics' own."""

import math

import numpy as np
import pytest
import torch
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from surrolab.probes import Accuracy, Mean

SIZES = [64, 64, 7, 1]


def test_a_mean_of_losses_over_samples_pass_after_pass() -> None:
    """Against NumPy: torchmetrics' own with `nan_strategy="disable"` does not look at weights."""
    generator = torch.Generator().manual_seed(0)
    own = Mean()
    for _ in range(2):
        losses, samples = [], []
        for _ in range(100):
            loss = torch.rand((), generator=generator).requires_grad_()
            losses.append(float(loss.detach()))
            samples.append(int(torch.randint(1, 65, (), generator=generator)))
            own.update(loss, weight=samples[-1])
        assert float(own.compute()) == pytest.approx(np.average(losses, weights=samples), rel=1e-6)
        assert float(own.compute()) != pytest.approx(np.average(losses), rel=1e-6)
        assert not own.compute().requires_grad
        own.reset()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_mean_over_elements(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    own, theirs = Mean(), MeanMetric(nan_strategy="disable")
    for size in SIZES:
        values = torch.randn(size, 3, generator=generator).to(dtype)
        own.update(values)
        theirs.update(values)
    assert own.compute().dtype == torch.float32
    assert own.compute().equal(theirs.compute())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_no_number_shows(bad: float) -> None:
    mean = Mean()
    for value in (1.0, bad, 2.0):
        mean.update(torch.tensor(value))
    assert not math.isfinite(mean.compute())


def test_an_accuracy_over_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    own = Accuracy()
    theirs = MulticlassAccuracy(3, average="micro", validate_args=False)
    for size in SIZES:
        prediction, target = torch.randint(0, 3, (2, size), generator=generator)
        own.update(prediction, target)
        theirs.update(prediction, target)
    assert 0 < own.compute() < 1
    assert own.compute().equal(theirs.compute())
    own.reset()
    own.update(torch.tensor([1, 2]), torch.tensor([1, 2]))
    assert own.compute() == 1
