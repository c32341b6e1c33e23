"""``surrolab compare`` and ``surrolab report`` as users call them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import environment

from surrolab.cli import main
from surrolab.report.drawing import DASH

COMMAND = str(Path(sys.executable).with_name("surrolab"))


def call(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return (int(end.value.code or 0), *capsys.readouterr())


def make_run(folder: Path, metrics=None, **config) -> Path:
    """As much of a run directory as the commands need."""
    folder.mkdir(parents=True)
    settings = {"seed": 0, "name": "short", "surrogate.slope": 25.0} | config
    groups: dict = {"surrogate": {"_target_": "surrolab.surrogates.Sigmoid"}}
    for key, value in settings.items():
        group, dot, name = key.partition(".")
        if dot:
            groups.setdefault(group, {})[name] = value
        else:
            groups[group] = value
    (folder / "config.yaml").write_text(f"#   surrogate=sigmoid\n{json.dumps(groups)}\n")
    if metrics is not None:
        result = {"status": "completed", "metrics": metrics, "seed": 0, "duration_s": 3.0}
        (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def runs(tmp_path):
    return [
        make_run(tmp_path / "a", {"val/accuracy": 0.9, "val/loss": 0.5, "train/loss": 0.1}),
        make_run(
            tmp_path / "b",
            {"val/accuracy": 0.8, "val/loss": 0.25, "spikes/mean_rate": 0.125},
            **{"surrogate.slope": 4.0, "model.hidden": [64, 64]},
        ),
        make_run(tmp_path / "c", seed=3),
    ]


def words_of(output, name):
    """Of the row with this name, the words behind it."""
    (line,) = [line for line in output.splitlines() if line.split()[:1] == [name]]
    return line.split()[1:]


def test_differences_and_metrics_side_by_side(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    status, output, _ = call(capsys, "compare", *runs)
    assert status == 0
    assert words_of(output, "surrogate.slope") == ["25", "4", "25"]
    assert words_of(output, "model.hidden") == [DASH, "[64,", "64]", DASH]
    assert words_of(output, "val/accuracy") == ["0.9", "*", "0.8", DASH]
    assert words_of(output, "val/loss") == ["0.5", "0.25", "*", DASH]
    assert words_of(output, "spikes/mean_rate") == [DASH, "0.125", DASH]
    assert words_of(output, "seed") == ["0", "0", "3"]
    assert words_of(output, "status") == ["completed", "completed", "running"]
    assert "train/loss" not in output
    assert "train/loss" in call(capsys, "compare", "--all", *runs)[1]


def test_a_narrow_terminal(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    output = call(capsys, "compare", *runs)[1]
    assert max(map(len, output.splitlines())) <= 30
    assert words_of(output, "val/loss") == ["A", "0.5", "B", "0.25", "*", "C", DASH]
    assert "  B [64, 64]\n" in output  # below its name, where a line does not hold all


def test_runs_that_are_the_same(runs, capsys):
    assert "configurations are the same" in call(capsys, "compare", runs[0], runs[0])[1]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.001234561, 0.001234562), ["0.001234561", "0.001234562"]),
        ((1, "1"), ["1", '"1"']),
        ((0.1, 0.2), ["0.1", "0.2"]),
        ((None, "null"), ["null", '"null"']),
    ],
)
def test_values_that_differ_are_told_apart(tmp_path, capsys, values, shown):
    runs = [
        make_run(tmp_path / str(i), **{"optimizer.lr": value}) for i, value in enumerate(values)
    ]
    output = call(capsys, "compare", *runs)[1]
    assert words_of(output, "optimizer.lr") == shown
    assert "configurations are the same" not in output


def test_numbers_are_compared_by_value(tmp_path, capsys):
    runs = [make_run(tmp_path / str(v), **{"optimizer.lr": v}) for v in (1, 1.0)]
    assert "configurations are the same" in call(capsys, "compare", *runs)[1]


def test_a_name_does_not_reach_the_terminal_as_a_command(tmp_path, capsys):
    name = "[red]x[/red]\x1b[31m\x07"
    runs = [make_run(tmp_path / n, {"a": 1.0}, name=name) for n in "ab"]
    output = call(capsys, "compare", *runs)[1]
    assert "[red]x[/red]\N{REPLACEMENT CHARACTER}[31m" in output
    assert "\x1b" not in output
    assert "\x07" not in output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compare", "a"], "RUN: only one is given; allowed: two or more"),
        (["compare", "a", "gone"], "RUN: gone is no directory; allowed: the directory of a run"),
        (["compare", "a", "."], "RUN: . holds no run, but 3 directories of runs below it"),
        (["compare", "a", "empty"], "RUN: empty holds no run; allowed: the directory of a run"),
        (["compare"], "the following arguments are required: RUN; allowed: see"),
        (["report", "gone"], "PATHS: gone is no directory; allowed: directories of runs"),
        (["report", "empty"], "PATHS: no run in empty; allowed: directories of runs"),
        (["report"], "PATHS: missing, and there is neither outputs/runs nor outputs/sweeps"),
        (["report", "a", "--output", "a/config.yaml"], "--output: "),
        (["report", "a", "--port", "x", "--watch"], "argument --port: invalid whole number"),
        (["report", "a", "--port", "5"], "--port, --no-browser: without --watch nothing is"),
    ],
)
def test_wrong_words_are_one_line(runs, tmp_path, monkeypatch, capsys, words, told):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    status, _, error = call(capsys, *words)
    assert status == 2
    assert error.startswith(f"surrolab: {told}")
    assert "allowed: " in error
    assert error.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_a_report_says_where_it_is(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, output, _ = call(capsys, "report", "a", "b")
    assert status == 0
    assert output == f"report: {tmp_path}/outputs/report/index.html  (2 runs, 0 sweeps)\n"
    shutil.copytree("a", "outputs/runs/2026-11-25/x")
    assert "(1 runs, 0 sweeps)" in call(capsys, "report")[1]
    assert "(4 runs, 0 sweeps)" in call(capsys, "report", ".", "--output", "site")[1]
    assert (tmp_path / "site" / "index.html").is_file()


def test_help_answers_at_once(tmp_path):
    for command in ("report", "compare"):
        code = (
            "import sys\nfrom surrolab.cli import main\ntry:\n    main([sys.argv[1], '--help'])\n"
            "finally:\n    heavy = {'torch', 'optuna', 'plotly', 'hydra'} & set(sys.modules)\n"
            "    assert not heavy, heavy\n"
        )
        process = subprocess.run(
            [sys.executable, "-c", code, command], capture_output=True, text=True, check=True
        )
        assert process.stdout.startswith(f"usage: surrolab {command}")


def test_a_watch_goes_on_whatever_goes_wrong(runs, tmp_path, monkeypatch, capsys):
    from surrolab.report.site import Site

    write, calls = Site.write, []

    def failing(site):
        calls.append(site)
        if 2 <= len(calls) <= 4:
            raise ZeroDivisionError("two\nlines")
        return write(site)

    def serve(server, path, browser):
        end = time.monotonic() + 20
        while len(calls) < 6:
            assert time.monotonic() < end
            time.sleep(0.01)

    monkeypatch.setattr(Site, "write", failing)
    monkeypatch.setattr("surrolab.cli.report.serve", serve)
    monkeypatch.setattr("surrolab.cli.report.EVERY", 0.01)
    status, _, error = call(capsys, "report", tmp_path, "--output", tmp_path / "site", "--watch")
    assert status == 0
    assert error == ("surrolab: the report cannot be written (ZeroDivisionError: two lines)\n")


def test_a_report_that_is_watched_follows_the_runs(runs, tmp_path):
    process = subprocess.Popen(
        [COMMAND, "report", ".", "--output", "site", "--watch", "--no-browser"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("report: ")
        page = process.stdout.readline().split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/index\.html", page)

        def rows():
            with urllib.request.urlopen(page, timeout=10) as answer:
                return answer.read().decode().count("<tr class=")

        assert rows() == 3
        make_run(tmp_path / "late", {"val/accuracy": 0.5})
        end = time.monotonic() + 30
        while rows() != 4:
            assert time.monotonic() < end
            time.sleep(0.2)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(page.replace("index.html", "config.yaml"), timeout=10)
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
