"""Measurements: against draws, finite differences and recursions written for the purpose."""

import math

import numpy as np
import pytest
import torch

from surrolab.diagnostics.enumeration import (
    enumerated_loss,
    enumerated_surrogate_gradient,
    finite_differences,
)
from surrolab.results.analyses import gygax2025, perez_nieves2021
from surrolab.results.measurements import (
    backward_activity,
    backward_speed,
    gradient_signs,
    loop_integral,
)
from surrolab.results.records import Record, Records
from surrolab.results.small_networks import FIRST, small_network
from surrolab.results.trained_networks import build_network, first_batch, share_near_threshold
from surrolab.surrogates import Sigmoid

SIGNS = {"hidden": [2, 2], "steps": 3, "samples": 2, "reset": "subtract", "points": 3}
LOOP = {"hidden": [4, 3], "steps": 3, "samples": 2, "reset": "subtract", "radius": 0.2}
WORDS = ["data=digits", "encoding=rate", "encoding.steps=5", "surrogate.slope=100"]
SMALL = [*WORDS, "model.hidden=[9,8]", "model.init=fluctuation_driven", "logger=none"]


def test_the_mean_surrogate_gradient_is_that_of_many_draws() -> None:
    problem = small_network(1, [2, 2], steps=3, samples=2, features=2)
    noise, surrogate = Sigmoid(4.0), Sigmoid(2.0)
    exact = enumerated_surrogate_gradient(problem, surrogate, noise)
    generator = torch.Generator().manual_seed(0)

    def fire(x: torch.Tensor) -> torch.Tensor:
        p = torch.sigmoid(4 * x.detach())
        spk = (torch.rand(x.shape, generator=generator, dtype=x.dtype) < p).to(x.dtype)
        return spk + torch.sigmoid(2 * x) - torch.sigmoid(2 * x).detach()

    drawn = []
    for _ in range(30):
        with (many := problem.repeated(400)).firing({"hidden1": fire, "hidden2": fire}):
            drawn.append(many.gradient())
    for name, mean in exact.items():
        groups = torch.stack([one[name] for one in drawn])
        error = groups.std(0) / math.sqrt(len(groups))
        assert ((groups.mean(0) - mean).abs() <= 4.5 * error + 1e-12).all(), name


@pytest.mark.parametrize("reset", ["none", "subtract"])
def test_in_one_layer_without_reset_it_is_the_gradient_of_the_mean(reset: str) -> None:
    problem = small_network(0, [3], steps=3, samples=2, features=2, reset=reset)
    noise = Sigmoid(4.0)
    found = enumerated_surrogate_gradient(problem, noise, noise)[FIRST]
    true = finite_differences(problem, [FIRST], lambda at: enumerated_loss(at, noise))[FIRST]
    assert torch.allclose(found, true, atol=1e-8) == (reset == "none")


@pytest.mark.parametrize("forward", ["smooth", "escape_noise"])
def test_signs_along_a_weight(forward: str) -> None:
    given = {**SIGNS, "forward": forward, "forward_slope": 4.0, "reach": 1.0, "drawn": [0]}
    same = gradient_signs.measure(seed=0, slope=4.0, **given)
    other = gradient_signs.measure(seed=0, slope=25.0, **given)
    assert (same["difference"] < 1e-6) == (forward == "smooth")
    assert same["opposite"] == 0
    assert other["difference"] > 0.1
    assert len(same["true"]) == len(same["weight"]) == 3
    assert np.ptp(same["weight"]) == pytest.approx(2)
    assert "true" not in gradient_signs.measure(seed=1, slope=4.0, **given)


def test_the_true_gradient_vanishes_around_a_loop_and_another_does_not() -> None:
    given = {**LOOP, "seed": 0, "points": 12, "shifts": 4}
    same = loop_integral.measure(forward_slope=4.0, slope=4.0, **given)
    assert not same["beyond_error"]
    assert same["integral"] == same["control_integral"]
    other = loop_integral.measure(forward_slope=4.0, slope=1.0, **given)
    assert other["beyond_error"]
    assert not other["control_beyond_error"]
    hard = loop_integral.measure(forward_slope="hard", slope=1.0, **given)
    assert hard["integral"] != other["integral"]


@pytest.mark.parametrize(
    ("measure", "given"),
    [
        (gradient_signs.measure, {**SIGNS, "forward": "both"}),
        (loop_integral.measure, {**LOOP, "forward_slope": "soft", "points": 4, "shifts": 2}),
        (backward_activity.measure, {"words": [], "surrogate": "none", "epochs": 0, "cutoff": 1}),
    ],
)
def test_what_makes_no_sense_is_refused(measure, given) -> None:
    more = {"seed": 0, "slope": 1.0, "reach": 1.0, "drawn": [], "forward_slope": 1.0}
    if "words" in given:
        more = {"seed": 0}
    elif "shifts" in given:
        more = {"seed": 0, "slope": 1.0}
    with pytest.raises(ValueError, match=r"is not allowed; allowed: "):
        measure(**{**more, **given})


