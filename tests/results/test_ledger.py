"""docs/results: made again of its records, it is the same to the byte."""

import shutil
from pathlib import Path

import pytest

from surrolab.results.claims import Claim
from surrolab.results.definition import FOLDER, read_result
from surrolab.results.ledger import Outcome, cells, write_ledger
from surrolab.results.records import Record, Records, read_records

CHECKOUT = Path(__file__).parents[2]
LEDGER = CHECKOUT / "docs" / "results"


def test_made_again_from_the_committed_records_nothing_changes(tmp_path: Path) -> None:
    shutil.copytree(LEDGER / "records", tmp_path / "records")
    made = write_ledger(tmp_path, CHECKOUT / FOLDER)
    assert made
    files = {path.relative_to(LEDGER) for path in LEDGER.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    for path in sorted(files):
        assert (tmp_path / path).read_bytes() == (LEDGER / path).read_bytes(), path


def test_committed_records_name_a_commit_and_no_machine() -> None:
    for path in sorted((LEDGER / "records").glob("*.jsonl")):
        for record in read_records(path):
            assert record.commit, path
            assert not record.commit.endswith("+"), path
            assert "/" not in record.command.partition("train.py")[0], record.command


def test_a_row_says_ours_with_its_interval_and_the_difference() -> None:
    runs = Records(
        Record("shapes", {}, seed, "completed", None, {}, 61.0, "c0ffee", "") for seed in range(3)
    )
    outcome = Outcome(read_result("zenke2021_fig3", CHECKOUT / FOLDER), "short", runs)
    row = cells(outcome, Claim("best", 0.98, [0.97, 0.98, 0.99], runs, True))
    assert row[1:9] == ["best", "0.980", "0.980 ± 0.025", "+0.000", "yes", "3", "3", "3 min 3 s"]
    assert row[9:] == [
        "short",
        "`make reproduce RESULT=zenke2021_fig3 BUDGET=short`",
        "c0ffee",
    ]
    words = cells(outcome, Claim("a|b", "falls", [1.5], runs, False, "L1 error", 1))
    assert words[1:6] == ["a|b", "falls", "1.5 L1 error", "", "**no**"]


@pytest.mark.parametrize("budget", ["published", "quick"])
def test_the_command_of_a_row_names_its_budget(budget: str) -> None:
    outcome = Outcome(read_result("zenke2021_fig3", CHECKOUT / FOLDER), budget, Records())
    more = {"published": "", "quick": " QUICK=1"}[budget]
    assert outcome.command == f"make reproduce RESULT=zenke2021_fig3{more}"
