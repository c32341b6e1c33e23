"""``surrolab surrogates`` as users call it."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environment

from surrolab.cli import main
from surrolab.schema import options

COMMAND = str(Path(sys.executable).with_name("surrolab"))


def surrogates(folder, *words):
    return subprocess.run(
        [COMMAND, "surrogates", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_it_writes_where_it_says(tmp_path):
    process = surrogates(tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines() == [
        "outputs/surrogates/surrogates.html",
        "outputs/surrogates/surrogates.png",
    ]
    for line in process.stdout.splitlines():
        assert (tmp_path / line).stat().st_size > 10_000
    assert len(list((tmp_path / "outputs").rglob("*"))) == 3
    assert "surrolab surrogates" in (tmp_path / process.stdout.split()[0]).read_text()


def test_a_piped_list_is_plain_columns(tmp_path):
    process = surrogates(tmp_path, "--list", "surrogate=fast_sigmoid", "surrogate.slope=100")
    assert (process.returncode, process.stderr) == (0, "")
    head, *lines = process.stdout.splitlines()
    names = head.split()
    starts = [head.index(f"{name}") for name in names] + [None]
    rows = [
        {name: line[starts[i] : starts[i + 1]].strip() for i, name in enumerate(names)}
        for line in lines
    ]
    assert not set("│┃─━\x1b") & set(process.stdout)  # no frames, no colours
    assert sorted(row["name"].removesuffix(" *") for row in rows) == sorted(options("surrogate"))
    (chosen,) = [row for row in rows if row["name"].endswith("*")]
    assert chosen == rows[0]
    assert chosen == {
        "name": "fast_sigmoid *",
        "formula": "h(x) = 1 / (k |x| + 1)^2",
        "slope": "100",
        "scale": "1",
        "other": "-",
        "normalize": "[native] peak area",
        "peak": "1",
        "area": "0.02",
        "window": "0.09",
        "source": "SuperSpike, Zenke & Ganguli 2018, doi:10.1162/neco_a_01086",
    }
    by_name = {row["name"]: row for row in rows}
    through = by_name["straight_through"]
    assert (through["slope"], through["area"], through["window"]) == ("-", "inf", "inf")
    assert through["normalize"] == "[native] peak"
    assert by_name["none"]["normalize"] == "-"
    assert not (tmp_path / "outputs").exists()


def test_a_narrow_terminal_gets_short_lines(tmp_path):
    main_end, other_end = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "surrogates", "--list"],
        cwd=tmp_path,
        env=environment() | {"COLUMNS": "80"},
        stdout=other_end,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(other_end)
        text = ""
        while True:
            try:
                data = os.read(main_end, 65536)
            except OSError:
                break
            if not data:
                break
            text += data.decode()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    os.close(main_end)
    assert process.returncode == 0
    assert re.search(r"^sigmoid \*\s*$", text, re.MULTILINE)
    assert "window: half width" in text
    for name in options("surrogate"):
        assert re.search(rf"^{name}\b", text, re.MULTILINE)


def ends(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["surrogates", *words])
    return (end.value.code, *capsys.readouterr())


WRONG = {
    "surrogate=sigmoyd": "surrogate=sigmoyd: no such option; did you mean 'sigmoid'? allowed:",
    "surrogate.slope=-1": "surrogate.slope: -1 is not allowed; allowed: a number above 0",
    "surrogate.slop=3": "surrogate.slop: no such option; did you mean 'slope'?",
    "surrogate=straight_through surrogate.normalize=area": "surrogate.normalize: 'area' is not",
    "surrogate=none surrogate.slope=2": "this surrogate has no settings",
    "surrogate=sigmoid,atan": "several values for one run",
    "surrogate._target_=os.system": "not on the list",
    "~surrogate": "surrogate: missing",
    "neuron.beta=2": "neuron.beta: 2 is not allowed",
    "layer_surrogates={hidden1:sigmoyd}": "did you mean 'sigmoid'?",
    "resume=outputs": "resume: not with surrogates",
    "foo": "foo: not an override",
    "--foo": "unrecognized arguments: --foo; allowed: --list, --output DIR",
    "--multirun": "unrecognized arguments: --multirun",
    "--output": "expected one argument",
    "--output=": "--output: nothing is given",
    "--output=/proc/none": "--output: /proc/none cannot be written",
    "--output=/dev/null/x": "--output: /dev/null/x cannot be written",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_end_in_one_line(capsys, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = ends(capsys, *words.split(" "))
    assert (status, out) == (2, "")
    assert err.startswith("surrolab: ")
    assert err.count("\n") == 1
    assert WRONG[words] in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", ["surrogate=sigmoyd", "surrogate.slope=abc", "surrogate.normalize=paek", "sede=3"]
)
def test_wrong_overrides_are_told_as_train_tells_them(capsys, here, words):
    _, _, train = here(words)
    _, _, own = ends(capsys, words)
    assert own == train


def test_a_surrogate_of_a_single_layer_is_chosen_too(capsys):
    words = "layer_surrogates={hidden2:{option:triangle,slope:3}}"
    status, out, _ = ends(capsys, "--list", "surrogate=atan", words)
    assert status == 0
    chosen = [line for line in out.splitlines() if "*" in line.split("h(x)")[0]]
    assert [line.split("  ")[0] for line in chosen] == ["atan *", "hidden2: triangle *"]
    assert "0.3333" in chosen[1]


def test_a_file_in_the_way_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("kept")
    status, _, err = ends(capsys, f"--output={tmp_path / 'file'}")
    assert status == 2
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    ("words", "status", "light"),
    [
        (["--help"], 0, {"torch", "matplotlib", "hydra", "jinja2", "numpy"}),
        (["surrogates", "--help"], 0, {"torch", "matplotlib", "jinja2", "numpy"}),
        (["surrogates", "surrogate=sigmoyd"], 2, {"torch", "matplotlib", "jinja2", "numpy"}),
        (["surrogates", "--list"], 0, {"matplotlib", "jinja2", "pytorch_lightning"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path, words, status, light):
    code = (
        "import sys\nfrom surrolab.cli import main\n"
        f"try:\n    main({words!r})\n"
        "except SystemExit as end:\n    print('\\nLOADED', end.code, *sys.modules)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    code, *modules = process.stdout.split("LOADED ")[1].split()
    assert int(code) == status
    assert not light & set(modules)
    if words[-1] == "--help":
        assert "surrogates" in process.stdout