def test_the_share_near_the_threshold_is_that_of_a_recursion() -> None:
    parts = build_network(SMALL, 0)
    batch = first_batch(parts)
    torch.manual_seed(3)
    found = share_near_threshold(parts, batch, 0.2)
    torch.manual_seed(3)  # the encoding draws
    x_TBF, _ = parts.task.encoder(batch.x, batch.lengths, is_sequence=False)
    x_TBF = x_TBF.flatten(2).double().numpy()
    near, spk, mem = [], 0.0, 0.0
    synapse = parts.task.network.layers["hidden1"].synapse
    weight, bias = (p.detach().double().numpy() for p in (synapse.weight, synapse.bias))
    for x_BF in x_TBF:
        mem = 0.9 * mem + x_BF @ weight.T + bias - spk
        spk = (mem > 1).astype(float)
        near.append(np.abs(mem - 1) < 0.2)
    assert found["hidden1"] == pytest.approx(np.mean(near), abs=2e-4)
    assert 0 < found["hidden2"] < 1


@pytest.fixture(scope="module")
def perez() -> Records:
    words = {"words": SMALL, "epochs": 1}
    few = {"width": 8, "slope": 100.0, "cutoff": 0.2, "rounds": 2}
    activity = backward_activity.measure(
        seed=0, surrogate="sparse_fast_sigmoid", cutoff=0.2, **words
    )
    speed = backward_speed.measure(seed=0, **words | few)
    found = [
        _record("activity", {"cutoff": 0.2}, activity),
        _record("speed", {"width": 8}, speed),
    ]
    for name, accuracy in (("sparse_fast_sigmoid", 0.8), ("fast_sigmoid", 0.9)):
        metrics = {"test/accuracy": accuracy}
        found.append(_record("accuracy", {"surrogate": name}, metrics))
    return Records(found)


def _record(study, values, metrics) -> Record:
    return Record(study, values, 0, "completed", None, metrics, 1.0, "c0ffee", "")


def test_speed_and_activity_of_a_small_network(perez: Records) -> None:
    (activity,), (speed,) = perez.of("activity"), perez.of("speed")
    assert len(activity.metrics["active/hidden1"]) == 2
    assert 0 < activity.metrics["active/mean"] < 1
    assert all(v > 0 for name, v in speed.metrics.items() if name != "accuracy"), speed.metrics
    assert speed.metrics["ratio/saved"] == 1
    # A neuron-step with a derivative has a gradient by its current; so have those before it.
    assert speed.metrics["current/hidden2"] >= speed.metrics["active/hidden2"] / 2
    assert speed.metrics["backward"] < 1


def test_words_say_what_came_out(perez: Records) -> None:
    rows = {claim.what: claim for claim in perez_nieves2021.claims(perez)}
    assert rows["test accuracy, cut off less whole"].ours == pytest.approx([-0.1])
    assert rows["test accuracy, cut off less whole"].holds is False
    text = perez_nieves2021.findings(perez)
    assert "80.0% beside 90.0% (-10.0 points)" in text
    perez_nieves2021.figure(perez)


def test_claims_of_signs_and_loops() -> None:
    found = []
    for slope in (4.0, 25.0):
        given = {**SIGNS, "forward_slope": 4.0, "slope": slope, "reach": 1.0, "drawn": [0]}
        for forward in ("smooth", "escape_noise"):
            values = {"forward": forward, "forward_slope": 4.0, "slope": slope}
            metrics = gradient_signs.measure(seed=0, **{**given, "forward": forward})
            found.append(_record("signs", values, metrics))
        for reset in ("none", "subtract"):
            values = {"reset": reset, "forward_slope": 4.0, "slope": slope}
            given = {**given, "hidden": [3], "forward": "escape_noise", "reset": reset}
            found.append(_record("one_layer", values, gradient_signs.measure(seed=0, **given)))
        for forward_slope in (4.0, "hard"):
            values = {"forward_slope": forward_slope, "slope": slope}
            metrics = loop_integral.measure(seed=0, points=12, shifts=4, **LOOP, **values)
            found.append(_record("loops", values, metrics))
    records = Records(found)
    rows = {claim.what: claim for claim in gygax2025.claims(records)}
    exact = [claim for what, claim in rows.items() if "difference" in what]
    assert [claim.holds for claim in exact] == [True, True]
    assert rows["the same loops: share around which a true gradient does not vanish"].holds
    assert "of 1 loops in smooth networks" in gygax2025.findings(records)
    gygax2025.figure(records)
