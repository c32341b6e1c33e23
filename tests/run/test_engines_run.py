"""Runs by every engine, over time in parts, and what they say of it."""

import json
import shutil
import subprocess
import sys
from statistics import mean

import pytest
import torch
from conftest import Run
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.native import available
from surrolab.neurons import engines
from surrolab.run.build import build_parts
from surrolab.run.directory import RunDirectory
from surrolab.run.load import load_run
from surrolab.schema import CONF, validate

needs_compiler = pytest.mark.skipif(available() is not None, reason="there is no C compiler here")
ENGINES = ("stepwise", "torch", "native")


@pytest.fixture(autouse=True)
def nothing_said():
    engines.say.cache_clear()


def facts_of(run):
    return json.loads((run.path / "provenance.json").read_text())["layers"]


def log_of(run):
    return (run.path / "train.log").read_text().splitlines()


def said(run, word):
    return [line for line in log_of(run) if word in line]


@needs_compiler
@pytest.mark.parametrize("engine", ["auto", *ENGINES])
def test_the_engine_of_every_layer_is_recorded_and_said_once(here, engine):
    status, out, err = here("debug=smoke", f"engine={engine}", "model.hidden=[8,8]")
    assert (status, err) == (0, "")
    taken = "native" if engine == "auto" else engine
    facts = facts_of(here.run)
    assert list(facts) == ["hidden1", "hidden2", "readout"]
    assert {(layer["engine"], layer["why"]) for layer in facts.values()} == {(taken, None)}
    assert out.count("engine: ") == 1
    (line,) = said(here.run, "engine: ")
    assert line.endswith(f" INFO engine: {taken} for hidden1, hidden2, readout")


@needs_compiler
@pytest.mark.filterwarnings("ignore:.*AMP with fp16 is not supported on CPU")
def test_the_engine_is_that_of_the_precision_that_is_trained_with(here):
    """Lightning takes bfloat16 where the CPU has no mixed float16."""
    status, out, err = here("debug=smoke", "trainer.precision=16-mixed")
    assert (status, err) == (0, "")
    assert facts_of(here.run)["hidden1"]["engine"] == "native"
    assert "engine: native for hidden1, readout" in out


@pytest.mark.parametrize("engine", ["auto", "native"])
def test_without_a_compiler_a_run_completes_with_one_warning(here, monkeypatch, engine):
    monkeypatch.setenv("CC", shutil.which("false"))
    status, out, err = here("debug=smoke", f"engine={engine}", "model.hidden=[8,8]")
    assert (status, err) == (0, "")
    why = f"the compiler {shutil.which('false')} fails: no output"
    facts = facts_of(here.run)
    assert {(layer["engine"], layer["why"]) for layer in facts.values()} == {("torch", why)}
    (warning,) = said(here.run, "WARNING")
    assert warning.endswith(f" WARNING engine native gives way: {why}")
    (line,) = said(here.run, "engine: ")
    assert line.endswith(f" INFO engine: torch for hidden1, hidden2, readout ({why})")
    assert out.count("gives way") == 1


@pytest.mark.slow
def test_without_a_compiler_the_program_says_nothing_on_standard_error(program):
    process = program("hydra.run.dir=run", "logger=none", "debug=smoke", CC=shutil.which("false"))
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert process.stdout.count("engine native gives way: ") == 1
    assert facts_of(Run(process, program.directory / "run"))["hidden1"]["engine"] == "torch"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), (None, None, True)),
        (("checkpoint_steps=auto", "overwrite_membrane=false"), (0, None, False)),
        (("checkpoint_steps=7", "truncate_steps=5"), (7, 5, True)),
    ],
)
def test_what_is_asked_for_reaches_the_network(words, wanted):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*words, "name=test", "logger=none", "engine=torch"])
    parts = build_parts(validate(OmegaConf.to_container(config, resolve=True)))
    network = parts.task.network
    for _, layer in network.named_layers():
        found = network.checkpoint_steps, network.truncate_steps, layer.neurons.overwrite_membrane
        assert found == wanted
        assert layer.neurons.engine == "torch"


