"""The accuracies that are promised, by real training. Minutes; the table is in docs/accuracy.md."""

import json
from statistics import mean

import pytest

from surrolab.schema import options

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Accuracy and duration of every surrogate on the same three splits."""
    from conftest import Program

    program = Program(tmp_path_factory.mktemp("accuracy"))
    process = program(
        "--multirun",
        "logger=none",
        f"surrogate={','.join(options('surrogate'))}",
        "data.split_seed=0,1,2",
        "hydra.sweep.dir=runs",
        "hydra.sweep.subdir=${hydra:runtime.choices.surrogate}-${data.split_seed}",
        timeout=3000,
    )
    assert process.returncode == 0, process.stderr
    return {
        name: [
            json.loads((program.directory / "runs" / f"{name}-{k}" / "result.json").read_text())
            for k in range(3)
        ]
        for name in options("surrogate")
    }


def accuracies(results, name):
    return [result["metrics"]["test/accuracy"] for result in results[name]]


def test_sigmoid_on_digits(results):
    assert mean(accuracies(results, "sigmoid")) >= 0.97
    assert all(result["duration_s"] < 120 for result in results["sigmoid"])


@pytest.mark.parametrize("name", [name for name in options("surrogate") if name != "none"])
def test_every_surrogate_on_digits_against_the_true_derivative(results, name):
    assert mean(accuracies(results, name)) >= 0.96
    for own, control in zip(accuracies(results, name), accuracies(results, "none"), strict=True):
        assert own > control


def test_convolution_on_mnist(program):
    run = program.run("run", "data=mnist5k", "model=conv", "trainer.max_epochs=10", timeout=1500)
    assert run.result["metrics"]["test/accuracy"] >= 0.95


def test_randman_from_a_silent_start(program):
    run = program.run(
        "run", "experiment=randman_zenke2021", f"data.root={program.directory}", timeout=1500
    )
    assert run.result["metrics"]["test/accuracy"] >= 0.95


@pytest.mark.parametrize(
    ("task", "by_seed", "goal"),
    [
        ("japanese_vowels", "data.split_seed", 0.955),
        ("basic_motions", "data.fold", 0.95),
        ("languages", "data.split_seed", 0.70),
        ("saccades", "data.split_seed", 0.90),
        ("yinyang", "data.split_seed", 0.97),
    ],
)
def test_a_task_without_any_download(program, task, by_seed, goal):
    """The mean of three seeds and splits, each in less than five minutes; see docs/tasks.md."""
    found = []
    for seed in range(3):
        words = (f"seed={seed}", f"{by_seed}={seed}", f"data.root={program.directory}")
        run = program.run(f"run{seed}", f"experiment={task}", *words, timeout=1500)
        assert run.result["duration_s"] < 300
        found.append(run.result["metrics"]["test/accuracy"])
    assert mean(found) >= goal
