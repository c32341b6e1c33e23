"""Training with a formula, as users type it."""

import pytest
import torch


def weights_after(here, *words):
    status, _, errors = here(
        "data=digits", "trainer.max_epochs=2", "trainer.accelerator=cpu", *words
    )
    assert status == 0, errors
    return here.run.weights


def test_training_is_that_of_the_same_surrogate_built_in(here, tmp_path):
    same = ("surrogate.slope=1", f"hydra.run.dir={tmp_path}/one")
    assert here("data=digits", "trainer.max_epochs=2", "surrogate=fast_sigmoid", *same)[0] == 0
    weights = weights_after(here, "surrogate=formula", 'surrogate.derivative="1/(1+abs(x))**2"')
    path = tmp_path / "one" / "checkpoints" / "last.ckpt"
    expected = torch.load(path, weights_only=True)["state_dict"]
    assert {name for name in weights if "weight" in name}
    assert set(weights) == set(expected)
    for name, value in weights.items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x.__class__", "cannot be read at character 2, '.'"),
        ("sech(x)", "cannot be read at character 1, 'sech'"),
        ("1/x", "is inf at x = 0"),
    ],
)
def test_a_wrong_formula_ends_in_one_line(here, text, what):
    status, _, errors = here("surrogate=formula", f'surrogate.derivative="{text}"')
    assert status == 2
    (line,) = errors.strip().splitlines()
    assert line.startswith(f"surrolab: surrogate.derivative: '{text}' {what}")
    assert "; allowed: " in line


def test_a_wrong_formula_of_one_layer_names_the_layer(here):
    own = "layer_surrogates={hidden1: {option: formula, derivative: 'x+'}}"
    status, _, errors = here(own)
    assert status == 2
    (line,) = errors.strip().splitlines()
    assert line.startswith("surrolab: layer_surrogates.hidden1.derivative: 'x+' ends too early")
