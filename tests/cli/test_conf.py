"""conf/, the schema, and the parameters of what is built, held against each other."""

import importlib
import inspect
import itertools

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.data.events.binning import POLARITIES, STARTS
from surrolab.data.events.module import COUNTS
from surrolab.data.events.own import BACKWARDS
from surrolab.data.formats.npy_events import UNITS_US
from surrolab.data.tokens import TOKENS
from surrolab.errors import UserError
from surrolab.models.initialization import INITS
from surrolab.models.normalization import NORMS
from surrolab.neurons.layer import ENGINES as LAYER_ENGINES
from surrolab.neurons.layer import INPUT_SCALES
from surrolab.schema import CONF, GROUPS, OPTIONAL_GROUPS, TOP, options, validate
from surrolab.schema.groups import ENGINES
from surrolab.surrogates.schedules import PER, UNITS

ALL = [(group, name) for group in GROUPS for name in options(group)]
EXTRA = [(group, path.stem) for group in OPTIONAL_GROUPS for path in (CONF / group).glob("*.yaml")]


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*overrides, "name=test"])
    return OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize(("group", "name"), ALL)
def test_keys_of_every_file_are_the_parameters_of_what_it_builds(group, name):
    node = options(group)[name]
    module, _, attribute = node["_target_"].rpartition(".")
    target = getattr(importlib.import_module(module), attribute)
    keys = [key for key in node if key != "_target_"]
    parameters = inspect.signature(target).parameters
    if group == "trainer":
        # Lightning's Trainer has more; the rest is the program's own to set.
        assert set(keys) <= set(parameters)
    else:
        assert set(keys) == set(parameters)


@pytest.mark.parametrize(("group", "name"), ALL)
def test_every_key_is_in_the_schema_and_every_default_is_valid(group, name):
    for key, value in options(group)[name].items():
        if key != "_target_":
            GROUPS[group][key].convert(value)


def test_every_key_of_the_schema_is_used():
    for group, table in GROUPS.items():
        used = set(itertools.chain.from_iterable(options(group).values()))
        assert set(table) == used - {"_target_"}


@pytest.mark.parametrize(("group", "name"), [*ALL, *EXTRA])
def test_every_option_composes_to_a_valid_configuration(group, name):
    config = validate(composed(f"{group}={name}"))
    assert set(config) == {*TOP, *GROUPS}


@pytest.mark.parametrize(("group", "name"), ALL)
def test_defaults_of_surrogates_and_neurons_are_those_of_the_classes(group, name):
    if group not in ("surrogate", "neuron"):
        return
    node = options(group)[name]
    module, _, attribute = node["_target_"].rpartition(".")
    target = getattr(importlib.import_module(module), attribute)
    for key, parameter in inspect.signature(target).parameters.items():
        assert node[key] == parameter.default


def test_words_that_stand_in_two_places_are_the_same():
    assert ENGINES == LAYER_ENGINES
    assert GROUPS["model"]["init"].allowed == ", ".join(INITS)
    assert GROUPS["model"]["norm"].allowed == ", ".join(NORMS)
    assert GROUPS["neuron"]["input_scale"].allowed == ", ".join(INPUT_SCALES)
    assert GROUPS["data"]["tokens"].allowed == ", ".join(TOKENS)
    assert GROUPS["data"]["polarity"].allowed == ", ".join(POLARITIES)
    assert GROUPS["data"]["counts"].allowed == ", ".join(COUNTS)
    assert GROUPS["data"]["unit"].allowed == ", ".join(UNITS_US)
    assert GROUPS["data"]["backwards"].allowed == ", ".join(BACKWARDS)
    assert GROUPS["data"]["start"].allowed == ", ".join(STARTS)
    assert GROUPS["slope"]["unit"].allowed == ", ".join(UNITS)
    assert GROUPS["slope"]["per"].allowed == ", ".join(PER)


@pytest.mark.parametrize("option", options("surrogate"))
def test_a_layer_may_have_any_surrogate_and_what_is_written_out_is_valid_again(option):
    config = validate(composed(f"layer_surrogates={{hidden2: {option}}}"))
    values = {key: value for key, value in options("surrogate")[option].items() if key[0] != "_"}
    assert config["layer_surrogates"] == {"hidden2": {"option": option, **values}}
    assert validate(config) == config


def test_a_layers_surrogate_takes_what_is_given_and_the_options_own_otherwise():
    words = "layer_surrogates={hidden2: {option: triangle, slope: 3}, hidden1: atan}"
    assert validate(composed(words))["layer_surrogates"] == {
        "hidden2": {"option": "triangle", "slope": 3.0, "scale": 1.0, "normalize": "native"},
        "hidden1": {"option": "atan", "slope": 2.0, "scale": 1.0, "normalize": "native"},
    }
    assert validate(composed())["layer_surrogates"] == {}
    assert validate(composed("layer_surrogates={}"))["layer_surrogates"] == {}


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("surrogate", "os.system"),
        ("surrogate", "torch.load"),
        ("data", "surrolab.surrogates.Sigmoid"),  # right for another group
        ("trainer", "subprocess.Popen"),
        ("model", "torch.hub.load"),
        ("callbacks", "surrolab.callbacks.factory.StandardCallbacks"),  # another way to a right one
    ],
)
def test_only_listed_targets_can_be_built(where, what):
    config = composed()
    config[where]["_target_"] = what
    with pytest.raises(UserError, match=f"{where}._target_: .*not on the list"):
        validate(config)
    from surrolab.run.build import build

    with pytest.raises(UserError, match="not on the list"):
        build(where, config[where])


def test_interpolations_from_a_run_directory_are_refused():
    config = composed()
    config["data"]["root"] = "${oc.env:HOME}"
    with pytest.raises(UserError, match=r"data\.root: .*not resolved"):
        validate(config)
