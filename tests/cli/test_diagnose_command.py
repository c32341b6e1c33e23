"""``surrolab diagnose`` as users call it."""

import base64
import io
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import pytest
from conftest import environment

from surrolab.cli import main

COMMAND = str(Path(sys.executable).with_name("surrolab"))
PICTURES = ("flow", "membranes", "alignment")
QUICK = ("--draws", "32", "--no-loop", "--samples", "3")


def diagnose(*words):
    return subprocess.run(
        [COMMAND, "diagnose", *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def in_process(capsys, *words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["diagnose", *map(str, words)])
    return (int(end.value.code or 0), *capsys.readouterr())


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


class Page(HTMLParser):
    """What a page asks for from outside, its pictures, and its text."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.links, self.scripts, self.said = [], [], 0, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.sources += [values[k] for k in ("src", "srcset", "data", "poster") if k in values]
        self.links += [values["href"]] if "href" in values else []
        self.scripts += tag == "script"

    def handle_data(self, data):
        self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    """A copy that may be written into."""
    path = tmp_path_factory.mktemp("saved") / "run"
    shutil.copytree(trained.path, path)
    return path


@pytest.fixture(scope="module")
def found(saved):
    process = diagnose(saved, "--draws", "64", "--samples", "5")
    return process, saved / "diagnosis"


def test_files_and_lines(found):
    process, folder = found
    assert (process.returncode, process.stderr) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("alignment.png", "diagnosis.html", "diagnosis.json", "flow.png", "membranes.png")
    ]
    lines = process.stdout.splitlines()
    assert lines[-1] == str(folder / "diagnosis.html")
    assert all(line.startswith("- ") for line in lines[1:-1])


def test_the_reading_is_a_paragraph_that_names_the_facts(found):
    process, folder = found
    reading = process.stdout.splitlines()[0]
    facts = strict((folder / "diagnosis.json").read_text())
    assert reading == facts["reading"]
    assert "gradient arrives at" in reading
    (hidden, readout) = facts["layers"]
    assert (hidden["name"], readout["name"]) == ("hidden1", "readout")
    assert f"hidden1 {hidden['window']:.1%} of the neuron-steps" in reading
    growth = facts["gradients"]["gradients/hidden1/growth_per_step"]
    assert f"in hidden1, by a factor of {growth:.3g} per step" in reading
    alignment = facts["alignment"]
    for reference in ("smoothed_fixed", "smoothed_matched", "escape_fixed"):
        assert f"{alignment[reference]['layers']['all']['cosine']:.2f}" in reading
    low, high = alignment["escape_fixed"]["layers"]["all"]["cosine_interval"]
    assert f"(95 % interval {low:.2f} to {high:.2f})" in reading
    assert "closed loop" in reading
    assert reading.endswith("Nothing needs to be changed.") == (facts["findings"] == [])


def test_numbers(found):
    _, folder = found
    facts = strict((folder / "diagnosis.json").read_text())
    assert (facts["samples"], facts["checkpoint"], facts["draws"]) == (5, "best", 64)
    steps = len(facts["gradient_norm"]["hidden1"])
    assert steps == len(facts["gradient_norm"]["readout"]) == 20
    assert min(facts["gradient_norm"]["hidden1"]) > 0
    assert len(facts["membrane_edges"]) == len(facts["membrane_counts"]["hidden1"]) + 1
    assert facts["windows"]["hidden1"] > 0
    assert facts["alignment"]["loop"]["verdict"]


def test_the_page_needs_nothing_but_itself(found):
    process, folder = found
    page = Page((folder / "diagnosis.html").read_text())
    assert (page.links, page.scripts) == ([], 0)
    assert len(page.sources) == 3
    for source, name in zip(page.sources, PICTURES, strict=True):
        head, data = source.split(",", 1)
        assert head == "data:image/png;base64"
        assert base64.b64decode(data, validate=True) == (folder / f"{name}.png").read_bytes()
    assert process.stdout.splitlines()[0] in page.text
    for words in ("Around a closed loop", "escape noise, fixed width", "hidden1", "readout"):
        assert words in page.text


def test_pictures_can_be_read(found):
    _, folder = found
    for name in PICTURES:
        image = matplotlib.image.imread(io.BytesIO((folder / f"{name}.png").read_bytes()))
        assert image.shape[0] > 150
        assert image.shape[1] > 800
        assert image.std() > 0.02


@pytest.mark.slow
def test_the_same_call_gives_the_same_numbers_and_another_seed_others(saved, tmp_path, capsys):
    texts = []
    for i, seed in enumerate((1, 1, 2)):
        output = tmp_path / str(i)
        status, _, err = in_process(capsys, saved, *QUICK, "--seed", seed, "--output", output)
        assert (status, err) == (0, "")
        texts.append((output / "diagnosis.json").read_text())
    assert texts[0] == texts[1]
    first, _, other = map(strict, texts)
    assert first["gradient_norm"] == other["gradient_norm"]
    assert first["alignment"]["smoothed_fixed"] == other["alignment"]["smoothed_fixed"]
    assert first["alignment"]["escape_fixed"] != other["alignment"]["escape_fixed"]


def test_checkpoints_are_different_networks(saved, tmp_path, capsys):
    norms = {}
    for checkpoint in ("best", "last", "initial"):
        words = (*QUICK, "--checkpoint", checkpoint, "--output", tmp_path)
        assert in_process(capsys, saved, *words)[0] == 0
        facts = strict((tmp_path / "diagnosis.json").read_text())
        assert facts["checkpoint"] == checkpoint
        norms[checkpoint] = facts["gradient_norm"]["hidden1"]
        # Only at the start is a factor on the initial weights of use.
        assert (facts["layers"][0]["gain"] is not None) == (checkpoint == "initial")
    assert norms["initial"] not in (norms["best"], norms["last"])


def test_the_run_is_left_as_it_was(trained, tmp_path, capsys):
    def state():
        return {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")}

    before = state()
    assert in_process(capsys, trained.path, *QUICK, "--output", tmp_path / "new" / "one")[0] == 0
    assert state() == before


def test_the_remedy_of_a_silent_start_is_printed(here, capsys):
    status, _, _ = here(
        *("experiment=randman_zenke2021", "surrogate=triangle", "surrogate.slope=10"),
        *("trainer.max_epochs=1", "trainer.limit_train_batches=1", "data.samples_per_class=50"),
    )
    assert status == 0
    path = here.directory / "run"
    status, out, err = in_process(capsys, path, *QUICK, "--checkpoint", "initial")
    assert (status, err) == (0, "")
    assert "No gradient arrives at any weight" in out
    remedy = here.run.result["findings"]
    (said,) = [f["message"] for f in remedy if f["kind"] == "no_gradient"]
    for option in ("surrogate.slope=", "model.init_gain="):
        assert f"try {option}" in said
        assert f"try {option}" in out
    assert strict((path / "diagnosis" / "diagnosis.json").read_text())["findings"]


WRONG = {
    "--samples 0": "--samples: 0 is not allowed; allowed: a whole number of at least 1",
    "--samples x": "--samples: invalid whole number value: 'x'",
    "--draws 24": "--draws: 24 is not allowed; allowed: 0, or a multiple of 16 from 32",
    "--draws -16": "--draws",
    "--draws 16": "--draws: 16 is not allowed",
    "--reference-slope 0": "--reference-slope: 0 is not allowed; allowed: a number above 0",
    "--reference-slope nan": "--reference-slope: nan is not allowed",
    "--seed -1": "--seed",
    "--checkpoint first": "--checkpoint",
    "--no-such": "--no-such",
}


@pytest.mark.parametrize("words", WRONG)
def test_options_out_of_range(saved, words, capsys):
    status, out, err = in_process(capsys, saved, *words.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert WRONG[words] in err


def test_what_is_no_run(saved, tmp_path, capsys):
    def refused(*words):
        status, out, err = in_process(capsys, *words)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        return err

    assert "RUN_DIR: " in refused(tmp_path / "nothing")
    assert "has no config.yaml" in refused(tmp_path)
    assert "RUN_DIR" in refused()
    (tmp_path / "file").write_text("")
    assert "is no directory" in refused(tmp_path / "file")
    assert "--output: " in refused(saved, "--output", tmp_path / "file" / "inside")
    assert "--output: " in refused(saved, "--output", tmp_path / "file")
    broken = tmp_path / "broken"
    shutil.copytree(saved, broken)
    (broken / "checkpoints" / "best.ckpt").unlink()
    assert "best.ckpt" in refused(broken)
    (broken / "checkpoints" / "last.ckpt").write_bytes(b"nothing")
    assert "last.ckpt" in refused(broken, "--checkpoint", "last")
    config = (broken / "config.yaml").read_text()
    (broken / "config.yaml").write_text(config.replace("\n  slope: ", "\n  slope: -"))
    assert "slope" in refused(broken, "--checkpoint", "initial")
    assert in_process(capsys, saved, *QUICK, "--checkpoint", "initial")[0] == 0


def test_a_checkpoint_of_another_model_is_refused(saved, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(saved, other)
    text = (other / "config.yaml").read_text()
    import yaml

    config = yaml.safe_load(text)
    config["model"]["hidden"] = [7]
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    status, out, err = in_process(capsys, other, *QUICK)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "is of another model: " in err
    assert "in the run's config.yaml; allowed: the run's own checkpoint" in err


TINY = (
    *("model.hidden=[6]", "encoding.steps=5", "trainer.max_epochs=1"),
    *("trainer.limit_train_batches=1", "trainer.limit_val_batches=1"),
    "trainer.limit_test_batches=1",
)


@pytest.mark.parametrize(
    "words",
    [
        ("surrogate=straight_through",),
        ("surrogate=none",),
        ("surrogate=stochastic_spike_operator",),
        ("objective=ce_rate",),
        ("model=conv", "data.batch_size=8", "model.channels=[2]"),
        ("model.hidden=[6,5]", "layer_surrogates={hidden2: triangle}"),
        ("slope=learned", "slope.per=neuron"),
        *(
            pytest.param(words, marks=pytest.mark.slow)
            for words in (
                ("model=recurrent", "encoding=rate", "model.norm=tdbn"),
                ("model.hidden=[]",),
                ("model.hidden=[6,5]", "model.freeze=[hidden1]"),
                ("data=randman", "data.samples_per_class=20", "neuron=alpha"),
                ("trainer.precision=bf16-true",),
                ("trainer.precision=64-true",),
            )
        ),
    ],
)
def test_many_kinds_of_runs(here, capsys, words):
    status, _, err = here(*TINY, *words)
    assert status == 0, err
    status, out, err = in_process(capsys, here.directory / "run", *QUICK)
    assert (status, err) == (0, "")
    folder = here.directory / "run" / "diagnosis"
    facts = strict((folder / "diagnosis.json").read_text())
    assert facts["reading"] == out.splitlines()[0]
    assert Page((folder / "diagnosis.html").read_text()).links == []
    if words == ("surrogate=none",):
        assert "No gradient arrives at the weights of hidden1" in out
        assert "try surrogate=fast_sigmoid" in out
