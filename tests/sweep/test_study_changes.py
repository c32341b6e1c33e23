"""A study that is there already, and a spec that has changed."""

import time

import optuna
import pytest
import sqlalchemy as sql
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from specs import QUICK
from study_bench import log_slope, opened, run_at_once, slope

from surrolab.errors import UserError
from surrolab.sweep.export import study_facts
from surrolab.sweep.identity import process
from surrolab.sweep.places import Places
from surrolab.sweep.study import ATTRIBUTE, attach
from surrolab.sweep.worker import FINISHED, Worker


@pytest.fixture
def bench(tmp_path):
    with opened(tmp_path) as bench:
        yield bench


DRAWING = {
    "tpe": "sampler: {name: tpe, n_startup_trials: 3}",
    "gp": "sampler: {name: gp, n_startup_trials: 3}",
    "nsga2": "sampler: {name: nsga2, population_size: 3}",
}


def test_more_trials_and_fewer(bench):
    before = bench.run("trials: 3")
    after = bench.run("trials: 5")
    assert after[:3] == before
    assert [trial.number for trial in after] == list(range(5))
    assert bench.run("trials: 2") == after


@pytest.mark.parametrize("sampler", DRAWING)
def test_a_wider_range_is_searched(bench, sampler):
    before = bench.run(DRAWING[sampler], trials=5, space=log_slope(5, 6))
    after = bench.run(DRAWING[sampler], trials=13, space=log_slope(5, 500))
    assert [trial.params for trial in after[:5]] == [trial.params for trial in before]
    assert max(bench.values("surrogate.slope")[5:]) > 6
    # All have the range that there is now, without which only some samplers go on.
    wide = FloatDistribution(5, 500, log=True)
    assert {trial.distributions["surrogate.slope"] for trial in after} == {wide}


@pytest.mark.parametrize("sampler", DRAWING)
def test_a_narrower_range_is_kept_to(bench, sampler):
    before = bench.run(DRAWING[sampler], trials=6, space=log_slope(1, 100))
    after = bench.run(DRAWING[sampler], trials=14, space=log_slope(10, 12))
    assert after[:6] == before
    assert all(10 <= value <= 12 for value in bench.values("surrogate.slope")[6:])
    assert len(set(bench.values("surrogate.slope"))) > 10


@pytest.mark.parametrize("sampler", DRAWING)
def test_categories_are_added(bench, sampler):
    space = {**log_slope(1, 100), "surrogate": ["atan", "sigmoid"], "model.hidden": [[8], [16]]}
    before = bench.run(DRAWING[sampler], trials=5, space=space)
    wider = space | {"surrogate": ["tanh", "sigmoid", "atan"], "model.hidden": [[4, 4], [8], [16]]}
    points = [{"surrogate": "tanh", "model.hidden": [4, 4]}]
    after = bench.run(DRAWING[sampler], trials=9, space=wider, starting_points=points)
    assert [trial.params for trial in after[:5]] == [trial.params for trial in before]
    assert [trial.values for trial in after[:5]] == [trial.values for trial in before]
    assert after[5].params["surrogate"] == "tanh"
    assert after[5].params["model.hidden"] == "[4, 4]"
    # Those that were there keep their places in the list, by which the storage knows them.
    kinds = CategoricalDistribution(["atan", "sigmoid", "tanh"])
    assert {trial.distributions["surrogate"] for trial in after} == {kinds}
    found, _ = attach(bench.storage, "widths")
    assert found.node["space"]["surrogate"]["choices"] == ["atan", "sigmoid", "tanh"]
    assert found.node["space"]["model.hidden"]["choices"] == [[8], [16], [4, 4]]
    assert bench.study.best_trial.number in range(9)


def test_the_order_of_categories_may_be_another(bench):
    space = {"surrogate": ["atan", "sigmoid"]}
    before = bench.run("sampler: grid", trials=None, space=space)
    after = bench.run("sampler: grid", trials=None, space={"surrogate": ["sigmoid", "atan"]})
    assert after == before


