"""The command on a run's page makes the run again."""

import json
import subprocess
import sys

import pytest
from conftest import CHECKOUT, environment
from pages import Page
from runs import copy_run

from surrolab.report.site import write_site


def command(run, site):
    write_site([run], site)
    (path,) = (site / "runs").iterdir()
    return Page(path).texts["overrides"]


def test_of_a_run_with_nothing_typed(trained, tmp_path):
    run = copy_run(trained.path, tmp_path / "x")
    (run / "overrides.txt").write_text("")
    assert command(run, tmp_path / "site") == "python train.py"


@pytest.mark.parametrize(
    ("typed", "now"),
    [
        ("name=a b\ntrainer.max_epochs=2\n", "'name=a b' trainer.max_epochs=3"),
        ("++trainer.max_epochs=2\nseed=4\n", "++trainer.max_epochs=3 seed=4"),
        ("trainer.max_epochs=3\n", "trainer.max_epochs=3"),
        ("", "trainer.max_epochs=3"),
    ],
)
def test_of_a_run_that_a_resume_has_changed(trained, tmp_path, typed, now):
    run = copy_run(trained.path, tmp_path / "x")
    (run / "overrides.txt").write_text(typed)
    facts = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(json.dumps(facts | {"earlier": [facts]}))
    assert command(run, tmp_path / "site") == f"python train.py {now}"


@pytest.mark.slow
def test_it_comes_to_the_same(program, tmp_path):
    # The usual schedule would run otherwise in one go.
    words = ("trainer.max_epochs=1", "optimizer.schedule=constant", "name=short run")
    first = program.run("first", *words, "model.hidden=[32]")
    assert program("resume=first", "trainer.max_epochs=2").returncode == 0
    words = command(first.path, tmp_path / "site")
    words = words.replace("python train.py", f"{sys.executable} {CHECKOUT}/train.py")
    again = f"{words} hydra.run.dir=again"
    done = subprocess.run(again, shell=True, cwd=tmp_path, env=environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "again" / "result.json").read_text())["metrics"]
    timeless = {k: v for k, v in metrics.items() if not k.startswith(("time/", "system/"))}
    assert first.result["metrics"].items() >= timeless.items()
    assert "test/accuracy" in timeless
