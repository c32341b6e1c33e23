"""Samplers and pruners by name, each at work on a real study."""

import math

import optuna
import pytest
from optuna.trial import Trial, TrialState
from specs import spec

from surrolab.composition import compose_run
from surrolab.errors import UserError
from surrolab.sweep.search import FINITE, PRUNERS, SAMPLERS, make_pruner, make_sampler
from surrolab.sweep.study import equip, quiet_optuna
from surrolab.sweep.trial import Follower, _for_seed_pruner, _objective_values, report

SPACE = """
surrogate.slope: {low: 0.5, high: 100, log: true}
optimizer.lr: {low: 1e-4, high: 1e-1, log: true}
encoding.steps: {low: 4, high: 10, step: 3}
surrogate: [sigmoid, triangle, atan]
surrogate.scale: {low: 0.1, high: 10, log: true, when: {surrogate: [triangle, atan]}}
model.hidden: {choices: [[16], [8, 8]], when: {surrogate: atan}}
"""
GRID = """
surrogate: [sigmoid, triangle]
surrogate.slope: {choices: [1, 5, 25], when: {surrogate: triangle}}
"""
OPTIONS = {
    "gp": ", n_startup_trials: 3",
    "nsga2": ", population_size: 5",
    "nsga3": ", population_size: 5",
    "tpe": ", n_startup_trials: 5",
}
DATA = ("digits", "randman")
DRAWING = [name for name in SAMPLERS if name not in FINITE]


def study_of(found, seed_name: str = "widths") -> optuna.Study:
    return optuna.create_study(directions=list(found.objectives.values()), study_name=seed_name)


def next_trial(study: optuna.Study, found) -> Trial:
    """As a worker begins one."""
    trial_id = study._storage.create_new_trial(study._study_id)
    equip(study, found, study._storage.get_trial(trial_id).number)
    return Trial(study, trial_id)


def goodness(values) -> float:
    return -abs(math.log(values["surrogate.slope"] / 20)) - abs(
        math.log(values["optimizer.lr"]) + 5
    )


def run(found, number: int, study: optuna.Study | None = None) -> list[dict]:
    """Values of trials that end as their values say."""
    study = study or study_of(found)
    drawn = []
    with quiet_optuna():
        for _ in range(number):
            trial = next_trial(study, found)
            values = found.space.suggest(trial)
            drawn.append(values)
            result = [goodness(values), float(values["encoding.steps"])]
            study.tell(trial, result[: len(found.objectives)])
    return drawn


def trials(sampler: str, number: int) -> int:
    """Few where each takes a second."""
    return 6 if sampler == "gp" else number


def differing(drawn: list[dict]) -> int:
    return len({tuple(values.items()) for values in drawn})


def of(sampler: str, more: str = "", space: str = SPACE):
    words = f"{{name: {sampler}{OPTIONS.get(sampler, '')}{more}}}"
    return spec(f"sampler: {words}\ntrials: 9\nspace:\n  " + space.strip().replace("\n", "\n  "))


@pytest.mark.parametrize("sampler", DRAWING)
def test_every_sampler_stays_in_the_space(sampler):
    found = of(sampler)
    drawn = run(found, trials(sampler, 16))
    for values in drawn:
        assert set(values) == {p.name for p in found.space.parameters if p.exists(values)}
        assert found.space.check(values, "x") == values
        # NumPy's numbers would be written with their type.
        assert {type(value) for value in values.values()} <= {int, float, str}
    # Nothing is drawn again and again, also of what a sampler leaves to another.
    assert differing(drawn) > (8 if "nsga" in sampler else len(drawn) - 1)  # children may be twins
    assert len({values["encoding.steps"] for values in drawn}) > 1
    if sampler != "gp":  # which has few trials here, and likes the ends of a range
        assert len({values["surrogate"] for values in drawn}) > 1
        scales = [values["surrogate.scale"] for values in drawn if "surrogate.scale" in values]
        assert len(set(scales)) > len(scales) / 2


@pytest.mark.parametrize("sampler", DRAWING)
def test_one_worker_draws_the_same_again(sampler):
    count = trials(sampler, 9)
    first = run(of(sampler), count)
    assert run(of(sampler), count) == first
    if sampler != "qmc":  # whose sequence is the same for all seeds unless it is scrambled
        assert run(of(sampler, ", seed: 1"), 2) != first[:2]
    else:
        scrambled = run(of(sampler, ", seed: 1, scramble: true"), 9)
        assert scrambled != run(of(sampler, ", seed: 2, scramble: true"), 9)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "nsga3"])
