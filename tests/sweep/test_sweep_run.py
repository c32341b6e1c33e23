"""Real sweeps: what runs, what the storage holds, and what the files say."""

import csv
import io
import sys
from pathlib import Path

import pytest
import yaml
from specs import QUICK, Sweep

from surrolab.sweep.yaml_text import read_yaml

sys.path.append(str(Path(__file__).parent.parent / "tracking"))

SLOPES = "{choices: [1, 25], when: {surrogate: {not: none}}}"
GRID = f"""
space: {{surrogate: [sigmoid, none], surrogate.slope: {SLOPES}}}
sampler: grid
trials: null
seeds: [0, 3]
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A grid that has been run, and then had a category added."""
    sweep = Sweep(tmp_path_factory.mktemp("grid"))
    sweep.write(GRID)
    said = sweep.good("workers=1")
    before = sweep.trials
    sweep.write(GRID.replace("[sigmoid, none]", "[triangle, sigmoid, none]"))
    more = sweep.good("workers=1")
    return sweep, said, before, more


def means(sweep: Sweep, number: int, name: str = "val/accuracy") -> float:
    results = [sweep.result(f"{number}/seed{seed}") for seed in (0, 3)]
    assert [result["seed"] for result in results] == [0, 3]
    return sum(result["metrics"][name] for result in results) / 2


def test_a_grid_is_run_exactly(grid):
    sweep, said, before, _ = grid
    assert [trial.params for trial in before] == [
        {"surrogate": "sigmoid", "surrogate.slope": 1},
        {"surrogate": "sigmoid", "surrogate.slope": 25},
        {"surrogate": "none"},
    ]
    assert [trial.value for trial in before] == [means(sweep, number) for number in range(3)]
    assert "study widths: 3 complete" in said
    assert said.count("trial ") >= 3
    best = max(before, key=lambda trial: trial.value).number
    assert f"best: trial {best}, val/accuracy" in said


def test_a_category_is_added_to_a_grid_that_was_run(grid):
    sweep, _, before, more = grid
    assert [trial.params for trial in sweep.trials[:3]] == [trial.params for trial in before]
    assert [trial.values for trial in sweep.trials[:3]] == [trial.values for trial in before]
    assert [trial.params for trial in sweep.trials[3:]] == [
        {"surrogate": "triangle", "surrogate.slope": 1},
        {"surrogate": "triangle", "surrogate.slope": 25},
    ]
    assert "study widths: 5 complete" in more
    spec = read_yaml((sweep.path / "spec.yaml").read_text())
    assert spec["space"]["surrogate"]["choices"] == ["sigmoid", "none", "triangle"]


def test_trials_csv_is_what_the_run_directories_say(grid):
    sweep, *_ = grid
    assert [row["trial"] for row in sweep.table] == list("01234")
    for number, row in enumerate(sweep.table):
        assert (row["state"], row["error"], row["attempts"]) == ("complete", "", "1")
        trial = sweep.trials[number]
        assert row["surrogate"] == trial.params["surrogate"]
        assert row["surrogate.slope"] == str(trial.params.get("surrogate.slope", ""))
        assert row["directory"] == f"trials/{number}"
        assert (sweep.path / row["directory"]).is_dir()
        assert float(row["duration_s"]) > 0
        for name in ("val/accuracy", "val/loss", "test/accuracy", "synops/effective_acs"):
            assert float(row[name]) == pytest.approx(means(sweep, number, name), rel=1e-12)
    header = next(csv.reader(io.StringIO((sweep.path / "trials.csv").read_text())))
    assert len(set(header)) == len(header)


