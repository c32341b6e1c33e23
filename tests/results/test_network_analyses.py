"""Analyses of trained networks, on records whose outcome is known beforehand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from matplotlib.figure import Figure

from surrolab.results.analyses import (
    rossbroich2022,
    snntorch_tutorial5,
    stork_randman,
    yinyang,
    zenke2021_activity,
)
from surrolab.results.claims import Claim
from surrolab.results.comparison import above, reaches
from surrolab.results.records import Record, Records


def runs(
    study: str,
    values: dict[str, Any],
    test: Sequence[float],
    val: float = 0.5,
    **rates: float,
) -> list[Record]:
    """A run for each test accuracy, with the seeds in order."""
    metrics = {f"spikes/{layer}/rate": rate for layer, rate in rates.items()}
    return [
        Record(
            study,
            values,
            seed,
            "completed",
            None,
            {"test/accuracy": accuracy, "val/accuracy": val, **metrics},
            10.0,
            "c0ffee",
            "",
        )
        for seed, accuracy in enumerate(test)
    ]


def by_word(claims: Sequence[Claim], *words: str) -> Claim:
    """The one claim that says all of these words."""
    (found,) = [claim for claim in claims if all(word in claim.what for word in words)]
    return found


def by_depth(kaiming: float, ours: float) -> Records:
    """Records of depth 1 and 8; at the other learning rate the test figure would be higher."""
    found: list[Record] = []
    for init, deep in (("kaiming_normal", kaiming), ("fluctuation_driven", ours)):
        for depth, accuracy in ((1, 0.95), (8, deep)):
            for lr, val in ((0.002, 0.1), (0.01, 0.9)):
                values = {"model.hidden": [64] * depth, "model.init": init, "optimizer.lr": lr}
                shift = 0.0 if lr == 0.01 else 0.04
                test = [accuracy + shift + noise for noise in (-0.01, 0.0, 0.01)]
                rate = {f"hidden{depth}": 0.0 if accuracy < 0.5 else 0.1}
                found += runs("depth", values, test, val, **rate)
    return Records(found)


def test_a_deep_network_that_only_our_weights_train_is_what_was_published() -> None:
    claims = rossbroich2022.claims(by_depth(kaiming=0.1, ours=0.93))
    ours = by_word(claims, "`fluctuation_driven`")
    assert (ours.published, ours.holds) == ("trains", True)
    assert ours.ours == pytest.approx([0.92, 0.93, 0.94])  # chosen on validation, not on test
    assert by_word(claims, "`kaiming_normal`").holds is True
    gap = by_word(claims, "less Kaiming")
    assert gap.ours == pytest.approx([0.83] * 3)
    assert gap.holds is True
    assert by_word(claims, "lost from the shallowest").ours == pytest.approx([0.02] * 3)
    text = rossbroich2022.findings(by_depth(kaiming=0.1, ours=0.93))
    assert "those that train have 1" in text
    assert "83.0 points above Kaiming's" in text


def test_where_both_weights_train_nothing_is_claimed_to_have_come_out() -> None:
    records = by_depth(kaiming=0.94, ours=0.93)
    claims = rossbroich2022.claims(records)
    assert by_word(claims, "`kaiming_normal`").holds is False
    assert by_word(claims, "less Kaiming").holds is False
    assert "do not tell from 0" in rossbroich2022.findings(records)


def bounded(sparsest: float) -> Records:
    """Records of no bound, one that costs nothing and one at the limit."""
    settings = ((0, 0.99, 0.015, 0.985), (1000, 0.99, 0.005, 0.985), (1e6, sparsest, 0.001, 0.7))
    found: list[Record] = []
    for strength, test, rate, val in settings:
        for seed, noise in enumerate((-0.002, 0.0, 0.002)):
            values = {"objective.upper_strength": strength}
            (run,) = runs("upper_bound", values, [test + noise], val + noise, hidden1=rate)
            found.append(Record(**{**vars(run), "seed": seed}))
    return Records(found)


def test_the_sparsest_network_of_unchanged_accuracy_is_found_on_validation() -> None:
    claims = zenke2021_activity.claims(bounded(sparsest=0.8))
    name = "sparsest network of unchanged accuracy (strength 1000)"
    assert by_word(claims, name, "accuracy lost").ours == pytest.approx([0.0] * 3)
    assert by_word(claims, name, "accuracy lost").holds is True
    assert by_word(claims, name, "fewer spikes").ours == pytest.approx([3.0] * 3)
    # 0.015 spikes per neuron and step of 100 neurons in 100 steps
    assert by_word(claims, "no upper bound: spikes").ours == pytest.approx([150.0] * 3)
    assert by_word(claims, "(10.0 spikes per sample)").holds is True
    assert "loses 19.0 points: there is a limit" in zenke2021_activity.findings(bounded(0.8))


def test_a_limit_that_was_not_reached_is_said_so() -> None:
    records = bounded(sparsest=0.99)
    assert by_word(zenke2021_activity.claims(records), "(10.0 spikes").holds is False
    assert "the limit was not reached" in zenke2021_activity.findings(records)


@pytest.mark.parametrize(
    ("test", "holds", "says"),
    [
        ([0.97, 0.971, 0.972], True, "is reached"),
        ([0.95, 0.96, 0.965], True, "lies in the 95 % interval"),
        ([0.95, 0.951, 0.952], False, "is not reached"),
    ],
)
def test_storks_figure_comes_out_where_it_lies_in_the_interval_or_below(
    test: list[float], holds: bool, says: str
) -> None:
    records = Records(runs("shallow", {"optimizer.lr": 0.005}, test, hidden1=0.02))
    accuracy, spikes = stork_randman.claims(records)
    assert (accuracy.published, accuracy.holds) == (0.963, holds)
    assert spikes.ours == pytest.approx([2.0] * 3)
    text = stork_randman.findings(records)
    assert says in text
    assert "(10.0 Hz)" in text  # 0.02 spikes per step of 2 ms


def points(small: float, frozen: float) -> Records:
    """Records of Yin-Yang."""
    found: list[Record] = []
    for surrogate, shift in (("atan", 0.0), ("sigmoid", 0.01)):
        values = {"surrogate": surrogate, "optimizer.lr": 0.01}
        test = [small + shift + noise for noise in (-0.01, 0.0, 0.01)]
        found += runs("small", values, test, val=0.9 + shift)
    found += runs("large", {"optimizer.lr": 0.01}, [0.99, 0.991, 0.992])
    for hidden in (30, 256):
        values = {"model.hidden": [hidden], "optimizer.lr": 0.01}
        found += runs("true_gradient", values, [frozen, frozen + 0.02, frozen - 0.02])
    return Records(found)


def test_a_spiking_network_is_held_against_the_ann_and_its_own_control() -> None:
    claims = yinyang.claims(points(small=0.97, frozen=0.8))
    assert by_word(claims, "30 neurons, sigmoid").published == 0.976
    assert by_word(claims, "30 neurons, sigmoid").holds is True
    assert by_word(claims, "256 neurons, sigmoid").holds is True
    gain = by_word(claims, "what learning in the hidden layer adds")
    assert gain.ours == pytest.approx([0.17, 0.16, 0.21])
    assert gain.holds is True
    assert "more than a network without" in yinyang.findings(points(0.97, 0.8))


def test_a_hidden_layer_that_adds_nothing_is_said_so() -> None:
    records = points(small=0.6, frozen=0.61)
    assert by_word(yinyang.claims(records), "what learning").holds is False
    assert by_word(yinyang.claims(records), "30 neurons, sigmoid").holds is False
    assert "no more than a network without" in yinyang.findings(records)


def digits(mnist: bool) -> Records:
    """Records of the tutorial, with MNIST's own or without."""
    found = runs("library", {"gradient_steps": 468}, [0.93, 0.94, 0.95])
    for study in ("mnist5k", "mnist") if mnist else ("mnist5k",):
        for objective, test in (("ce_step", [0.90, 0.91, 0.92]), ("ce_rate", [0.93, 0.94, 0.95])):
            found += runs(study, {"objective": objective}, test)
    return Records(found)


