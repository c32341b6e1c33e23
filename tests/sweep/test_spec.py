"""Mistakes in a spec: one line that names the key and says what is allowed."""

import pytest
from specs import node

from surrolab.errors import UserError
from surrolab.sweep.checks import try_out
from surrolab.sweep.reading import make_spec

TWO = "{val/accuracy: maximize, val/loss: minimize}"
KINDS = "surrogate: [sigmoid, none]"

KEYS = {
    "sampelr: tpe": "sampelr: no such key of a spec; did you mean 'sampler'? allowed: study, space",
    "3: x": "3: no such key of a spec; allowed: study",
    "study: a/b": "study: 'a/b' is not allowed; allowed: a name of letters, digits",
    "study: .hidden": "study: '.hidden' is not allowed",
    "study: [a]": "study: ['a'] is not allowed",
    "study: true": "study: True is not allowed",
    "base: 3": "base: 3 is not allowed; allowed: words for train.py",
    "base: [1]": "base: [1] is not allowed",
    "base: [foo]": "foo: not an override; allowed: group=option or key=value",
    "base: ['surrogate=atan,sigmoid']": "surrogate=atan,sigmoid: several values for one run",
    "base: [--multirun]": "base: --multirun is a flag; allowed: group=option",
    "base: [data=nope]": "data=nope: no such option; allowed: ag_news, ",
    "base: {data: nope}": "data=nope: no such option; allowed: ag_news, ",
    "base: [surogate=atan]": "did you mean 'surrogate'",
    "base: [trainer.max_epochs=0]": "trainer.max_epochs: 0 is not allowed; allowed: a whole number",
    "base: [seed=3]": "seed: set for each trial by the sweep; allowed: seeds=[0,1,2]",
    "base: [++seed=3]": "seed: set for each trial by the sweep; allowed: seeds=[0,1,2]",
    "base: {seed: 3}": "seed: set for each trial by the sweep; allowed: seeds=[0,1,2]",
    "base: [name=me]": "name: set for each trial by the sweep; allowed: study=NAME",
    "base: [resume=run]": "resume: set for each trial by the sweep",
    "base: [hydra.run.dir=here]": "hydra.run.dir: set for each trial by the sweep",
    "base: [hydra/launcher=x]": "hydra/launcher: set for each trial by the sweep",
    "seeds: 3": "seeds: 3 is not allowed; allowed: a list of 1 or more, each item a whole number",
    "seeds: []": "seeds: [] is not allowed",
    "seeds: [a]": "seeds: ['a'] is not allowed",
    "seeds: [-1]": "seeds: [-1] is not allowed",
    "seeds: [1.5]": "seeds: [1.5] is not allowed",
    "seeds: [0, 1, 0]": "seeds: a seed is given twice; allowed: each once",
    "trials: 0": "trials: 0 is not allowed; allowed: a whole number of at least 1",
    "trials: many": "trials: 'many' is not allowed",
    "trials: 2.5": "trials: 2.5 is not allowed",
    "trials: true": "trials: True is not allowed",
    "trials: null": "trials: missing; allowed: trials: N, or time_budget: 2h, or sampler: grid",
    "time_budget: soon": "time_budget: 'soon' is not allowed; allowed: a time such as 90s, 30m",
    "time_budget: 0s": "time_budget: '0s' is not allowed",
    "time_budget: -3": "time_budget: -3 is not allowed",
    "time_budget: 1:30": "time_budget: '1:30' is not allowed",
    "time_budget: 3 weeks": "time_budget: '3 weeks' is not allowed",
    "workers: 0": "workers: 0 is not allowed; allowed: auto; or a whole number of at least 1",
    "workers: all": "workers: 'all' is not allowed",
    "storage: [a]": "storage: ['a'] is not allowed; allowed: sqlite:///",
    "max_failures: 0": "max_failures: 0 is not allowed",
    "launcher: pbs": "launcher: 'pbs' is not allowed; allowed: local, slurm",
    "launcher: {name: [slurm]}": "launcher: {'name': ['slurm']} is not allowed",
    "launcher: {name: local, timeout_min: 3}": "launcher.timeout_min: no such option; allowed: ",
    "launcher: {name: slurm, timeout_mn: 3}": "did you mean 'timeout_min'? allowed: cluster",
    "launcher: {name: slurm, timeout_min: 0}": "launcher.timeout_min: 0 is not allowed; allowed: a",
    "objectives: {}": "objectives: {} is not allowed; allowed: {val/accuracy: maximize",
    "objectives: [val/accuracy]": "objectives: ['val/accuracy'] is not allowed",
    "objectives: val/accuracy": "objectives.val/accuracy: None is not allowed; allowed: maximize",
    "objectives: {val/accuracy: max}": "objectives.val/accuracy: 'max' is not allowed",
    "objectives: {test/accuracy: maximize}": "objectives: test/accuracy is of the test samples, "
    "which no choice may see; allowed: val/accuracy",
    "objectives: {accuracy: maximize}": "or a number of the configuration such as encoding.steps",
    "objectives: {3: maximize}": "objectives: 3 is nothing that a run logs",
    "objectives: {encoding.stps: minimize}": "objectives: encoding.stps is no number of the config",
    "objectives: {surrogate.normalize: minimize}": "is no number of the configuration; allowed: ",
    "objectives: {model.hidden: minimize}": "objectives: model.hidden is no number",
}