def test_samplers_of_several_objectives(sampler):
    node = of(sampler).node | {"objectives": {"val/accuracy": "maximize", "val/loss": "minimize"}}
    found = type(of(sampler))(node, of(sampler).space, [], of(sampler).base)
    assert differing(run(found, trials(sampler, 12))) > 5


@pytest.mark.parametrize("sampler", DRAWING)
def test_two_workers_never_draw_the_same(sampler):
    found = of(sampler)
    study = study_of(found)
    with quiet_optuna():
        drawn = []
        for _ in range(trials(sampler, 8) // 2):
            pair = [next_trial(study, found), next_trial(study, found)]
            values = [found.space.suggest(trial) for trial in pair]
            drawn += values
            for trial, given in zip(pair, values, strict=True):
                study.tell(trial, goodness(given))
    assert differing(drawn) == len(drawn)


def test_random_draws_depend_on_the_number_of_the_trial_alone():
    space = of("random").space
    alone = run(of("random"), 6)
    # As if other workers had had the others.
    for number, values in enumerate(alone):
        study = optuna.create_study(sampler=make_sampler({"name": "random"}, number))
        assert space.suggest(study.ask()) == values


def test_a_guided_sampler_is_better_than_chance():
    best = {name: max(map(goodness, run(of(name), 40))) for name in ("random", "tpe")}
    assert best["tpe"] > best["random"]


@pytest.mark.parametrize("sampler", FINITE)
def test_points_of_a_grid_are_known_beforehand(sampler):
    found = of(sampler, space=GRID)
    assert len(found.points) == 4
    assert found.target == 4


def curves(found, quality, minimize: bool = False) -> list[str]:
    """States of trials whose metric comes nearer to ``quality``, or falls if that is low."""
    study = study_of(found)
    with quiet_optuna():
        for good in quality:
            trial = next_trial(study, found)
            for step in range(found.steps):
                value = good * (1 - math.exp(-step - 1) if good > 0.3 else math.exp(-step / 4))
                if report(found, trial, step, 1 - value if minimize else value):
                    study.tell(trial, state=TrialState.PRUNED)
                    break
            else:
                sign = 1 if study.direction.name == "MAXIMIZE" else -1
                study.tell(trial, sign * good)
    return [trial.state.name for trial in study.get_trials()]


PRUNING = {
    "median": "median",
    "percentile": "{name: percentile, percentile: 30}",
    "successive_halving": "{name: successive_halving, reduction_factor: 2}",
    "hyperband": "hyperband",
    "wilcoxon": "wilcoxon",
    "patient": "{name: patient, patience: 1, pruner: {name: median}}",
    "threshold": "{name: threshold, lower: 0.3}",
}
# Objective with its direction, and the watched metric where it is another; whether less of it is
# better.
WATCHED = {
    "maximize": ("val/accuracy: maximize", "", False),
    "minimize": ("val/loss: minimize", "", True),
    "opposite, less": ("val/accuracy: maximize", "val/loss", True),
    "opposite, more": ("val/loss: minimize", "val/accuracy", False),
}
QUALITY = [0.9, 0.8, 0.95, 0.7, 0.85, 0.9] + [0.1, 0.97, 0.15, 0.2] * 5


def pruning(name: str, objective: str, metric: str = "", more: str = ""):
    words = PRUNING[name] if PRUNING[name][0] == "{" else f"{{name: {PRUNING[name]}}}"
    if metric:
        words = f"{words[:-1]}, metric: {metric}}}"
    seeds = list(range(8)) if name == "wilcoxon" else [0]
    base = ["data=digits", "logger=none", "trainer.max_epochs=9"]
    return spec(f"{{objectives: {{{objective}}}, pruner: {words}{more}}}", base=base, seeds=seeds)


@pytest.mark.parametrize("watched", WATCHED)
@pytest.mark.parametrize("name", [name for name in PRUNERS if name not in ("none", "threshold")])
def test_every_pruner_prunes_the_worse(name, watched):
    objective, metric, minimize = WATCHED[watched]
    found = pruning(name, objective, metric)
    assert found.watched[1] == ("minimize" if minimize else "maximize")
    states = curves(found, QUALITY, minimize)
    worse = [state for state, good in zip(states, QUALITY, strict=True) if good < 0.5]
    best = [state for state, good in zip(states, QUALITY, strict=True) if good == 0.97]
    assert "PRUNED" in worse
    if name not in ("successive_halving", "hyperband"):  # which keep a share of each step
        assert worse.count("PRUNED") > len(worse) / 2
        assert "PRUNED" not in best
    assert best.count("PRUNED") < worse.count("PRUNED")


@pytest.mark.parametrize("watched", WATCHED)
def test_a_threshold_is_of_the_metric_as_it_is(watched):
    objective, metric, _ = WATCHED[watched]
    found = pruning("threshold", objective, metric)
    assert curves(found, [0.9, 0.2, 0.6]) == ["COMPLETE", "PRUNED", "COMPLETE"]


def test_without_a_pruner_nothing_is_pruned():
    found = spec("pruner: none")
    assert not found.prunes
    assert set(curves(found, QUALITY)) == {"COMPLETE"}


def test_hyperband_knows_how_long_a_trial_is():
    found = pruning("hyperband", "val/accuracy: maximize")
    assert make_pruner(found.node["pruner"], found.steps)._max_resource == 9
    three = spec("{pruner: hyperband, seeds: [0, 1, 2]}")
    assert make_pruner(three.node["pruner"], three.steps)._max_resource == 3
    assert make_pruner({"name": "hyperband", "max_resource": 81}, 9)._max_resource == 81


def test_what_was_reported_is_not_reported_again_and_no_number_is_no_report():
    found = pruning("median", "val/accuracy: maximize")
    study = study_of(found)
    trial = next_trial(study, found)
    report(found, trial, 0, 0.5)
    report(found, trial, 0, 0.7)
    assert not report(found, trial, 1, math.nan)
    assert study.get_trials()[0].intermediate_values == {0: 0.5}


def test_reports_are_negated_where_less_of_the_metric_is_better():
    objective, metric, _ = WATCHED["opposite, less"]
    found = pruning("median", objective, metric)
    study = study_of(found)
    report(found, next_trial(study, found), 0, 0.5)
    assert study.get_trials()[0].intermediate_values == {0: -0.5}


def test_a_key_of_the_configuration_is_an_objective_as_the_trial_has_it():
    found = spec(
        "{objectives: {data.batch_size: minimize, surrogate.slope: maximize}, space: "
        "{data: [digits, randman], surrogate: [atan, none]}}",
        base=[],
    )
    sizes = [compose_run([f"data={name}"], "x").config["data"]["batch_size"] for name in DATA]
    assert sizes[0] != sizes[1]
    for name, size in zip(DATA, sizes, strict=True):
        values = {"data": name, "surrogate": "atan"}
        slope = compose_run(["surrogate=atan"], "x").config["surrogate"]["slope"]
        assert _objective_values(found, values, []) == [size, slope]
    with pytest.raises(UserError, match=r"objectives: surrogate\.slope is no number in every"):
        _objective_values(found, {"data": "digits", "surrogate": "none"}, [])


def test_a_metric_that_is_not_logged_ends_a_run_at_its_first_epoch():
    found = spec("{objectives: {val/accuracy: maximize}, pruner: {name: median, metric: val/mse}}")
    trial = next_trial(study_of(found), found)
    for metrics, line in (
        ({"val/loss": 1.0}, "objectives: val/accuracy is not logged by these runs; allowed: val/l"),
        ({"val/accuracy": 1.0}, "pruner.metric: val/mse is not logged by these runs; allowed: val"),
    ):
        with pytest.raises(UserError) as error:
            Follower(found, trial, 0, [], lambda _: None).epoch(0, metrics)
        assert line in str(error.value)


def test_seeds_can_be_what_is_pruned_on():
    found = spec("{pruner: {name: median, on: seed, n_startup_trials: 2}, seeds: [0, 1, 2]}")
    assert found.pruned_on == "seed"
    assert found.steps == 3
    assert spec("{pruner: median, seeds: [0, 1, 2]}").pruned_on == "epoch"
    assert spec("{pruner: wilcoxon, seeds: [0, 1]}").pruned_on == "seed"
    assert curves(found, [0.9, 0.8, 0.85, 0.1])[-1] == "PRUNED"


@pytest.mark.parametrize(
    ("metrics", "line"),
    [
        ({"val/accuracy": None, "val/loss": 1.0}, "val/accuracy is not finite in this trial"),
        ({"val/loss": 1.0}, "val/accuracy is not logged by these runs; allowed: val/loss"),
    ],
)
def test_an_objective_without_a_number_says_why(metrics, line):
    runs = [{"metrics": {"val/accuracy": 0.5}}, {"metrics": metrics}]
    found = spec("seeds: [0, 1]")
    with pytest.raises(UserError, match=f"objectives: {line}"):
        _objective_values(found, {}, runs)
    assert math.isnan(_for_seed_pruner(found, [run["metrics"] for run in runs]))