def test_five_thousand_digits_are_not_held_against_mnist() -> None:
    claims = snntorch_tutorial5.claims(digits(mnist=False))
    assert {claim.holds for claim in claims} == {None}
    assert not any(isinstance(claim.published, float) for claim in claims)
    text = snntorch_tutorial5.findings(digits(mnist=False))
    assert "seen 17.1 times" in text
    assert "do not differ beyond their seeds" in text
    assert "MNIST's own files were not at hand" in text


def test_with_its_files_mnist_is_held_against_the_tutorial() -> None:
    claims = snntorch_tutorial5.claims(digits(mnist=True))
    on_mnist = [claim for claim in claims if claim.published == 0.9387]
    assert [claim.holds for claim in on_mnist] == [False, True]
    assert "94.00% after an epoch" in snntorch_tutorial5.findings(digits(mnist=True))


@pytest.mark.parametrize(
    ("analysis", "records", "axes"),
    [
        (rossbroich2022, by_depth(0.1, 0.9), 2),
        (zenke2021_activity, bounded(0.8), 2),
        (
            stork_randman,
            Records(runs("shallow", {"optimizer.lr": 0.005}, [0.9, 0.95], hidden1=0.02)),
            1,
        ),
        (yinyang, points(0.97, 0.8), 1),
        (snntorch_tutorial5, digits(True), 1),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_figures_have_a_curve_or_column_for_everything(
    analysis: Any, records: Records, axes: int
) -> None:
    figure: Callable[[Records], Figure] = analysis.figure
    drawn = figure(records)
    assert len(drawn.axes) == axes
    assert all(axis.lines for axis in drawn.axes)
    drawn.canvas.draw()


def test_a_single_seed_has_no_interval_and_is_judged_by_its_value() -> None:
    assert reaches([0.97], 0.963)
    assert not reaches([0.96], 0.963)
    assert above([0.01])
    assert not above([-0.01])
    assert not above([0.1, -0.09, 0.02])