SPACES = {
    "{}": "space: {} is not allowed; allowed: parameters by name",
    "3": "space: 3 is not allowed",
    "{surrogate.slope: 3}": "space.surrogate.slope: 3 is not allowed; allowed: {low: L, high: H}",
    "{surrogate.slope: null}": "space.surrogate.slope: None is not allowed",
    "{surrogate.slope: []}": "space.surrogate.slope: no values are given",
    "{surrogate.slope: {choices: 3}}": "space.surrogate.slope: no values are given",
    "{surrogate.slope: {low: 3}}": "space.surrogate.slope: high is missing",
    "{surrogate.slope: {low: 3, high: 1}}": "space.surrogate.slope: low is 3, above high, which",
    "{surrogate.slope: {low: 0, high: 3, log: true}}": "low is 0, which has no logarithm",
    "{surrogate.slope: {low: 1, high: 3, log: true, step: 1}}": "log and step do not go together",
    "{surrogate.slope: {low: 1, high: 3, log: yes}}": "log is 'yes', which is neither true nor",
    "{surrogate.slope: {low: 1, high: 3, step: 0}}": "step is 0, which is not between",
    "{surrogate.slope: {low: 1, high: 3, step: 5}}": "step is 5, which is not between",
    "{surrogate.slope: {low: 1, high: 3, step: a}}": "step is 'a', which is no number",
    "{surrogate.slope: {low: '1e-3', high: 3}}": "low is '1e-3', which is no number",
    "{surrogate.slope: {low: true, high: 3}}": "low is True, which is no number",
    "{surrogate.slope: {low: 1, high: .inf}}": "high is inf, which is no end",
    "{surrogate.slope: {low: .nan, high: 1}}": "low is nan, which is no end",
    "{surrogate.slope: {low: 1, high: 3, lg: true}}": "space.surrogate.slope.lg: no such word; "
    "did you mean 'log'",
    "{surrogate.slope: {low: 1, choices: [1]}}": "space.surrogate.slope.low: no such word",
    "{surrogate.slope: {low: -1, high: 3}}": "space: surrogate.slope=-1 cannot be: "
    "surrogate.slope: -1 is not allowed; allowed: a number above 0",
    "{surrogate.slope: [1, 2, 1.0]}": "space.surrogate.slope: a value is given twice",
    "{model.hidden: [[8], [8]]}": "space.model.hidden: a value is given twice",
    "{surrogate.slop: [1]}": "space.surrogate.slop: no such option; did you mean 'slope'",
    "{surogate.slope: [1]}": "space.surogate.slope: no such option; did you mean 'surrogate'",
    "{surrogate.slope.x: [1]}": "space.surrogate.slope.x: no such option",
    "{'surrogate=atan': [1]}": "space.surrogate=atan: no such option",
    "{3: [1]}": "space.3: no such option",
    "{surrogate: [sigmoid, sigmoidd]}": "did you mean 'sigmoid'",
    "{surrogate: {low: 1, high: 3}}": "surrogate=1: no such option; allowed: atan",
    "{seed: [1, 2]}": "space.seed: not to be varied",
    "{logger.mode: [online]}": "space.logger.mode: not to be varied",
    "{hydra.run.dir: [x]}": "space.hydra.run.dir: not to be varied",
    "{data.batch_size: {low: 0, high: 8}}": "data.batch_size=0 cannot be",
    "{encoding.steps: {low: 1.5, high: 8}}": "encoding.steps=1.5 cannot be",
    "{engine: [native, nativ]}": "engine=nativ cannot be: engine: 'nativ' is not allowed",
    "{model.hidden: [[8], [0]]}": "model.hidden=[0] cannot be",
    "{sparse: [auto, perhaps]}": "sparse=perhaps cannot be",
    f"{{{KINDS}, surrogate.slope: [1]}}": "surrogate=none surrogate.slope=1 cannot be: "
    "surrogate.slope: no such option; allowed: nothing, this surrogate has no settings; a "
    "parameter for some values of another only says so: when: {surrogate: ...}",
    "{encoding.steps: {low: 5, high: 9}, surrogate.slope: {choices: [1], when: "
    "{encoding.steps: 55}}}": "when.encoding.steps: 55 is none of its values; allowed: 5 to 9",
    "{encoding.steps: {low: 5, high: 9}, surrogate.slope: {choices: [1], when: "
    "{encoding.steps: {not: 5}}}}": "a condition with not needs a list of values",
    "{encoding.steps: {choices: [5], when: {surrogate.slope: 1}}, surrogate.slope: {choices: [1], "
    "when: {encoding.steps: 5}}}": "space.encoding.steps.when: conditions that wait for each other",
}

