"""Claims of the generated tasks: figures come from the records, and so does what holds."""

from typing import Any

import pytest

from surrolab.results.analyses import (
    bellec2018_store_recall,
    delayed_xor,
    snntorch_regression1,
    spytorch_tutorial1,
)
from surrolab.results.records import Record, Records


def record(study: str, seed: int, metrics: dict[str, Any], **values: Any) -> Record:
    return Record(study, values, seed, "completed", None, metrics, 1.0, None, "python train.py")


def by_study(name: str, studies: dict[str, list[float]], **more: float) -> Records:
    return Records(
        record(study, seed, {name: value, "val/accuracy": value, **more})
        for study, values in studies.items()
        for seed, value in enumerate(values)
    )


def held(claims: list[Any]) -> list[bool | None]:
    return [claim.holds for claim in claims]


@pytest.mark.parametrize(
    ("surrogate", "true", "holds", "says"),
    [
        ([0.85, 0.87, 0.86], [0.5, 0.52, 0.51], [True, True, True], "35.0 ± "),
        ([0.7, 0.71, 0.69], [0.7, 0.69, 0.71], [False, False, False], "cannot be told apart"),
    ],
)
def test_spytorch(surrogate, true, holds, says) -> None:
    studies = {"surrogate_gradient": surrogate, "true_gradient": true}
    records = by_study("test/accuracy", studies)
    claims = spytorch_tutorial1.claims(records)
    assert [claim.ours for claim in claims[:2]] == [surrogate, true]
    assert held(claims) == holds
    assert says in spytorch_tutorial1.findings(records)
    assert len(spytorch_tutorial1.figure(records).axes) == 1


@pytest.mark.parametrize(("error", "holds"), [(0.01, True), (0.05, False)])
def test_regression(error, holds) -> None:
    records = Records(
        record(
            "functions",
            seed,
            {"test/mae": error + 0.0001 * seed, "val/mse": rate},
            **{"data.function": function, "optimizer.lr": rate},
        )
        for function in ("linear", "sqrt")
        for rate in (0.001, 0.01)
        for seed in range(3)
    )
    claims = snntorch_regression1.claims(records)  # the published rate is the best one here
    assert [(claim.published, claim.holds) for claim in claims] == [(0.0122, holds), (None, None)]
    assert claims[0].ours == pytest.approx([error, error + 0.0001, error + 0.0002])
    assert ("times the published" in snntorch_regression1.findings(records)) is not holds
    assert len(snntorch_regression1.figure(records).axes) == 2


@pytest.mark.parametrize(
    ("adaptive", "leaky", "holds", "says"),
    [
        (0.99, 0.75, True, "is below 0.05, which without adaptation is not met"),
        (0.9, 0.97, False, "is not below 0.05, which is met without adaptation"),
    ],
)
def test_store_recall(adaptive, leaky, holds, says) -> None:
    studies = {"adaptive": [adaptive] * 3, "leaky": [leaky] * 3}
    records = by_study("test/accuracy", studies, **{"spikes/hidden1/rate": 0.04})
    claims = bellec2018_store_recall.claims(records)
    assert [claim.ours for claim in claims] == [
        pytest.approx([1 - a] * 3) for a in (adaptive, leaky)
    ]
    assert held(claims) == [holds, None]
    assert says in bellec2018_store_recall.findings(records)
    assert len(bellec2018_store_recall.figure(records).axes) == 2


def test_delayed_xor() -> None:
    records = Records(
        record(
            study,
            seed,
            {"test/accuracy": accuracy(study, model, delay) + 0.001 * (seed - 1)},
            **{"model": model, "data.delay_steps": delay},
        )
        for study in ("adaptive", "leaky")
        for model in ("mlp", "recurrent")
        for delay in (20, 100, 180)
        for seed in range(3)
    )
    found = {claim.what: claim for claim in delayed_xor.claims(records)}
    assert len(found) == 12
    assert {what: claim.holds for what, claim in found.items() if claim.published} == {
        "leaky, feed-forward, a delay of 100 steps": True,
        "leaky, feed-forward, a delay of 180 steps": True,
        "adaptive, recurrent, a delay of 100 steps": True,
        "adaptive, recurrent, a delay of 180 steps": False,
    }
    findings = delayed_xor.findings(records)
    assert "reaches 90% up to a delay of 100" in findings
    assert "reaches 90% at no delay" in findings
    assert len(delayed_xor.figure(records).axes[0].lines) == 5  # four cases and chance


def accuracy(study: str, model: str, delay: int) -> float:
    if study == "leaky":
        return 0.8 if delay < 100 else 0.5
    return 0.6 if delay > 100 else 0.95