def test_study_json_is_the_study(grid):
    sweep, *_ = grid
    facts = sweep.facts
    assert facts["study"] == "widths"
    assert facts["objectives"] == [{"name": "val/accuracy", "direction": "maximize"}]
    assert (facts["seeds"], facts["max_epochs"], facts["target"]) == ([0, 3], 1, 5)
    assert facts["base"] == QUICK
    assert facts["parameters"]["surrogate.slope"] == {
        "kind": "categorical",
        "choices": [1, 25],
        "when": {"surrogate": ["sigmoid", "triangle"]},
    }
    best = max(sweep.trials, key=lambda trial: trial.value)
    assert facts["best"] == [best.number]
    for trial, stored in zip(facts["trials"], sweep.trials, strict=True):
        assert trial["values"] == stored.values
        assert trial["parameters"] == stored.params
        assert trial["intermediate"] == {
            str(step + 1): value for step, value in stored.intermediate_values.items()
        }
        assert [run["seed"] for run in trial["runs"]] == [0, 3]
        for run, line in zip(trial["runs"], trial["command"].splitlines(), strict=True):
            assert run["directory"] == f"trials/{trial['number']}/seed{run['seed']}"
            assert line.endswith(f"seed={run['seed']}")
            assert (sweep.path / run["directory"] / "command.txt").read_text() == line + "\n"
    assert (sweep.path / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.slow
def test_two_objectives_have_a_front(tmp_path):
    sweep = Sweep(tmp_path)
    sweep.write(
        "space: {encoding.steps: {low: 2, high: 12}, optimizer.lr: {low: 1e-4, high: 0.1}}\n"
        "objectives: {val/accuracy: maximize, encoding.steps: minimize}\n"
        "sampler: {name: nsga2, population_size: 3}\n"
        "trials: 5\n"
    )
    said = sweep.good("workers=1")
    for trial in sweep.trials:
        accuracy, steps = trial.values
        assert steps == trial.params["encoding.steps"]  # a key of the configuration
        assert accuracy == sweep.result(str(trial.number))["metrics"]["val/accuracy"]
    points = {trial.number: trial.values for trial in sweep.trials}
    front = [
        number
        for number, (accuracy, steps) in points.items()
        if not any(
            a >= accuracy and s <= steps and (a > accuracy or s < steps) for a, s in points.values()
        )
    ]
    assert sorted(sweep.facts["best"]) == front
    assert "study widths: 5 complete" in said
    assert len(sweep.table) == 5


def test_a_bad_trial_is_pruned_and_tracked(tmp_path):
    from written import Written

    sweep = Sweep(tmp_path)
    base = [word for word in QUICK if not word.startswith(("logger", "trainer"))]
    sweep.write(
        "space: {optimizer.lr: [1e-6, 1e-2], surrogate.slope: {low: 1, high: 50}}\n"
        "pruner: {name: median, n_startup_trials: 2}\n"
        "trials: 3\n",
        base=[*base, "logger.mode=offline", "trainer.max_epochs=4", "data.batch_size=256"],
        starting_points=[
            {"optimizer.lr": 0.01, "surrogate.slope": 25},
            {"optimizer.lr": 0.01, "surrogate.slope": 20},
            {"optimizer.lr": 1e-6, "surrogate.slope": 25},
        ],
    )
    sweep.good("workers=1")
    states = ["complete", "complete", "pruned"]
    assert [trial.state.name.lower() for trial in sweep.trials] == states
    assert [trial.params["optimizer.lr"] for trial in sweep.trials] == [0.01, 0.01, 1e-6]
    assert [sweep.result(name)["status"] for name in "012"] == ["completed", "completed", "pruned"]
    epochs = [len({row["epoch"] for row in sweep.rows(name) if row["val/loss"]}) for name in "012"]
    assert epochs[:2] == [4, 4]
    assert epochs[2] < 4
    pruned = sweep.trials[2]
    assert len(pruned.intermediate_values) == epochs[2]
    assert [row["state"] for row in sweep.table] == states
    assert "test/accuracy" not in sweep.result("2")["metrics"]  # a pruned run is not tested

    for number, state in enumerate(states):
        (path,) = (sweep.path / "trials" / str(number)).glob("wandb/offline-run-*/*.wandb")
        run = Written(path)
        last = run.all("run")[-1]  # the state is known when it ends
        assert last.run_group == "widths"
        assert {f"trial-{number}", state} <= set(last.tags)
        assert run.config["trial"]["parameters"] == sweep.trials[number].params
        assert run.config["trial"]["number"] == number
    (path,) = sweep.path.glob("wandb/offline-run-*/*.wandb")
    assert Written(path).summary["trials/pruned"] == 1


@pytest.mark.slow
def test_a_time_budget_ends_a_sweep(tmp_path):
    sweep = Sweep(tmp_path)
    sweep.write("trials: null")
    said = sweep.good("time_budget=1s", "workers=1")
    # Nothing begins after that time, and what runs is finished.
    assert all(trial.state.is_finished() for trial in sweep.trials)
    assert len(sweep.trials) < 20
    assert "study widths: " in said


@pytest.mark.slow
def test_a_metric_that_no_run_logs(tmp_path):
    sweep = Sweep(tmp_path)
    sweep.write("objectives: {val/mse: minimize}")
    process = sweep("max_failures=1", "workers=1")
    assert process.returncode == 1
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("surrolab: ")]
    assert "1 trials failed, the last one (trial 0): objectives: val/mse is not logged by" in line
    assert "allowed: " in line
    assert "val/loss" in line
    assert sweep.result("0")["status"] == "failed"
    assert sweep.table[0]["state"] == "failed"
    assert yaml.safe_load((sweep.path / "spec.yaml").read_text())["objectives"] == {
        "val/mse": "minimize"
    }
