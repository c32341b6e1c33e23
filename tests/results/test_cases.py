"""The pages of the two cases: what they say follows from the records, whichever way these go."""

import importlib
import io
import itertools
from pathlib import Path
from typing import Any

import pytest

from surrolab.results.cases import WORKS
from surrolab.results.definition import FOLDER, read_result
from surrolab.results.records import Record, Records
from surrolab.sweep.space import Space

CASES = ("case_silent_triangle", "case_asymptotic_reset")
CHECKOUT = Path(__file__).parents[2]


def record(study: str, values: dict[str, Any], seed: int, metrics: dict[str, Any]) -> Record:
    return Record(study, values, seed, "completed", None, metrics, 1.0, "c0ffee", "")


def looked(case: str, epochs: int, ill: bool) -> dict[str, Any]:
    """What the instruments might read: of a case that is ill, or of one that is not."""
    share = [0.0] * 80
    share[20 if ill else 38] = 1.0
    found: dict[str, Any] = {
        "gradients/hidden1/reached_fraction": 0.0 if ill else 1.0,
        "gradients/hidden1/membrane_norm": 0.0 if ill else 0.5,
        "gradients/hidden1/growth_per_step": 1.2,
        "alignment/hidden1/smoothed_fixed_cosine": 0.05 if ill else 0.8,
        "hidden1/through_reset": 500.0 if ill else 0.9,
        "hidden1/silent_fraction": 1.0 if ill else 0.1,
        "hidden1/window_fraction": 0.0 if ill else 0.2,
        "hidden1/window": 0.099,
        "hidden1/gradient_norm": [0.0 if ill else 1e-3 * (1 + t) for t in range(100)],
        "hidden1/membrane_share": share,
        "findings": [f"{case} is ill"] if ill else [],
    }
    return found | ({"val/accuracy": 0.1 if ill else 0.7} if epochs else {})


def made(name: str, seeds: int, ill: float, well: float) -> Records:
    """Records at every point of the result's studies; the case itself reaches ``ill``."""
    studies = read_result(name, CHECKOUT / FOLDER).at("short")
    analysis = importlib.import_module(f"surrolab.results.analyses.{name}")
    records = []
    for seed in range(seeds):
        for values in Space(studies["remedies"]["space"]).grid():
            is_case = analysis.CASE.values.items() <= values.items()
            accuracy = (ill if is_case else well) + 0.001 * seed
            metrics = {
                "test/accuracy": accuracy,
                "val/accuracy": accuracy,
                "spikes/hidden1/silent_fraction": 1.0 if accuracy < 0.15 else 0.1,
            }
            records.append(record("remedies", values, seed, metrics))
        space = studies["instruments"]["space"]
        for case, epochs in itertools.product(space["case"], space["epochs"]):
            metrics = looked(case, epochs, case == "case" and ill < WORKS)
            records.append(record("instruments", {"case": case, "epochs": epochs}, seed, metrics))
    return Records(records)


@pytest.mark.parametrize("name", CASES)
def test_every_run_is_the_case_or_one_remedy(name: str) -> None:
    analysis = importlib.import_module(f"surrolab.results.analyses.{name}")
    records = made(name, 3, 0.1, 0.98)
    trials = [analysis.CASE, *analysis.REMEDIES]
    runs = [run for trial in trials for run in trial.runs(records)]
    assert len(runs) == len(set(map(id, runs))) == len(records.of("remedies"))
    assert [len(trial.runs(records)) for trial in trials] == [3] * len(trials)
    words = read_result(name, CHECKOUT / FOLDER).at("short")["instruments"]["base"]["cases"]
    assert set(analysis.LOOKS) == set(words)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_case_that_came_out(name: str, seeds: int) -> None:
    analysis = importlib.import_module(f"surrolab.results.analyses.{name}")
    records = made(name, seeds, 0.1, 0.98)
    first, *others = analysis.claims(records)
    assert (first.holds, first.ours[0]) == (True, 0.1)
    assert all(claim.holds is None and claim.ours[0] == 0.98 for claim in others)
    said = analysis.findings(records)
    assert "> - case is ill" in said
    assert "did not come out" not in said
    assert "None of the remedies" not in said
    assert said.count("98.") == len(others)
    assert "nan" not in said


@pytest.mark.parametrize("name", CASES)
def test_a_case_that_did_not_come_out_says_so(name: str) -> None:
    analysis = importlib.import_module(f"surrolab.results.analyses.{name}")
    records = made(name, 3, 0.98, 0.5)
    first, *_ = analysis.claims(records)
    assert first.holds is False
    said = analysis.findings(records)
    assert "did not come out here" in said
    assert "None of the remedies comes above 90%" in said
    assert "> - Nothing is found." in said


@pytest.mark.parametrize("name", CASES)
def test_the_figure_is_drawn_though_there_is_no_gradient_to_draw(name: str) -> None:
    analysis = importlib.import_module(f"surrolab.results.analyses.{name}")
    buffer = io.StringIO()
    analysis.figure(made(name, 2, 0.1, 0.98)).savefig(buffer, format="svg")
    assert buffer.getvalue().count("<path") > 20
