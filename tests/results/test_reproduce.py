"""``surrolab reproduce`` as users run it: a small result, stopped and gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import environment

from surrolab.results.records import Records, read_records

CHECKOUT = Path(__file__).parents[2]
# Of figure 5, since a result needs an analysis: its first study, on few digits.
SMALL: dict[str, Any] = {
    **dict.fromkeys(("title", "paper", "shows", "taken", "filled_in"), "words"),
    "studies": {
        "reset": {
            "base": [
                *("data=digits", "surrogate=fast_sigmoid", "model.hidden=[16]", "encoding.steps=8"),
                *("trainer.max_epochs=2", "logger=none", "diagnostics=none"),
            ],
            "space": {
                "surrogate.slope": [1, 100],
                "surrogate.normalize": ["peak", "area"],
                "neuron.detach_reset": [False],
            },
            "objectives": {"val/accuracy": "maximize"},
            "sampler": "grid",
            "seeds": [0, 1],
        }
    },
    "budgets": {"quick": {"reset": {"seeds": [0]}}},
}


def reproduce(*words: str, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("surrolab")), "reproduce", *words],
        cwd=cwd,
        env=environment() | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def without_clocks(records: Records) -> list[Any]:
    """Records but for what is another in each run."""
    return [replace(record, duration_s=0.0) for record in records]


def test_what_is_not_there_is_refused_in_a_line_before_anything_is_made(tmp_path: Path) -> None:
    for words, says in (
        (("zenke2021_fig",), "RESULT: there is no zenke2021_fig; did you mean"),
        (("zenke2021_fig3", "budget=long"), "budget: 'long' is not allowed; allowed for"),
        (("zenke2021_fig3", "bugdet=quick"), "bugdet: no such key; allowed: budget"),
        (("gygax2025", "workers=many"), "workers: 'many' is not allowed; allowed: auto"),
    ):
        done = reproduce(*words, f"output={tmp_path}/out", f"ledger={tmp_path}/ledger")
        assert done.returncode == 2
        assert done.stderr.startswith(f"surrolab: {says}")
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_study_that_was_killed_and_gone_on_with_has_the_same_rows(tmp_path: Path) -> None:
    """The program and its workers get SIGKILL in the middle; the same command again goes on."""
    spec = tmp_path / "zenke2021_fig5.yaml"
    spec.write_text(yaml.safe_dump(SMALL))
    whole = reproduce(str(spec), f"output={tmp_path}/whole", f"ledger={tmp_path}/a", "workers=2")
    assert whole.returncode == 0, whole.stderr
    words = [str(spec), f"output={tmp_path}/killed", f"ledger={tmp_path}/b", "workers=2"]
    program = subprocess.Popen(
        [str(Path(sys.executable).with_name("surrolab")), "reproduce", *words],
        cwd=CHECKOUT,
        env=environment() | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with program:
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith("trial "):
                break
        os.killpg(program.pid, signal.SIGKILL)
    left = sorted((tmp_path / "killed/reset/trials").glob("*/seed*/result.json"))
    finished = [p for p in left if json.loads(p.read_text())["status"] == "completed"]
    assert 0 < len(finished) < 8
    assert not (tmp_path / "b").exists()
    clocks = {path: path.stat().st_mtime for path in finished}
    again = reproduce(*words)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime for path in finished} == clocks  # kept, not run again
    first, second = (
        read_records(tmp_path / x / "records" / "zenke2021_fig5.published.jsonl") for x in "ab"
    )
    assert len(first) == 8
    assert without_clocks(first) == without_clocks(second)
    rows = [_rows(tmp_path / x / "README.md") for x in "ab"]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 3


def _rows(page: Path) -> list[list[str]]:
    """Of the ledger's table, but for the times."""
    rows = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| [")]
    return [row[:8] + row[9:] for row in rows]


def test_a_measurement_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """The measuring process gets SIGKILL; what it had measured is not measured again."""
    study = {"measure": "zenke_probe", "space": {"x": [1, 2, 3]}, "seeds": [0, 1], "base": {"y": 2}}
    package = tmp_path / "code"
    shutil.copytree(CHECKOUT / "src" / "surrolab", package / "surrolab", symlinks=True)
    # A measurement that never ends while there is a file "wait".
    (package / "surrolab/results/measurements/zenke_probe.py").write_text(
        "import pathlib, time\n"
        "def measure(*, seed, x, y):\n"
        f"    while x == 2 and seed == 1 and pathlib.Path({str(tmp_path / 'wait')!r}).exists():\n"
        "        time.sleep(0.05)\n"
        "    return {'value': x * y + seed, 'curve': [1 / 3, float('inf')]}\n"
    )
    (tmp_path / "wait").touch()
    spec, directory = tmp_path / "study.json", tmp_path / "measured"
    spec.write_text(json.dumps(study))
    directory.mkdir()
    command = [sys.executable, "-m", "surrolab.results.measuring", str(spec), str(directory)]
    variables = environment() | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=variables)
    deadline = time.monotonic() + 120
    while len(list(directory.glob("*.json"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    clocks = {path: path.stat().st_mtime_ns for path in directory.glob("*.json")}
    (tmp_path / "wait").unlink()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("zenke_probe") == 3
    assert {path: path.stat().st_mtime_ns for path in clocks} == clocks
    found = [json.loads(path.read_text())["metrics"] for path in directory.glob("*.json")]
    assert sorted(metrics["value"] for metrics in found) == [2, 3, 4, 5, 6, 7]
    assert all(metrics["curve"] == [0.333333, None] for metrics in found)