def test_a_grid_runs_what_is_new(bench):
    small = {"surrogate": ["atan", "sigmoid"], **slope(1, 3, step=1)}
    before = bench.run("sampler: grid", trials=None, space=small)
    assert len(before) == 6
    wide = {"surrogate": ["atan", "sigmoid", "tanh"], **slope(2, 4, step=1)}
    after = bench.run("sampler: grid", trials=None, space=wide)
    assert [trial.params for trial in after[:6]] == [trial.params for trial in before]
    new = [(trial.params["surrogate"], trial.params["surrogate.slope"]) for trial in after[6:]]
    assert new == [("atan", 4), ("sigmoid", 4), ("tanh", 2), ("tanh", 3), ("tanh", 4)]


def test_a_grid_with_one_parameter_more_is_run_as_a_whole(bench):
    bench.run("sampler: grid", trials=None, space=slope(1, 3, step=1))
    more = {**slope(1, 3, step=1), "encoding.steps": [5, 6]}
    after = bench.run("sampler: grid", trials=None, space=more)
    assert len(after) == 3 + 6
    assert all(trial.params["encoding.steps"] for trial in after[3:])


def test_a_grid_after_another_sampler_is_run_as_a_whole(bench):
    bench.run("sampler: random", trials=7, space=slope(1, 3, step=1))
    after = bench.run("sampler: grid", trials=None, space=slope(1, 3, step=1))
    assert bench.values("surrogate.slope")[7:] == [1, 2, 3]
    # And the other way round all that is there counts.
    assert bench.run("sampler: tpe", trials=10, space=slope(1, 3, step=1)) == after


@pytest.mark.parametrize("sampler", DRAWING)
def test_a_parameter_is_added(bench, sampler):
    before = bench.run(DRAWING[sampler], trials=5)
    more = {
        **log_slope(1, 100),
        "surrogate": ["atan", "tanh"],
        "surrogate.scale": {"low": 1, "high": 2, "when": {"surrogate": "atan"}},
    }
    after = bench.run(DRAWING[sampler], trials=10, space=more)
    assert after[:5] == before
    assert all("surrogate" in trial.params for trial in after[5:])
    facts = study_facts(*attach(bench.storage, "widths"), "sqlite:///x", "surrolab sweep")
    # An old trial's line says what it was, which is without the new parameter.
    lines = [trial["command"] for trial in facts["trials"]]
    assert ["surrogate=" in line for line in lines] == [False] * 5 + [True] * 5


def test_another_sampler_and_another_pruner(bench):
    space = {**log_slope(1, 100), "optimizer.lr": {"low": 0.01, "high": 0.1}}
    trials = 0
    for sampler in ("random", "tpe", "cmaes", "gp", "nsga2", "qmc", "nsga3"):
        for pruner in ("none", "median", "hyperband"):
            if pruner == "none" or sampler == "tpe":
                trials += 2
                after = bench.run(
                    f"{{sampler: {sampler}, pruner: {pruner}}}", trials=trials, space=space
                )
                assert len(after) == trials
    assert len(set(bench.values("surrogate.slope"))) == trials
    assert attach(bench.storage, "widths")[0].node["sampler"]["name"] == "nsga3"


def test_starting_points_are_handed_out_once(bench):
    first, second, third = ({"surrogate.slope": value} for value in (2, 3, 4))
    bench.run("trials: 3", starting_points=[first, second])
    bench.run("trials: 5", starting_points=[first, third, second])
    bench.run("trials: 6", starting_points=[third])
    slopes = bench.values("surrogate.slope")
    assert [value for value in slopes if value in (2, 3, 4)] == [2, 3, 4]
    assert (slopes[:2], slopes[3]) == ([2, 3], 4)
    told = [trial.user_attrs["starting_point"] for trial in bench.trials]
    assert told == [True, True, False, True, False, False]


