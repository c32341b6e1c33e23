"""The script, the installed command, help, and several jobs at once."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from surrolab import __version__


def surrolab(tmp_path, *words):
    return subprocess.run(
        [str(Path(sys.executable).with_name("surrolab")), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"]])
def test_help_and_cfg_answer_at_once(program, words):
    def seconds():
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = program(*words)
        assert process.returncode == 0, process.stderr
        assert "surrolab.surrogates.Sigmoid" in process.stdout
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime

    # About 1 s of the processor, whatever else runs; torch alone takes several.
    assert min(seconds() for _ in range(3)) < 2.5


def test_the_installed_command_is_the_script(tmp_path, program):
    script = program("--cfg", "job", "surrogate=atan", "seed=3")
    command = surrolab(tmp_path, "train", "--cfg", "job", "surrogate=atan", "seed=3")
    assert command.stdout == script.stdout
    assert command.returncode == script.returncode == 0


def test_the_command_explains_itself(tmp_path):
    for words in ([], ["--help"]):
        process = surrolab(tmp_path, *words)
        assert process.returncode == 0
        assert "train" in process.stdout
    assert surrolab(tmp_path, "--version").stdout == f"surrolab {__version__}\n"


def test_an_unknown_command_is_one_line(tmp_path):
    process = surrolab(tmp_path, "trian")
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "allowed: train" in process.stderr


def test_debug_shows_the_trace(tmp_path):
    process = surrolab(tmp_path, "--debug", "train", "surrogate.slope=-1")
    assert "Traceback" in process.stderr
    assert process.returncode == 2


def test_multirun_makes_a_run_of_every_job_and_a_bad_one_does_not_stop_the_rest(program):
    process = program(
        "--multirun",
        "debug=smoke",
        "surrogate=sigmoid,triangle",
        "surrogate.slope=-1,2",
    )
    assert process.returncode == 2
    lines = process.stderr.splitlines()
    assert len(lines) == 2, process.stderr
    assert lines[0].startswith("surrolab: job 0: surrogate.slope: -1")
    assert lines[1].startswith("surrolab: job 2: surrogate.slope: -1")
    runs = sorted(program.directory.glob("outputs/runs/*/*/result.json"))
    results = [json.loads(path.read_text()) for path in runs]
    assert [result["status"] for result in results] == ["completed", "completed"]
    assert len({path.parent for path in runs}) == 2
    for path, name in zip(runs, ("sigmoid", "triangle"), strict=True):
        assert name in path.parent.name
        config = (path.parent / "config.yaml").read_text()
        assert "slope: 2.0" in config
        overrides = (path.parent / "overrides.txt").read_text().splitlines()
        assert f"surrogate={name}" in overrides
