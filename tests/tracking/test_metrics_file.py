"""``metrics.csv``: each step once, whatever is logged when and whatever kills the process."""

import csv
import math
from pathlib import Path

import pytest

from surrolab.tracking.metrics_file import MetricsFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.csv"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        reader = csv.DictReader(file, strict=True)
        rows = list(reader)
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def steps(path: Path) -> list[int]:
    return [int(row["step"]) for row in read(path)]


def written(path: Path, last: int) -> None:
    """A finished file with a row for each step from 1 to ``last``."""
    metrics = MetricsFile(path)
    for step in range(1, last + 1):
        metrics.log_metrics({"train/loss": step / 3, "epoch": step // 4}, step)
    metrics.finalize("success")


def test_what_is_logged_for_a_step_becomes_one_row(path: Path) -> None:
    metrics = MetricsFile(path)
    for step in (1, 2, 3):
        metrics.log_metrics({"train/loss": step / 10}, step)
        metrics.log_metrics({"epoch": 0, "val/loss": step / 20}, step)
        metrics.log_metrics({"val/loss": step / 40}, step)  # the later value counts
    metrics.finalize("success")
    assert read(path) == [
        {"step": str(s), "epoch": "0", "train/loss": str(s / 10), "val/loss": str(s / 40)}
        for s in (1, 2, 3)
    ]


def test_a_row_is_on_disk_when_the_next_step_is_logged_or_on_save(path: Path) -> None:
    metrics = MetricsFile(path)
    assert path.read_text() == "step,epoch\n"
    metrics.log_metrics({"a": 1.0}, 1)
    assert steps(path) == []
    metrics.log_metrics({"a": 2.0}, 2)
    assert steps(path) == [1]
    metrics.save()
    assert steps(path) == [1, 2]
    metrics.save()
    metrics.finalize("success")
    assert steps(path) == [1, 2]
    metrics.log_metrics({"a": 3.0}, 3)
    metrics.save()
    assert steps(path) == [1, 2, 3]


def test_a_metric_that_comes_up_later_is_empty_before(path: Path) -> None:
    metrics = MetricsFile(path)
    metrics.log_metrics({"a": 1.5}, 1)
    metrics.log_metrics({"b": 2.5, "epoch": 3}, 2)
    metrics.log_metrics({"a": 3.5, "c": 4.5}, 3)
    metrics.log_metrics({"a": 5.5}, 4)
    metrics.finalize("success")
    assert path.read_text() == ("step,epoch,a,b,c\n1,,1.5,,\n2,3,,2.5,\n3,,3.5,,4.5\n4,,5.5,,\n")
    assert [p.name for p in path.parent.iterdir()] == ["metrics.csv"]


def test_rows_are_appended_and_the_file_rewritten_only_for_a_new_metric(path: Path) -> None:
    metrics = MetricsFile(path)
    metrics.log_metrics({"a": 1}, 1)
    metrics.save()
    file = path.stat().st_ino
    for step in (2, 3):
        metrics.log_metrics({"a": 1}, step)
        metrics.save()
    assert path.stat().st_ino == file
    metrics.log_metrics({"b": 1}, 4)
    metrics.save()
    assert path.stat().st_ino != file


def test_values_are_read_back_exactly(path: Path) -> None:
    values = [1 / 3, 1e-300, -0.0, 6.02214076e23, math.inf, -math.inf, math.nan, 12345678.9]
    metrics = MetricsFile(path)
    for step, value in enumerate(values):
        metrics.log_metrics({"value": value}, step)
    metrics.finalize("success")
    back = [float(row["value"]) for row in read(path)]
    assert [repr(value) for value in back] == [repr(value) for value in values]
    resumed = MetricsFile(path, last_step=len(values))
    resumed.log_metrics({"other": 1}, len(values))  # the old rows are rewritten with a new column
    resumed.finalize("success")
    back = [float(row["value"]) for row in read(path)[:-1]]
    assert [repr(value) for value in back] == [repr(value) for value in values]


@pytest.mark.parametrize("last_step", [0, 1, 6, 10, 99])
def test_resuming_keeps_rows_up_to_the_last_step_and_goes_on(path: Path, last_step: int) -> None:
    written(path, 10)
    before = read(path)
    metrics = MetricsFile(path, last_step=last_step)
    kept = min(last_step, 10)
    assert read(path) == before[:kept]
    for step in range(kept + 1, 13):
        metrics.log_metrics({"train/loss": step / 3, "epoch": step // 4}, step)
    metrics.finalize("success")
    assert steps(path) == list(range(1, 13))
    again = path.with_name("uninterrupted.csv")
    written(again, 12)
    assert read(path) == read(again)


def test_resuming_keeps_columns_in_place_and_adds_new_ones(path: Path) -> None:
    written(path, 3)
    metrics = MetricsFile(path, last_step=2)
    metrics.log_metrics({"val/loss": 0.25}, 3)
    metrics.finalize("success")
    header, *_, last = path.read_text().splitlines()
    assert (header, last) == ("step,epoch,train/loss,val/loss", "3,,,0.25")


def test_without_a_last_step_nothing_is_kept(path: Path) -> None:
    written(path, 5)
    metrics = MetricsFile(path)
    assert path.read_text() == "step,epoch\n"
    metrics.log_metrics({"other": 1}, 1)
    metrics.finalize("success")
    assert path.read_text() == "step,epoch,other\n1,,1\n"


def test_resuming_without_a_file_starts_one(path: Path) -> None:
    metrics = MetricsFile(path, last_step=4)
    metrics.log_metrics({"a": 1}, 5)
    metrics.finalize("success")
    assert steps(path) == [5]


@pytest.mark.parametrize("cut", list(range(1, 24)))
def test_a_row_of_which_only_a_part_was_written_is_replaced(path: Path, cut: int) -> None:
    """Killed while the row after the last checkpoint was being written."""
    written(path, 9)
    before = read(path)
    row = "10,2,3.3333333333333335\n"
    with path.open("a") as file:
        file.write(row[:cut])
    metrics = MetricsFile(path, last_step=9)
    assert read(path) == before
    metrics.log_metrics({"train/loss": 10 / 3, "epoch": 2}, 10)
    metrics.finalize("success")
    assert steps(path) == list(range(1, 11))


@pytest.mark.parametrize(
    "garbage",
    ["\n", "x", ",,\n", ",0,1\n"],
)
def test_lines_that_are_no_rows_are_dropped(path: Path, garbage: str) -> None:
    written(path, 3)
    before = read(path)
    with path.open("a") as file:
        file.write(garbage)
    MetricsFile(path, last_step=3)
    assert read(path) == before


def test_the_last_step_that_is_kept_still_has_one_row(path: Path) -> None:
    written(path, 3)
    metrics = MetricsFile(path, last_step=2)
    metrics.log_metrics({"val/loss": 1.0}, 2)
    metrics.finalize("success")
    assert steps(path) == [1, 2]
    assert read(path)[1]["val/loss"] == "1.0"


def test_a_step_that_was_saved_and_goes_on_still_has_one_row(path: Path) -> None:
    metrics = MetricsFile(path)
    metrics.log_metrics({"a": 1}, 1)
    metrics.save()
    metrics.log_metrics({"b": 2}, 1)
    metrics.finalize("success")
    assert path.read_text() == "step,epoch,a,b\n1,,1,2\n"