CONDITIONS = {
    "sigmoid": "space.surrogate.slope.when: 'sigmoid' is not allowed; allowed: {surrogate: tri",
    "{surogate: none}": "when.surogate: no parameter of this space; did you mean 'surrogate'",
    "{surrogate: atan}": "when.surrogate: 'atan' is none of its values; allowed: sigmoid, none",
    "{surrogate: {a: 1}}": "is none of its values; allowed: sigmoid, none",
    "{surrogate: {not: atan}}": "a condition excludes 'atan', which is none of its values; allowed",
    "{surrogate: []}": "no values are left; allowed: sigmoid, none",
    "{surrogate: {not: [none, sigmoid]}}": "no values are left; allowed: sigmoid, none",
    "{surrogate.slope: 1}": "space.surrogate.slope.when: conditions that wait for each other",
}

POINTS = {
    "starting_points: 3": "starting_points: no list; allowed: a list of {parameter: value}",
    "starting_points: [3]": "starting_points[0]: 3 is not allowed; allowed: {parameter: value}",
    "starting_points: [{surrogate.slope: 2}, {surrogate.slope: 200}]": "starting_points[1]."
    "surrogate.slope: 200 is not in the space; allowed: 1 to 100",
    "starting_points: [{surrogate.slope: a}]": "'a' is not in the space",
    "starting_points: [{surrogate.slope: true}]": "True is not in the space",
    "starting_points: [{surrogate.slope: .nan}]": "nan is not in the space",
    "starting_points: [{surrogate.slop: 2}]": "starting_points[0].surrogate.slop: no parameter of "
    "this space; did you mean 'surrogate.slope'",
    "{space: {surrogate: [atan]}, starting_points: [{surrogate: sigmoid}]}": "'sigmoid' is not in "
    "the space; allowed: atan",
    f"{{space: {{{KINDS}, surrogate.slope: {{choices: [1], when: {{surrogate: sigmoid}}}}}}, "
    "starting_points: [{surrogate: none, surrogate.slope: 1}]}": "starting_points[0].surrogate."
    "slope: not there where surrogate is none; allowed: surrogate sigmoid",
    "{space: {surrogate.slope: [1, 2]}, sampler: grid, starting_points: [{surrogate.slope: 2}]}": (
        "starting_points: not with sampler: grid, which runs every point; allowed: none"
    ),
}

SAMPLERS = {
    "sampler: tpee": "sampler: 'tpee' is none; did you mean 'tpe'? allowed: tpe, gp",
    "sampler: null": "sampler: None is not allowed; allowed: tpe, gp",
    "sampler: {name: [tpe]}": "sampler: {'name': ['tpe']} is not allowed",
    "sampler: {name: tpe, n_ei_candidate: 3}": "did you mean 'n_ei_candidates'? allowed: seed, n_",
    "sampler: {name: tpe, gamma: 3}": "sampler.gamma: no such option; allowed: seed",
    "sampler: {name: tpe, n_startup_trials: a}": "sampler.n_startup_trials: 'a' is not allowed; "
    "allowed: a whole number of at least 0",
    "sampler: {name: tpe, seed: a}": "sampler.seed: 'a' is not allowed",
    "sampler: {name: tpe, group: true, multivariate: false}": "sampler: ``group`` option can only",
    "sampler: {name: gp, n_startup_trials: -1}": "sampler.n_startup_trials: -1 is not allowed",
    "sampler: {name: nsga2, population_size: 1}": "sampler.population_size: 1 is not allowed",
    "sampler: {name: nsga3, mutation_prob: 2}": "sampler.mutation_prob: 2 is not allowed",
    "sampler: {name: qmc, qmc_type: faure}": "sampler.qmc_type: 'faure' is not allowed; allowed: s",
    "sampler: {name: random, n: 3}": "sampler.n: no such option; allowed: seed",
    "sampler: grid": "space.surrogate.slope: a grid needs an end of values; allowed: a list of",
    "sampler: brute_force": "space.surrogate.slope: a grid needs an end of values",
    "sampler: cmaes": "sampler: cmaes needs two numbers that every trial has; allowed: tpe, gp",
    f"{{sampler: cmaes, objectives: {TWO}}}": "sampler: cmaes searches for one objective",
    "{sampler: cmaes, space: {surrogate: [atan, tanh], surrogate.slope: [1, 2]}}": "needs two num",
}

