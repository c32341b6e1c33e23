"""How a run stands, and when it began, from its directory alone."""

import fcntl
import json
import os

import pytest
from pages import Page, page_of
from runs import copy_run

from surrolab.report.site import Site, write_site
from surrolab.report.site.discover import Place
from surrolab.report.site.run_file import read_run


@pytest.fixture
def run(trained, tmp_path):
    return copy_run(trained.path, tmp_path / "runs" / "x")


def ended(run, status):
    """The run as a process left it that is gone: with its lock, which nobody holds."""
    (run / ".lock").touch()
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | {"status": status, "error": "no memory"}))


def shown(site):
    (row,) = Page(site.write().index).table
    return row["status"]


def test_a_killed_run_is_unfinished_at_once(run):
    (run / "result.json").unlink()
    assert read_run(Place(run)).status == "running"  # it has no lock yet
    (run / ".lock").touch()
    assert read_run(Place(run)).status == "unfinished"


def test_without_locks_the_time_of_the_last_change_decides(run):
    (run / "result.json").unlink()
    for path in run.rglob("*"):
        os.utime(path, (1.6e9, 1.6e9))
    assert read_run(Place(run)).status == "unfinished"


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_is_resumed_is_running_until_it_ends(run, tmp_path, status):
    ended(run, status)
    site = Site([run], tmp_path / "site")
    assert shown(site) == status
    assert "no memory" in page_of(tmp_path / "site", "x").words
    with (run / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert shown(site) == "running"
        assert "no memory" not in page_of(tmp_path / "site", "x").words
    assert shown(site) == status


def test_it_began_when_its_first_process_did(run, tmp_path):
    ended(run, "completed")
    last = json.loads((run / "provenance.json").read_text())
    times = ["2026-11-20T08:00:00+00:00", "2026-11-21T09:00:00+00:00", "2026-11-22T10:00:00+00:00"]
    earlier = [last | {"time": time, "host": f"node{i}"} for i, time in enumerate(times[:2])]
    last |= {"time": times[2], "host": "node9", "earlier": earlier}
    (run / "provenance.json").write_text(json.dumps(last))
    index = write_site([run], tmp_path / "site")
    assert [row["started"] for row in Page(index).table] == ["2026-11-20 08:00"]
    page = page_of(tmp_path / "site", "x")
    assert page.facts["Started"] == "2026-11-20 08:00 UTC"
    assert page.facts["Resumed"] == "2 times, last 2026-11-22 10:00 UTC"
    # What earlier processes were is told in words, as far as it is not as in the last.
    assert "Process 2 of 3" in page.words
    for words in ("node0", "node1", "node9"):
        assert page.words.count(words) == 1
    assert page.words.count(last["python"]) == 1
    assert "{'" not in page.words
    assert '{"' not in page.words


def test_the_split_is_told(trained, tmp_path):
    write_site([trained.path], tmp_path / "site")
    (path,) = (tmp_path / "site" / "runs").iterdir()
    assert Page(path).facts["Samples"] == "1258 train, 180 val, 359 test, split seed 0"
