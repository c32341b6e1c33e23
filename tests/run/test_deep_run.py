"""Depth: a residual network of twenty layers learns."""

import pytest


@pytest.mark.slow
def test_eighteen_hidden_layers_learn_digits(here):
    status, _, err = here(
        *("model=sew", "model.channels=[8,16]", "model.blocks=4", "surrogate=atan"),
        *("encoding.steps=4", "optimizer.lr=0.005", "trainer.max_epochs=4"),
        *("threads=1", "diagnostics=none"),
    )
    assert status == 0, err
    metrics = here.run.result["metrics"]
    assert metrics["test/accuracy"] > 0.85
    assert metrics["spikes/hidden18/rate"] > 0.01
    assert metrics["gradients/hidden1/norm"] > 0
    assert here.run.result["findings"] == []
