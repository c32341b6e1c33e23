"""Changes that a study cannot take: one line, and the study is what it was."""

import pytest
import yaml
from specs import QUICK, Command, node
from study_bench import log_slope, opened

from surrolab.errors import UserError

BASE = {
    **log_slope(1, 100),
    "surrogate": ["atan", "sigmoid"],
    "encoding.steps": {"low": 5, "high": 9},
}
REFUSED = {
    "objectives: {val/loss: minimize}": "objectives: the trials of study widths have {'val/accu",
    "objectives: {val/accuracy: minimize}": "objectives: the trials of study widths have {'val/acc",
    "objectives: {val/accuracy: maximize, val/loss: minimize}": "objectives: the trials of study",
    "seeds: [1]": "seeds: the trials of study widths have [0]",
    "seeds: [0, 1]": "seeds: the trials of study widths have [0]",
    "pruner: {name: median, metric: val/loss}": "pruner.metric: the trials of study widths have "
    "reported ('val/accuracy', 'maximize'); allowed: the same, pruner=none",
    "pruner: {name: median, direction: minimize}": "pruner.metric: the trials of study widths",
    "base: [trainer.max_epochs=2]": "trainer.max_epochs: 2 now and 1 for the trials of study",
    "base: [data=randman]": "data._target_: surrolab.data",
    "base: [data.split_seed=3]": "data.split_seed: 3 now and 0",
    "base: ['model.hidden=[8]']": "model.hidden: [8] now and [16]",
    "base: [neuron.reset=zero]": "neuron.reset: zero now and subtract",
    "base: ['layer_surrogates={hidden1: triangle}']": "layer_surrogates: ",
    "space: {surrogate: [atan]}": "space.surrogate: sigmoid is gone; values can be added",
    "space: {surrogate: {low: 1, high: 2}}": "space.surrogate: another kind of values than the",
    "space: {encoding.steps: [5, 6]}": "space.encoding.steps: another kind of values than the "
    "study's trials have (5 to 9)",
    "space: {surrogate.slope: {low: 1, high: 100}}": "space.surrogate.slope.log: the study's",
    "space: {surrogate.slope: null}": "space.surrogate.slope: gone, though the trials of study",
    "space: {surrogate: [atan, sigmoid, sigmoidd]}": "did you mean 'sigmoid'",
    "space: {encoding.steps: {low: 0, high: 9}}": "encoding.steps=0 cannot be",
    "space: {surrogate: [atan, sigmoid, none]}": "surrogate=none",
}


def changed(words: str) -> dict:
    """The refused spec: ``base`` and ``space`` are added to what is there, null takes away."""
    given = node(words, pruner=node(words).get("pruner", "median"))
    if words.startswith("base"):
        given["base"] = [*QUICK, *given["base"]]
    space = BASE | (given["space"] if words.startswith("space") else {})
    given["space"] = {name: entry for name, entry in space.items() if entry is not None}
    return given if "{val/accuracy: maximize, " not in words else given | {"pruner": "none"}


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """A study with three trials that no test changes."""
    with opened(tmp_path_factory.mktemp("settled")) as bench:
        bench.run("pruner: median", space=BASE)
        yield bench


@pytest.mark.parametrize("words", REFUSED)
def test_refused_changes_leave_the_study_as_it_was(settled, words):
    before = settled.dump()
    with pytest.raises(UserError) as error:
        settled.prepare(**changed(words))
    line = str(error.value)
    assert REFUSED[words] in line
    assert "allowed: " in line
    assert "\n" not in line
    assert settled.dump() == before


def test_the_command_refuses_as_well(settled, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "widths.yaml").write_text(yaml.safe_dump(changed("seeds: [1]")))
    before = settled.dump()
    said = Command(tmp_path, capsys).refused(
        "widths.yaml", f"storage=sqlite:///{settled.path}/study.db"
    )
    assert "seeds: the trials of study widths have [0]" in said
    assert settled.dump() == before
