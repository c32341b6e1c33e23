"""The search space: what is drawn, counted out, tried out and written on the line."""

import json
import math
from itertools import product

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from specs import spec

from surrolab.composition import compose_run, override
from surrolab.sweep.space import Space
from surrolab.sweep.yaml_text import read_yaml

EVERYTHING = """
surrogate: [fast_sigmoid, triangle, none]
surrogate.slope: {low: 0.5, high: 100, log: true, when: {surrogate: {not: none}}}
surrogate.scale: {low: 0.1, high: 0.7, step: 0.2, when: {surrogate: triangle}}
optimizer.lr: {low: 1e-4, high: 1e-1}
data.batch_size: {low: 16, high: 256, log: true}
encoding.steps: {low: 4, high: 10, step: 3}
model.hidden: [[16], [8, 8]]
truncate_steps: {choices: [null, 2], when: {model.hidden: [[8, 8]]}}
checkpoint_steps: {choices: [2], when: {truncate_steps: null, surrogate: triangle}}
sparse: [auto, true, false]
"""


def space(text: str = EVERYTHING) -> Space:
    return Space(read_yaml(text))


@pytest.fixture
def drawn():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = space()
    return [found.suggest(study.ask()) for _ in range(300)]


def test_values_are_in_their_ranges(drawn):
    for values in drawn:
        assert 1e-4 <= values["optimizer.lr"] <= 1e-1
        assert 16 <= values["data.batch_size"] <= 256
        assert values["encoding.steps"] in (4, 7, 10)
        assert values["model.hidden"] in ("[16]", "[8, 8]")
        assert values["sparse"] in ("auto", True, False)
    for name in ("surrogate", "encoding.steps", "model.hidden", "sparse"):
        assert len({str(values[name]) for values in drawn}) == (2 if name == "model.hidden" else 3)
    # A logarithmic range is as often below its geometric mean as above.
    small = sum(values["data.batch_size"] < 64 for values in drawn)
    assert 120 < small < 180


def test_parameters_exist_where_their_conditions_hold(drawn):
    for values in drawn:
        kind, hidden = values["surrogate"], values["model.hidden"]
        assert ("surrogate.slope" in values) == (kind != "none")
        assert ("surrogate.scale" in values) == (kind == "triangle")
        assert ("truncate_steps" in values) == (hidden == "[8, 8]")
        # A parameter that is not there is not null.
        given_null = "truncate_steps" in values and values["truncate_steps"] is None
        assert ("checkpoint_steps" in values) == (given_null and kind == "triangle")


def test_what_a_trial_has_already_is_kept():
    study = optuna.create_study()
    trial = study.ask(fixed_distributions={"optimizer.lr": space().parameters[3].distribution})
    assert space().suggest(trial)["optimizer.lr"] == trial.params["optimizer.lr"]
    assert space().suggest(trial) == trial.params


def test_conditions_come_after_what_they_depend_on():
    found = space(
        "surrogate.scale: {low: 1, high: 2, when: {surrogate.slope: 1}}\n"
        "surrogate.slope: {choices: [1, 2], when: {surrogate: atan}}\n"
        "surrogate: [atan, none]\n"
    )
    assert [p.name for p in found.parameters] == ["surrogate", "surrogate.slope", "surrogate.scale"]


def test_a_grid_is_every_combination_in_order():
    found = space(
        "surrogate: [atan, none, triangle]\n"
        "surrogate.slope: {low: 0.1, high: 0.3, step: 0.1, when: {surrogate: {not: none}}}\n"
        "encoding.steps: {low: 2, high: 4}\n"
        "model.hidden: {choices: [[8], [4, 4]], when: {surrogate: atan}}\n"
    )
    steps, slopes = (2, 3, 4), (0.1, 0.2, 0.3)
    expected = [
        *(("atan", *rest) for rest in product(slopes, steps, ("[8]", "[4, 4]"))),
        *(("none", step) for step in steps),
        *(("triangle", *rest) for rest in product(slopes, steps)),
    ]
    assert [tuple(point.values()) for point in found.grid()] == expected
    assert list(found.grid()[0]) == [
        "surrogate",
        "surrogate.slope",
        "encoding.steps",
        *("model.hidden",),
    ]


