"""Records: what they keep, how they are chosen among, and intervals over seeds."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrolab.errors import UserError
from surrolab.results.gather import as_given
from surrolab.results.records import Record, Records, best, kept, read_records, write_records
from surrolab.results.statistics import bounds, differences, interval, said
from surrolab.sweep.parameter import hashable


def record(seed: int = 0, status: str = "completed", **metrics: float) -> Record:
    values = {"surrogate.slope": metrics.pop("slope", 1)}
    named = {f"{name}/accuracy": value for name, value in metrics.items()}
    return Record("shapes", values, seed, status, None, named, 1.5, "abc", "python train.py")


def test_records_come_back_in_the_order_of_parameters_and_seeds(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.short.jsonl"
    shuffled = [record(1, slope=10, val=0.5), record(0, slope=10, val=0.25), record(0, val=0.125)]
    write_records(path, shuffled)
    found = read_records(path)
    assert found == (shuffled[2], shuffled[1], shuffled[0])
    before = path.read_bytes()
    write_records(path, reversed(found))
    assert path.read_bytes() == before


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.short.jsonl"
    path.write_text('{"study": "a"}\n')
    with pytest.raises(UserError, match="line 1 is no record"):
        read_records(path)


def test_of_a_run_what_a_ledger_may_ask_is_kept_to_six_digits() -> None:
    metrics: dict[str, Any] = {
        "test/accuracy": 0.123456789,
        "test/spikes/hidden1/rate": 1.0,
        "gradients/hidden1/norm": 1.0,
        "val/loss": math.nan,
    }
    assert kept(metrics) == {"test/accuracy": 0.123457, "val/loss": None}


@pytest.mark.parametrize("value", [[64, 64], {"option": "atan", "slope": 3}, "atan", "[x", 0.5])
def test_values_of_a_trial_are_those_of_the_space(value: Any) -> None:
    assert as_given({"model.hidden": hashable(value)}) == {"model.hidden": value}


def test_the_best_is_chosen_on_validation_and_among_runs_that_were_not_pruned() -> None:
    records = Records(
        [
            *(record(seed, slope=1, val=0.8, test=0.9) for seed in (0, 1)),
            *(record(seed, slope=5, val=0.9, test=0.7) for seed in (0, 1)),
            record(0, "pruned", slope=10, val=1.0, test=1.0),
        ]
    )
    chosen = best(records, ["surrogate.slope"])
    assert chosen.metric("test/accuracy") == [0.7, 0.7]
    with pytest.raises(ValueError, match="metric: test/accuracy is not allowed"):
        best(records, ["surrogate.slope"], metric="test/accuracy")
    assert [key for (key,) in records.by("surrogate.slope")] == [1, 5, 10]
    assert len(records.of("shapes", **{"surrogate.slope": 5})) == 2


def test_of_losses_the_lowest_is_best() -> None:
    low, high = (
        Record("s", {"k": k}, 0, "completed", None, {"val/mse": k}, 1, None, "") for k in (1, 2)
    )
    assert best(Records([high, low]), ["k"], metric="val/mse") == (low,)


def test_intervals_are_those_of_the_table_of_students_t() -> None:
    # t(0.975) is 4.303 for two degrees of freedom and 2.776 for four.
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert half == pytest.approx(4.303 / math.sqrt(3), abs=1e-3)
    _, half = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert half == pytest.approx(2.776 * math.sqrt(2.5 / 5), abs=1e-3)
    assert math.isnan(interval([1.0])[1])
    with pytest.raises(ValueError, match="there are none"):
        interval([])


def test_an_interval_covers_the_truth_95_times_of_100() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        mean, half = interval(list(rng.normal(3.0, 2.0, size=3)))
        hits += abs(mean - 3.0) <= half
    assert 0.935 <= hits / 2000 <= 0.965


def test_paired_values_are_compared_one_by_one() -> None:
    gap = differences([1.0, 5.0, 9.0], [0.9, 4.9, 8.9])
    low, high = bounds(gap)
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.1)
    with pytest.raises(ValueError):
        differences([1.0], [1.0, 2.0])


def test_a_single_value_has_no_interval() -> None:
    assert bounds([0.5]) == (0.5, 0.5)
    assert said([0.5]) == "0.500"
    assert said([0.1, 0.2, 0.3], 1, 100, "+") == "+20.0 ± 24.8"
