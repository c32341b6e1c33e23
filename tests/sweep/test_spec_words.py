"""What a spec and the words beside it may say, and what becomes of it."""

from pathlib import Path

import pytest
import yaml
from conftest import CHECKOUT
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from specs import QUICK, Command, node, spec

from surrolab.composition import compose_run
from surrolab.sweep.checks import try_out
from surrolab.sweep.reading import make_spec, read_spec
from surrolab.sweep.spec import trial_words
from surrolab.sweep.yaml_text import read_yaml, write_yaml

SHIPPED = sorted((CHECKOUT / "sweeps").glob("*.yaml"))


@pytest.fixture
def command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capsys)


def write(path: Path, changes: str = "") -> Path:
    path.write_text(yaml.safe_dump(node(changes)))
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_specs_are_good(path):
    found = read_spec(path, {}, [])
    assert found.study == path.stem
    try_out(found)


FILES = {
    "absent.yaml": (None, "absent.yaml: no such file; allowed: a spec such as sweeps/slope.yaml"),
    "directory": ("", "directory: cannot be read"),
    "list.yaml": (b"- space", "list.yaml: holds no keys; allowed: space, objectives"),
    "empty.yaml": (b"", "empty.yaml: holds no keys"),
    "broken.yaml": (b"space: [1", "broken.yaml: cannot be read (while parsing a flow sequence"),
    "binary.yaml": (b"\x89PNG\x0d\xff\x00", "binary.yaml: cannot be read"),
    "code.yaml": (b"a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    "twice.yaml": (b"trials: 1\ntrials: 2", "twice.yaml: cannot be read (trials is there twice)"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_hold_no_spec(command, name):
    content, line = FILES[name]
    if content == "":
        Path(name).mkdir()
    elif content is not None:
        Path(name).write_bytes(content)
    said = command.refused(name)
    assert line in said
    assert "allowed: " in said


WORDS = {
    "": "SPEC: missing; allowed: one file",
    "good.yaml other.yaml": "SPEC: 2 of them (good.yaml, other.yaml); allowed: one file",
    "good.yaml --multirun": "--multirun: no such flag; allowed: --help",
    "good.yaml -n 3": "-n: no such flag",
    "good.yaml seed=3": "seed: set for each trial by the sweep; allowed: seeds=[0,1,2]",
    "good.yaml hydra.run.dir=x": "hydra.run.dir: set for each trial by the sweep",
    "good.yaml surrogate=atan,tanh": "surrogate=atan,tanh: several values for one run",
    "good.yaml surogate=atan": "did you mean 'surrogate'",
    "good.yaml trials=0": "trials: 0 is not allowed",
    "good.yaml seeds=0,1": "seeds: '0,1' is not allowed; allowed: a list",
    "good.yaml sampler=tpee": "did you mean 'tpe'",
    "good.yaml sampler={name:tpe,n_startup_trials:a}": "sampler.n_startup_trials: 'a' is not",
    "good.yaml pruner=[": "pruner: '[' is none; allowed: none, median",
    "good.yaml launcher.timeout=3": "did you mean 'timeout_min'",
    "good.yaml launcher=local launcher.timeout_min=3": "launcher.timeout_min: no such option",
    "good.yaml storage=3": "storage: 3 is no URL; allowed: sqlite:///PATH",
    "good.yaml storage=mysql://host/x": "storage: mysql is no database for studies",
    "good.yaml storage=sqlite:///nowhere/x.db": "cannot be opened",
    "good.yaml output=": "output: nothing is given; allowed: a directory",
    "good.yaml output=good.yaml": "good.yaml cannot be written",
    # What only the whole space shows, when the directory has been made already.
    "bad.yaml": "surrogate=none surrogate.slope=1 cannot be",
    "bad.yaml storage=sqlite:///beside.db output=deep/down": "surrogate.slope=1 cannot be",
}


@pytest.mark.parametrize("words", WORDS)
def test_refused_commands_leave_nothing_behind(command, words):
    write(Path("good.yaml"))
    write(Path("bad.yaml"), "space: {surrogate: [sigmoid, none], surrogate.slope: [1, 2]}")
    if not words:
        Path("good.yaml").unlink()
    said = command.refused(*(words.split(" ") if words else ["trials=3"]))
    assert WORDS[words] in said
    assert "allowed: " in said


def test_words_take_the_place_of_keys_and_of_the_base(tmp_path, monkeypatch):
    from surrolab.cli import sweep

    seen = []
    monkeypatch.setattr(sweep, "_sweep", lambda *given: seen.append(given) or 0)
    write(tmp_path / "w.yaml", "{sampler: gp, pruner: median, seeds: [3]}")
    sweep.run_command(
        [
            *(str(tmp_path / "w.yaml"), "study=other", "trials=7", "time_budget=30s", "workers=2"),
            *(
                "sampler={name:random,seed:4}",
                "pruner=none",
                "seeds=[0,1]",
                "storage=sqlite:///a.db",
            ),
            *("launcher.timeout_min=5", "max_failures=1", "data=randman", "encoding.steps=9"),
            *("output=out", "encoding=latency"),
        ]
    )
    ((found, directory, line),) = seen
    assert found.node | {"base": None, "space": None} == {
        "study": "other",
        "base": None,
        "space": None,
        "objectives": {"val/accuracy": "maximize"},
        "sampler": {"name": "random", "seed": 4},
        "pruner": {"name": "none"},
        "seeds": [0, 1],
        "trials": 7,
        "time_budget": 30.0,
        "workers": 2,
        "storage": "sqlite:///a.db",
        "starting_points": [],
        "max_failures": 1,
        "launcher": found.node["launcher"],
    }
    assert found.node["launcher"]["timeout_min"] == 5
    assert directory == Path("out").absolute()
    assert line.startswith("surrolab sweep /")
    words = trial_words(found, {"surrogate.slope": 2.5}, 1)
    assert words == [
        *("threads=1", "logger=none", "model.hidden=[16]", "trainer.max_epochs=1"),
        *("trainer.limit_train_batches=3", "data=randman", "encoding.steps=9"),
        *("encoding=latency", "surrogate.slope=2.5", "seed=1"),
    ]
    assert compose_run(words, "x").config["encoding"]["steps"] == 9


def test_a_launcher_keeps_what_the_line_does_not_say(tmp_path):
    path = write(tmp_path / "w.yaml", "launcher: {name: slurm, mem_gb: 4, timeout_min: 9}")
    given = {"launcher": {"name": "slurm", "timeout_min": 5}}
    launcher = read_spec(path, given, []).node["launcher"]
    assert (launcher["mem_gb"], launcher["timeout_min"]) == (4, 5)
    assert read_spec(path, {"launcher": "local"}, []).node["launcher"] == {"name": "local"}


def test_the_name_of_the_file_is_the_study(tmp_path):
    assert read_spec(write(tmp_path / "b.yaml"), {}, []).study == "widths"
    path = tmp_path / "Größe.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in node().items() if k != "study"}))
    assert read_spec(path, {}, []).study == "Größe"


def test_a_base_is_a_list_or_a_mapping():
    listed = spec(base=["model.hidden=[16,8]", "surrogate=atan", "encoding.steps=3"]).base
    mapped = spec("base: {model.hidden: [16, 8], surrogate: atan, encoding.steps: 3}").base
    assert listed == mapped
    assert listed.config["model"]["hidden"] == [16, 8]


def test_one_thread_unless_asked_for_more():
    assert spec().base.config["threads"] == 1
    assert spec(base=[*QUICK, "threads=3"]).base.config["threads"] == 3


# Numbers as people write them, and what a parameter becomes of them.
RANGES = {
    "surrogate.slope: {low: 1, high: 100}": FloatDistribution(1, 100),
    "surrogate.slope: {low: 1, high: 9, step: 2}": FloatDistribution(1, 9, step=2),
    "surrogate.slope: {low: 1, high: 2.4, step: 0.5}": FloatDistribution(1, 2, step=0.5),
    "surrogate.slope: {low: 2, high: 2}": FloatDistribution(2, 2),
    "optimizer.lr: {low: 1e-4, high: 1e-1, log: true}": FloatDistribution(1e-4, 0.1, log=True),
    "optimizer.lr: [1e-4, 1E-2]": CategoricalDistribution([1e-4, 1e-2]),
    "data.batch_size: {low: 16, high: 256, log: true}": IntDistribution(16, 256, log=True),
    "data.batch_size: {low: 16, high: 64, step: 16}": IntDistribution(16, 64, step=16),
    "trainer.max_epochs: {low: 1, high: 3}": IntDistribution(1, 3),
    "encoding.steps: {low: 5, high: 10, step: 2}": IntDistribution(5, 9, step=2),
    "trainer.limit_train_batches: {low: 0.1, high: 1}": FloatDistribution(0.1, 1),
    "threads: {low: 1, high: 2}": IntDistribution(1, 2),
    "model.hidden: [[100], [50, 50]]": CategoricalDistribution(["[100]", "[50, 50]"]),
    "truncate_steps: [null, 5]": CategoricalDistribution([None, 5]),
    "sparse: [auto, true, false]": CategoricalDistribution(["auto", True, False]),
    "slope: [constant, linear]": CategoricalDistribution(["constant", "linear"]),
    "neuron.detach_reset: {choices: [true, false]}": CategoricalDistribution([True, False]),
}


@pytest.mark.parametrize("space", RANGES)
def test_ranges_have_the_kind_of_their_key(space):
    found = spec(f"space: {{{space}}}")
    try_out(found)
    assert found.space.parameters[0].distribution == RANGES[space]


def test_yaml_is_read_as_it_looks():
    found = read_yaml(
        "{a: [1e-3, 1E5, -2.5e+3, .5, 5., 010, 1_000], b: [on, off, yes, no, 1:30, 2026-01-02], "
        "c: [true, False, null, ~], d: ['1e-3', 'null'], on: seed}"
    )
    assert found == {
        "a": [1e-3, 1e5, -2500.0, 0.5, 5.0, 10, 1000],
        "b": ["on", "off", "yes", "no", "1:30", "2026-01-02"],
        "c": [True, False, None, None],
        "d": ["1e-3", "null"],
        "on": "seed",
    }
    assert read_yaml(write_yaml(found)) == found
    assert yaml.safe_load(write_yaml(found)) == found


def test_the_longest_trial_counts_for_the_pruner():
    found = spec("{pruner: median, seeds: [0, 1]}", space={"trainer.max_epochs": [2, 7, 3]})
    assert found.max_epochs == 7
    assert found.steps == 14


def test_a_checked_spec_is_one_again():
    found = spec(
        "{sampler: {name: tpe, seed: 3}, launcher: slurm, time_budget: 2h, pruner: median}"
    )
    assert make_spec(read_yaml(write_yaml(found.node))).node == found.node
    assert found.node["time_budget"] == 7200
