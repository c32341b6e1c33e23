"""Measurements: what the instruments read, and time beside plain snnTorch."""

from typing import Any

import numpy as np
import pytest
import torch
from conftest import InProcess

from surrolab.composition import compose_run
from surrolab.data import Batch
from surrolab.probes import MembraneDistribution
from surrolab.results.cases import HIGH, LOW, WIDTH
from surrolab.results.measurements import gradient_diagnosis, snntorch_time
from surrolab.run.build import build_parts

SMALL = (
    *("experiment=randman_zenke2021", "logger=none", "diagnostics=none", "threads=1"),
    *("data.samples_per_class=20", "data.batch_size=40", "model.hidden=[30]"),
    *("trainer.max_epochs=2", "callbacks.progress=false", "model.init_rate=0.01"),
)
DRIVEN = "model.init=fluctuation_driven"
HIGH_PEAK = f"{DRIVEN} surrogate.normalize=peak surrogate.scale=100 surrogate.slope=100"
WORDS = {
    "triangle": "surrogate=triangle surrogate.slope=10",
    "driven": f"surrogate=triangle surrogate.slope=10 {DRIVEN}",
    "reset": f"{HIGH_PEAK} neuron.detach_reset=false",
    "detached": f"{HIGH_PEAK} neuron.detach_reset=true",
    "low": f"{HIGH_PEAK} surrogate.scale=1e-6 neuron.detach_reset=false",
}


def look(case: str, epochs: int = 0, **more: Any) -> dict[str, Any]:
    return gradient_diagnosis.measure(
        seed=0, words=SMALL, cases=WORDS, case=case, epochs=epochs, samples=16, **more
    )


def test_of_a_silent_triangle_nothing_arrives_and_a_slope_and_a_gain_are_printed() -> None:
    found = look("triangle")
    assert found["gradients/hidden1/reached_fraction"] == 0
    assert found["hidden1/gradient_norm"] == [0.0] * 100
    assert (found["hidden1/silent_fraction"], found["hidden1/through_reset"]) == (1.0, None)
    assert sum(found["hidden1/membrane_share"]) == pytest.approx(1, abs=0.02)
    (said,) = [line for line in found["findings"] if "exactly zero" in line]
    assert "try surrogate.slope=" in said
    assert "model.init_gain=" in said
    assert "val/accuracy" not in found


def test_after_an_epoch_it_is_the_run_that_train_makes(here: InProcess) -> None:
    """Of a run of two epochs, whose learning rate falls over both."""
    found = look("driven", epochs=1)
    assert here(*SMALL, *WORDS["driven"].split(), "seed=0")[0] == 0
    first, second = [float(row["val/accuracy"]) for row in here.run.rows if row["val/accuracy"]]
    assert found["val/accuracy"] == pytest.approx(first)
    assert first != second
    assert found["gradients/hidden1/reached_fraction"] > 0


def test_what_passes_the_reset_is_nothing_where_it_is_detached_or_the_surrogate_low() -> None:
    assert look("detached")["hidden1/through_reset"] == 1
    assert look("low")["hidden1/through_reset"] == pytest.approx(1, abs=1e-3)
    assert look("reset")["hidden1/through_reset"] > 10


@pytest.mark.parametrize(
    ("case", "epochs", "line"),
    [("square", 0, "case: 'square' is not allowed; allowed: triangle"), ("low", 3, "epochs: 3")],
)
def test_what_there_is_not_is_refused(case: str, epochs: int, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        look(case, epochs)


def test_shares_of_coarser_bins_are_numpys() -> None:
    x = np.random.default_rng(0).normal(-0.5, 1.2, 20_000)
    distribution = MembraneDistribution(sync_on_compute=False)
    distribution.update(torch.tensor(x + 1)[None, None], torch.tensor(1.0), torch.tensor([1]))
    share = gradient_diagnosis._share(distribution.edges, distribution.compute()["counts"])
    edges = np.linspace(LOW, HIGH, round((HIGH - LOW) / WIDTH) + 1)
    inside = np.clip(x.astype(np.float32), LOW + 1e-4, HIGH - 1e-4)
    expected = np.histogram(inside, edges)[0] / len(x)
    assert share.numpy() == pytest.approx(expected, abs=3 / len(x))


def test_plain_snntorch_is_the_same_network_up_to_what_it_does_at_a_reset() -> None:
    """Its ``Synaptic`` drops the new input where it resets to zero: until then all is the same."""
    config = compose_run([*SMALL, DRIVEN], "x").config
    parts = build_parts(config)
    torch.manual_seed(1)
    x_TBF = torch.bernoulli(torch.full((60, 8, 20), 0.02))
    batch = Batch(x_TBF, torch.arange(8), torch.full((8,), 60))
    y_TBC, spk_TBN = snntorch_time.PlainNetwork(parts, config["surrogate"]["slope"])(x_TBF)
    ours = parts.task.evaluate(batch).output
    before_TBN = (spk_TBN.cumsum(0) - spk_TBN) == 0  # up to a neuron's first spike
    assert spk_TBN[before_TBN].sum() > 20
    assert torch.equal(spk_TBN[before_TBN], ours.hidden["hidden1"][before_TBN])
    same_TB = (spk_TBN == ours.hidden["hidden1"]).all(2).cumprod(0).bool()
    assert (same_TB & (spk_TBN.sum(2).cumsum(0) > 0)).sum() > 20
    torch.testing.assert_close(y_TBC[same_TB], ours.y[same_TB])


def test_a_step_is_timed_on_both_sides() -> None:
    found = snntorch_time.measure(seed=0, words=SMALL, rounds=6, warm_up=2)
    assert found["steps"] == 6
    assert found["ours_step_s"] > 0
    assert found["ratio"] == pytest.approx(found["snntorch_step_s"] / found["ours_step_s"])
    assert found["ours_loss"] == pytest.approx(found["snntorch_loss"], rel=1e-5)


@pytest.mark.parametrize(
    "word", ["neuron=leaky", "model.hidden=[8,8]", "surrogate=atan", "neuron.reset=subtract"]
)
def test_another_network_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="words: this network is not allowed; allowed"):
        snntorch_time.measure(seed=0, words=[*SMALL, word])