# One array after the other, each of 64 MB, is made and freed; then says what is still held.
HOLDING = """
import sys
import numpy
from surrolab.memory import keep_freed_memory
assert keep_freed_memory(sys.argv[1] == "true")
def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) // 1024
before = held()
for _ in range(3):
    numpy.ones(8 << 20)
    after = held()
print(after - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux' /proc")
def test_freed_memory_is_kept_or_given_back():
    held = {
        keep: int(subprocess.run([sys.executable, "-c", HOLDING, keep], capture_output=True).stdout)
        for keep in ("true", "false")
    }
    assert 60 <= held["true"] < 80, "kept, and taken again by the next"
    assert held["false"] < 10


@pytest.mark.parametrize("keep", [True, False])
def test_a_run_says_which_of_them(here, monkeypatch, keep):
    said = []
    monkeypatch.setattr("surrolab.run.execute.keep_freed_memory", said.append)
    assert here("debug=smoke", f"keep_memory={str(keep).lower()}")[0] == 0
    assert said == [keep]


# --- The same numbers, whoever computes them.

SETTING = (
    "trainer.max_epochs=1",
    "encoding=rate",
    "encoding.steps=15",
    "model.dropout=0.2",
    "trainer.limit_train_batches=5",
    "trainer.limit_val_batches=2",
    "trainer.limit_test_batches=2",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A short run, in this process, and its test's results by itself."""
    from surrolab.cli import train

    path = tmp_path_factory.mktemp("checkpoint") / "run"
    with pytest.raises(SystemExit) as end:
        train([f"hydra.run.dir={path}", "logger=none", *SETTING])
    assert not end.value.code
    return path


@needs_compiler
def test_one_checkpoint_gives_the_same_test_by_every_engine(checkpoint):
    """The same weights and samples: the same spikes, one by one, and the same metrics."""
    results = {}
    for engine in ENGINES:
        _, parts = load_run(RunDirectory(checkpoint), "best")
        task = parts.task.eval()
        for _, layer in task.network.named_layers():
            layer.neurons.engine = engine
            assert layer.neurons.choice().name == engine
        torch.manual_seed(0)
        batches = []
        with torch.no_grad():
            for batch in parts.data.test_dataloader():
                evaluation = task.evaluate(batch)
                task.test_metrics.update(evaluation, batch.y, task.network)
                batches.append(evaluation)
        results[engine] = (batches, task.test_metrics.compute("test", task.network))
    wanted, metrics = results["stepwise"]
    assert metrics["test/spikes/hidden1/rate"] > 0
    for engine in ("torch", "native"):
        batches, found = results[engine]
        for one, other in zip(wanted, batches, strict=True):
            assert torch.equal(one.output.hidden["hidden1"], other.output.hidden["hidden1"])
            assert torch.equal(one.prediction, other.prediction)
            torch.testing.assert_close(one.output.y, other.output.y)
        assert found.keys() == metrics.keys()
        for name, value in metrics.items():
            if name.startswith("test/spikes") or name == "test/accuracy":
                assert torch.equal(found[name], value), name
            else:
                torch.testing.assert_close(found[name], value)


def rows(run):
    return {name: float(value) for name, value in run.rows[-1].items() if value}


