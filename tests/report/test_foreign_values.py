"""Values and files that no run leaves, but that a report may meet."""

import json
import os
import re

import pytest
from pages import Page
from runs import copy_run

from surrolab.report.epochs import read_ends
from surrolab.report.site import Site
from surrolab.report.site.discover import Place
from surrolab.report.site.run_file import read_run
from surrolab.report.study_file import read_study

HUGE = "9" * 400
DEEP = "[" * 900 + "]" * 900


def configured(run, key, value):
    text = (run / "config.yaml").read_text()
    changed = re.sub(rf"^(\s*){key}: .*$", rf"\g<1>{key}: {value}", text, count=1, flags=re.M)
    assert changed != text
    (run / "config.yaml").write_text(changed)


@pytest.mark.parametrize("value", [HUGE, "0x" + "f" * 5000, "-.inf", "true", "[1]", "{a: 1}", DEEP])
@pytest.mark.parametrize("key", ["seed", "slope"])
def test_a_foreign_value_ends_no_site(trained, tmp_path, key, value):
    copy_run(trained.path, tmp_path / "runs" / "good", seed=3)
    configured(copy_run(trained.path, tmp_path / "runs" / "bad"), key, value)
    written = Site([tmp_path / "runs"], tmp_path / "site").write()
    assert written.runs + len(written.broken) == 2
    seeds = {row["directory"]: row["seed"] for row in Page(written.index).table}
    assert seeds["runs/good"] == "3"


@pytest.mark.parametrize("value", [HUGE, DEEP, '"x"', "[]", '{"a": {"b": 1}}', "true", "1e999"])
@pytest.mark.parametrize("key", ["seed", "best_epoch", "samples", "metrics", "findings"])
def test_a_foreign_result_ends_no_site(trained, tmp_path, key, value):
    copy_run(trained.path, tmp_path / "runs" / "good", seed=3)
    bad = copy_run(trained.path, tmp_path / "runs" / "bad")
    result = json.loads((bad / "result.json").read_text()) | {key: "@"}
    (bad / "result.json").write_text(json.dumps(result).replace('"@"', value))
    written = Site([tmp_path / "runs"], tmp_path / "site").write()
    assert (written.runs, written.broken) == (2, {})


def test_a_study_of_foreign_values_ends_no_site(trained, tmp_path):
    copy_run(trained.path, tmp_path / "good", seed=3)
    found = {"objectives": [{"name": "a"}], "trials": [{"number": "@", "values": ["@"]}]}
    text = json.dumps(found).replace('"@"', HUGE)
    (tmp_path / "study.json").write_text(text)
    assert Site([tmp_path], tmp_path / "site").write().runs == 1


def test_pipes_are_not_waited_for(trained, tmp_path):
    run = copy_run(trained.path, tmp_path / "runs" / "x")
    for name in ("metrics.csv", "study.json", ".lock", "provenance.json"):
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)
    assert read_ends(run / "metrics.csv") == []
    with pytest.raises(OSError, match="is no file"):
        read_study(run / "study.json")
    assert read_run(Place(run)).status == "completed"
    assert Site([run], tmp_path / "site").write().runs == 1


def test_a_name_that_is_not_utf8(trained, tmp_path):
    at = os.fsdecode(os.fsencode(tmp_path) + b"/runs/caf\xe9")
    copy_run(trained.path, type(tmp_path)(at))
    written = Site([tmp_path / "runs"], tmp_path / "site").write()
    assert (written.runs, written.broken) == (1, {})
    (path,) = (tmp_path / "site" / "runs").iterdir()
    assert any(address.endswith("/caf%E9/") for address in Page(path).addresses)