PRUNERS = {
    "pruner: medain": "pruner: 'medain' is none; did you mean 'median'? allowed: none, median",
    "pruner: 3": "pruner: 3 is not allowed",
    "pruner: {}": "pruner: {} is not allowed",
    "pruner: {name: none, n_warmup_steps: 3}": "pruner.n_warmup_steps: no such option",
    "pruner: {name: median, n_startup_trial: 3}": "did you mean 'n_startup_trials'",
    "pruner: {name: median, n_startup_trials: a}": "pruner.n_startup_trials: 'a' is not allowed",
    "pruner: {name: median, interval_steps: 0}": "pruner.interval_steps: 0 is not allowed",
    "pruner: percentile": "pruner.percentile: missing; allowed: a number at least 0 and at most",
    "pruner: {name: percentile, percentile: 200}": "pruner.percentile: 200 is not allowed",
    "pruner: threshold": "pruner: Either lower or upper must be specified; allowed: other values",
    "pruner: {name: threshold, lower: a}": "pruner.lower: 'a' is not allowed; allowed: a number",
    "pruner: {name: threshold, lower: 3, upper: 1}": "pruner: lower should be smaller than upper",
    "pruner: {name: hyperband, min_resource: 2}": "pruner.min_resource: 2 is more than a trial has;"
    " allowed: up to 1",
    "pruner: {name: hyperband, min_resource: auto}": "pruner.min_resource: 'auto' is not allowed",
    "pruner: {name: successive_halving, reduction_factor: 1}": "pruner.reduction_factor: 1 is not",
    "pruner: patient": "pruner.patience: missing; allowed: a whole number of at least 0",
    "pruner: {name: patient, patience: 1, pruner: medain}": "pruner.pruner: 'medain' is none",
    "pruner: {name: patient, patience: 1, pruner: wilcoxon}": "pruner.pruner: 'wilcoxon' is none",
    "pruner: {name: patient, patience: 1, pruner: {name: median, interval_steps: 0}}": "pruner."
    "pruner.interval_steps: 0 is not allowed",
    "pruner: wilcoxon": "pruner.on: seed needs several seeds; allowed: on: epoch, or seeds",
    "{pruner: {name: wilcoxon, on: epoch}, seeds: [0, 1]}": "pruner.on: wilcoxon compares seed by",
    "{pruner: {name: wilcoxon, p_threshold: 3}, seeds: [0, 1]}": "pruner.p_threshold: 3 is not",
    "pruner: {name: median, on: seed}": "pruner.on: seed needs several seeds",
    "pruner: {name: median, on: batch}": "pruner.on: 'batch' is not allowed; allowed: epoch, seed",
    "pruner: {name: median, direction: up}": "pruner.direction: 'up' is not allowed; allowed: max",
    "pruner: {name: median, metric: test/accuracy}": "pruner.metric: test/accuracy is of the test",
    "pruner: {name: median, metric: accuracy}": "pruner.metric: accuracy is nothing that a run",
    "pruner: {name: median, metric: [val/loss]}": "pruner.metric: ['val/loss'] is not allowed",
    "pruner: {name: median, metric: synops/effective_acs}": "pruner.direction: missing for synops/",
    "{pruner: median, objectives: {encoding.steps: minimize}}": "pruner.metric: encoding.steps is",
    f"{{pruner: median, objectives: {TWO}}}": "pruner: not with several objectives",
}

MISTAKES = [
    *KEYS.items(),
    *((f"space: {space}", line) for space, line in SPACES.items()),
    *(
        (f"space: {{{KINDS}, surrogate.slope: {{choices: [1], when: {when}}}}}", line)
        for when, line in CONDITIONS.items()
    ),
    *POINTS.items(),
    *SAMPLERS.items(),
    *PRUNERS.items(),
]


def refused(given: object) -> str:
    with pytest.raises(UserError) as error:
        try_out(make_spec(given))
    line = str(error.value)
    assert "\n" not in line
    assert "allowed: " in line
    return line


@pytest.mark.parametrize(("changes", "line"), MISTAKES, ids=[changes for changes, _ in MISTAKES])
def test_mistakes_are_said_in_one_line(changes, line):
    assert line in refused(node(changes))


@pytest.mark.parametrize("key", ["study", "space", "objectives"])
def test_keys_that_have_to_be_there(key):
    given = node()
    del given[key]
    assert refused(given) == f"{key}: missing; allowed: a spec with study, space, objectives"