@settings(deadline=None)
@given(low=st.integers(-1000, 1000), step=st.integers(1, 400), count=st.integers(1, 60))
def test_steps_of_a_grid_are_values_that_optuna_takes(low, step, count):
    low, step = low / 1000, step / 1000
    entry = {"low": low, "high": low + count * step, "step": step}
    (parameter,) = Space({"optimizer.weight_decay": entry}).parameters
    points = parameter.points()
    assert len(points) in (count, count + 1)  # the high end is rounded to the step
    for number, point in enumerate(points):
        assert point == float(f"{low + number * step:.9g}") or math.isclose(
            point, low + number * step
        )
        study = optuna.create_study()
        study.enqueue_trial({parameter.name: point})
        assert parameter.suggest(study.ask()) == point


def test_samples_show_every_category_and_both_ends():
    found = space()
    samples = list(found.samples())
    for parameter in found.parameters:
        shown = [values[parameter.name] for values in samples if parameter.name in values]
        assert set(parameter.ends()) <= set(shown)
    for values in samples:
        assert set(values) == {p.name for p in found.parameters if p.exists(values)}


def test_points_have_the_type_of_their_parameter():
    found = space()
    point = {"optimizer.lr": 0.1, "model.hidden": [8, 8], "surrogate.slope": 25, "sparse": False}
    checked = found.check(point, "x")
    assert json.dumps(checked) == json.dumps(
        point | {"model.hidden": "[8, 8]"} | {"surrogate.slope": 25.0}
    )
    assert found.check({"encoding.steps": 7.0}, "x") == {"encoding.steps": 7}
    assert isinstance(found.check({"encoding.steps": 7.0}, "x")["encoding.steps"], int)


# Values that only come through Hydra's grammar in the right quotes.
WORDS = {
    "surrogate.derivative": [
        *("1/(1+abs(x))^2", "exp(-x*x)", "max(0, 1-abs(x))", "where(abs(x)<1, 1, 0.1)"),
    ],
    "data.root": ["a b", "it's", "a,b", "[x", "{a: b}", "null", "1e-3", "end\\", "\\'", "~"],
    "model.hidden": ["[100]", "[50, 50]", "[]"],
    "truncate_steps": [None, 5],
    "sparse": [True, False, "auto"],
}


@pytest.mark.parametrize("name", WORDS)
def test_words_of_categories_come_back_as_they_are(name):
    (parameter,) = Space({name: WORDS[name]}).parameters
    base = ["surrogate=formula"] if "derivative" in name else []
    group, _, key = name.partition(".")
    for value in WORDS[name]:
        config = compose_run([*base, parameter.override(value)], "x").config
        found = config[group][key] if key else config[group]
        expected = value
        if name == "model.hidden":
            expected = json.loads(value)
        assert found == expected
        assert type(found) is type(expected)


def test_mappings_are_categories_too():
    choices = [{"hidden1": "triangle"}, {"hidden1": {"option": "atan", "slope": 3}}, None]
    (parameter,) = Space({"layer_surrogates": choices}).parameters
    words = [parameter.override(value) for value in parameter.points()]
    found = [compose_run([word], "x").config["layer_surrogates"] for word in words]
    assert [layers["hidden1"]["option"] for layers in found[:2]] == ["triangle", "atan"]
    assert found[1]["hidden1"]["slope"] == 3
    assert found[2] == {}


numbers = st.floats(min_value=1e-300, max_value=1e300, allow_nan=False)


@settings(deadline=None, max_examples=10)
@given(slope=numbers, leak=numbers, seed=st.integers(0, 2**62))
def test_numbers_come_back_to_the_last_digit(slope, leak, seed):
    words = [override("surrogate.slope", slope), override("optimizer.weight_decay", leak)]
    config = compose_run([*words, override("seed", seed)], "x").config
    assert config["surrogate"]["slope"] == slope
    assert config["optimizer"]["weight_decay"] == leak
    assert config["seed"] == seed


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n")),
    st.text("ab1e-+.,'\"\\ []{}()$:=#~nulltrue"),
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(values, st.lists(values), st.dictionaries(st.sampled_from("abc"), values)))
def test_any_value_comes_through_the_grammar(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_override(override("a.b", value))
    assert not parsed.is_sweep_override()
    assert parsed.value() == value
    assert type(parsed.value()) is type(value)


def test_a_parameter_takes_the_place_of_the_base():
    from surrolab.sweep.spec import trial_words

    found = spec(base=["surrogate=atan", "surrogate.slope=3", "++trainer.devices=1"])
    words = trial_words(found, {"surrogate.slope": 7.0}, 2)
    assert words == [
        *("threads=1", "surrogate=atan", "++trainer.devices=1", "surrogate.slope=7.0", "seed=2"),
    ]