def test_no_trial_is_begun_when_the_time_is_over(bench):
    bench.prepare("{trials: null, time_budget: 1h}")
    found, study = attach(bench.storage, "widths")
    places = Places(bench.storage.engine, study._study_id)

    def work(deadline: float) -> int:
        return Worker(study, found, places, bench.path, deadline, None).work()

    assert work(time.time() - 1) == FINISHED
    assert bench.trials == []
    assert work(time.time() + 2) == FINISHED
    assert bench.trials


def test_objectives_keep_their_places(bench):
    bench.run("objectives: {val/accuracy: maximize, val/loss: minimize}")
    bench.run("{objectives: {val/loss: minimize, val/accuracy: maximize}, trials: 4}")
    found, study = attach(bench.storage, "widths")
    assert list(found.objectives) == ["val/accuracy", "val/loss"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]


def test_what_does_not_change_the_numbers_may_change(bench):
    before = bench.run("trials: 2")
    base = [*(word for word in QUICK if word != "logger=none"), "logger=csv", "threads=2"]
    changed = "{max_failures: 9, workers: 2, launcher: slurm, trials: 2}"
    assert bench.run(changed, base=base) == before


@pytest.mark.parametrize("with_trials", [True, False])
def test_a_study_of_somebody_else(bench, with_trials):
    # Without trials it could be taken over, were its direction not another.
    study = optuna.create_study(storage=bench.storage, study_name="widths", direction="minimize")
    if with_trials:
        study.tell(study.ask(), 1.0)
    with pytest.raises(UserError, match="widths in this storage was not made by surrolab"):
        bench.prepare()
    assert ATTRIBUTE not in bench.study.user_attrs


def test_an_empty_study_of_the_same_direction_is_taken_over(bench):
    optuna.create_study(storage=bench.storage, study_name="widths", direction="maximize")
    assert len(bench.run("trials: 2")) == 2


def test_categories_wait_until_nobody_works(bench):
    space = {"surrogate": ["atan", "sigmoid"], **log_slope(1, 100)}
    bench.run("trials: 2", space=space)
    found, study = attach(bench.storage, "widths")
    places = Places(bench.storage.engine, study._study_id)
    place = places.claim(process(), 9, [], only_points=False)
    wider = space | {"surrogate": ["atan", "sigmoid", "tanh"]}
    before = bench.dump()
    with pytest.raises(UserError, match=r"space.surrogate: no values can be added while workers"):
        bench.prepare(space=wider)
    assert bench.dump() == before
    bench.prepare(space=space, trials=9)  # other changes need not wait
    bench.prepare(space=space | log_slope(1, 200), trials=9)
    places.release(place, process())
    bench.prepare(space=wider | log_slope(1, 200), trials=9)
    assert len(bench.run(space=wider | log_slope(1, 200), trials=4)) == 4
    assert {trial.state for trial in bench.trials} == {TrialState.COMPLETE}
    assert found.study == "widths"


def test_a_study_that_was_deleted_begins_anew(bench):
    """SQLite gives its number to the next."""
    before = bench.run("trials: 3")
    number = bench.study._study_id
    optuna.delete_study(study_name="widths", storage=bench.storage)
    after = bench.run("trials: 2")
    assert bench.study._study_id == number
    assert (len(before), len(after)) == (3, 2)


def test_a_worker_that_has_lost_its_trial_does_not_fail_it(bench, monkeypatch):
    """Its crash comes before its heart has noticed."""
    begun = []

    def robbed(found, trial, values, directory, say):
        begun.append(trial.number)
        if len(begun) == 1:
            with bench.storage.engine.begin() as connection:
                connection.execute(sql.text("UPDATE surrolab_places SET worker = NULL"))
            raise RuntimeError("the files are another's")
        return run_at_once(found, trial, values, directory, say)

    monkeypatch.setattr("surrolab.sweep.trial.run_trial", robbed)
    (trial,) = bench.run("trials: 1")
    assert begun == [0, 0]
    assert trial.state.name == "COMPLETE"