def compare(run, other, tolerance):
    one, two = rows(run), rows(other)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert two[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name


@pytest.fixture
def trains(tmp_path, capsys):
    """A run in this process under a name."""
    from surrolab.cli import train

    def run(name, *words):
        with pytest.raises(SystemExit) as end:
            train([f"hydra.run.dir={tmp_path}/{name}", "logger=none", *SETTING, *words])
        err = capsys.readouterr().err
        assert (end.value.code or 0, err) == (0, ""), err
        return Run(None, tmp_path / name)

    return run


PLAIN = ("trainer.precision=64-true", "seed=3")


@pytest.mark.parametrize("model", ["mlp", "recurrent"])
def test_a_run_in_parts_is_the_run_in_one(trains, model):
    """Checkpointing, a kept membrane and freed memory change nothing but memory and time."""
    setting = (*PLAIN, f"model={model}", "objective.lower_strength=10", "objective.lower_rate=0.2")
    whole = trains("whole", *setting)
    parts = trains("parts", *setting, "checkpoint_steps=auto")
    compare(whole, parts, 1e-6)
    assert whole.result["metrics"]["train/spikes/hidden1/rate"] > 0
    fixed = trains("fixed", *setting, "checkpoint_steps=4", "overwrite_membrane=false")
    compare(whole, fixed, 1e-6)
    compare(whole, trains("memory", *setting, "keep_memory=false"), 1e-12)


def test_a_membrane_that_is_kept_changes_no_bit(trains):
    one = trains("one", "overwrite_membrane=false")
    other = trains("other", "overwrite_membrane=true")
    for name, tensor in one.weights.items():
        assert torch.equal(tensor, other.weights[name]), name


def test_truncated_gradients_train_something_else(trains):
    whole = trains("whole", *PLAIN)
    cut = trains("cut", *PLAIN, "truncate_steps=5")
    behind = trains("behind", *PLAIN, "truncate_steps=15")
    both = trains("both", *PLAIN, "truncate_steps=5", "checkpoint_steps=auto")
    weight = "network.layers.hidden1.synapse.weight"
    assert torch.equal(behind.weights[weight], whole.weights[weight])
    assert not torch.allclose(cut.weights[weight], whole.weights[weight], rtol=1e-3)
    torch.testing.assert_close(cut.weights[weight], both.weights[weight])


@pytest.mark.parametrize("sampling", ["data=randman", "model=conv", "trainer.precision=bf16-mixed"])
def test_parts_of_other_runs(here, sampling):
    extra = {
        "data=randman": (
            "data.samples_per_class=20",
            "data.units=7",
            "data.steps=30",
            "data.window=20",
            f"data.root={here.directory}",
        )
    }.get(sampling, ())
    status, _, err = here(
        "debug=smoke", "checkpoint_steps=auto", "truncate_steps=5", sampling, *extra
    )
    assert (status, err) == (0, "")
    assert 0 < here.run.result["metrics"]["test/loss"] < 10


@pytest.mark.slow
def test_parts_survive_a_kill(program):
    """What dropout draws inside of recomputed parts comes back, too."""
    setting = (
        "trainer.max_epochs=2",
        "model.dropout=0.2",
        "encoding=rate",
        "checkpoint_steps=auto",
    )
    whole = program.run("whole", *setting)
    process = program.start("hydra.run.dir=run", "logger=none", *setting)
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    again = program("resume=run")
    assert again.returncode == 0, again.stderr
    run = Run(again, program.directory / "run")
    for name, tensor in whole.weights.items():
        assert torch.equal(tensor, run.weights[name]), name
    assert run.rows == whole.rows


@needs_compiler
@pytest.mark.slow
def test_the_default_run_is_as_accurate_by_every_engine(program):
    """Sums in another order lead to other weights, and to no other accuracy."""
    process = program(
        "--multirun",
        "logger=none",
        f"engine={','.join(ENGINES)}",
        "seed=0,1,2,3,4",
        "hydra.sweep.dir=runs",
        "hydra.sweep.subdir=${engine}-${seed}",
        timeout=3000,
    )
    assert process.returncode == 0, process.stderr
    accuracies = {}
    for engine in ENGINES:
        found = []
        for seed in range(5):
            path = program.directory / "runs" / f"{engine}-{seed}"
            layers = json.loads((path / "provenance.json").read_text())["layers"]
            assert {layer["engine"] for layer in layers.values()} == {engine}
            result = json.loads((path / "result.json").read_text())
            found.append((result["metrics"]["test/accuracy"], result["duration_s"]))
        accuracies[engine] = mean(accuracy for accuracy, _ in found)
        print(engine, *(f"{100 * a:.2f} % in {s:.1f} s," for a, s in found))
    print({engine: f"{100 * value:.2f} %" for engine, value in accuracies.items()})
    assert max(accuracies.values()) - min(accuracies.values()) <= 0.005
