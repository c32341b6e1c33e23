"""Values that an experiment sets for an option which the command line has replaced by another."""

import pytest

from surrolab.composition import compose_run, without_leftovers
from surrolab.errors import UserError
from surrolab.run.directory import RunDirectory
from surrolab.schema import GROUPS, options
from surrolab.sweep.checks import try_out
from surrolab.sweep.reading import make_spec

EXPERIMENT = "experiment=randman_zenke2021"


def test_a_key_that_the_chosen_surrogate_has_not_is_left_out_and_said():
    composed = compose_run([EXPERIMENT, "surrogate=none"], "x")
    assert composed.config["surrogate"] == {"_target_": options("surrogate")["none"]["_target_"]}
    assert composed.notes == (
        f"left out of {EXPERIMENT}: surrogate.slope=10.0, which surrogate=none does not have",
    )
    assert compose_run([EXPERIMENT, "surrogate=none", "~surrogate.slope"], "x").notes == ()


def test_what_the_chosen_option_has_is_taken_over_as_before():
    composed = compose_run([EXPERIMENT, "surrogate=triangle"], "x")
    assert (composed.config["surrogate"]["slope"], composed.notes) == (10.0, ())


@pytest.mark.parametrize("name", options("experiment"))
def test_of_every_option_only_what_it_has_is_kept(name):
    set_by_it = options("experiment")[name]
    for group, option in [(one, option) for one in GROUPS for option in options(one)]:
        having, values = options(group)[option], set_by_it.get(group, {})
        words, choices = [f"{group}={option}"], {"experiment": name, group: option}
        kept, notes = without_leftovers({group: {**having, **values}}, words, choices)
        assert set(kept[group]) == set(having)
        assert kept[group].items() >= {k: v for k, v in values.items() if k in having}.items()
        foreign = set(values) - set(having)
        assert len(notes) == bool(foreign)
        assert all(
            f"{group}.{key}={values[key]}, which {group}={option}" in notes[0] for key in foreign
        )
        # Of the experiment's own choice nothing is left out: a fault in it has to show.
        assert without_leftovers({group: {**having, "x": 1}}, [], choices)[1] == []


def test_several_groups_make_one_note():
    notes = compose_run([EXPERIMENT, "surrogate=none", "neuron=leaky"], "x").notes
    assert notes == (
        f"left out of {EXPERIMENT}: surrogate.slope=10.0, which surrogate=none does not have; "
        "neuron.tau_syn=5.0, which neuron=leaky does not have",
    )


@pytest.mark.parametrize("typed", ["surrogate.slope=2", "++surrogate.slope=2"])
def test_what_the_user_types_is_refused_as_ever(typed):
    with pytest.raises(UserError, match=r"surrogate\.slope: no such option; .*no settings"):
        compose_run([EXPERIMENT, "surrogate=none", typed], "x")


def test_the_keys_that_a_typing_error_is_answered_with_are_the_options_own():
    with pytest.raises(UserError, match=r"allowed: scale, normalize$"):
        compose_run([EXPERIMENT, "surrogate=straight_through", "surrogate.slop=2"], "x")


def sweep(space):
    return make_spec(
        {
            "study": "x",
            "base": [EXPERIMENT, "logger=none"],
            "space": space,
            "objectives": {"val/accuracy": "maximize"},
            "sampler": "grid",
        }
    )


def test_a_space_may_hold_surrogates_without_the_experiments_slope():
    try_out(sweep({"surrogate": ["none", "fast_sigmoid"]}))
    with pytest.raises(UserError, match=r"surrogate\.slope: no such option.*when"):
        try_out(sweep({"surrogate": ["none", "fast_sigmoid"], "surrogate.slope": [1, 10]}))


def test_a_run_says_it_once_in_its_log(here):
    status, out, err = here(
        EXPERIMENT, "surrogate=none", "debug=smoke", "data.samples_per_class=50"
    )
    assert (status, err) == (0, "")
    note = "left out of experiment=randman_zenke2021: surrogate.slope=10.0"
    assert out.count(note) == 1
    directory = RunDirectory.existing(here.run.path)
    assert directory.log.read_text().count(note) == 1
    assert "slope" not in directory.read_config()["surrogate"]
