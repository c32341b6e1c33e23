"""Silent at first: what cannot learn is called out at once with what helps, what can is left alone.

The case of a silent initialisation of the smooth random manifolds of Zenke & Vogels 2021
(doi:10.1162/neco_a_01367): a triangle of slope 10 reaches no membrane, SuperSpike of the same slope
reaches all.
"""

import json
import math
import re

import pytest

SILENT = ("experiment=randman_zenke2021", "surrogate=triangle", "surrogate.slope=10")
HEAVY = ("experiment=randman_zenke2021",)
DEAD = "before the first step: the gradient of hidden1 is exactly zero"
FEW = (
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
)
TINY = ("trainer.max_epochs=1", "data.samples_per_class=50")


def kinds(result):
    return {(finding["layer"], finding["kind"]) for finding in result["findings"]}


def remedies(line):
    """The options with their values that a line says to try."""
    return re.findall(r"try ((?:surrogate\.slope|model\.init_gain)=[0-9.e+-]+)(?=[ ,])", line)


def test_a_silent_layer_that_cannot_learn_is_called_out_before_the_first_epoch(here):
    status, out, _ = here(*SILENT, *FEW, *TINY)
    assert status == 0
    assert DEAD in out
    assert out.index(DEAD) < out.index("epoch 1/")
    (line,) = [line for line in out.splitlines() if line.startswith(DEAD)]
    assert [remedy.split("=")[0] for remedy in remedies(line)] == [
        "surrogate.slope",
        "model.init_gain",
    ]
    # Once, though it is still there after the epoch; the readout only has no input.
    log = (here.directory / "run" / "train.log").read_text()
    assert log.count("the gradient of hidden1 is exactly zero") == 1
    found = here.run.result["findings"]
    assert {("hidden1", "silent"), ("hidden1", "no_gradient")} <= kinds(here.run.result)
    assert {finding["layer"] for finding in found} == {"hidden1"}
    assert all(said["message"] in out for said in found)


def test_a_silent_layer_that_can_learn_is_not_called_dead(here):
    status, out, _ = here(*HEAVY, *FEW, *TINY)
    assert status == 0
    assert "before the first step" not in out
    assert not {"no_gradient", "underflow"} & {kind for _, kind in kinds(here.run.result)}
    assert "exactly zero" not in out
    assert "no gradient" not in out


@pytest.mark.slow
def test_the_remedies_applied_as_printed_make_the_network_train(program):
    silent = program.run("silent", *SILENT, "trainer.max_epochs=2")
    assert silent.result["metrics"]["test/accuracy"] == pytest.approx(0.1, abs=0.01)
    (line,) = [line for line in silent.process.stdout.splitlines() if line.startswith(DEAD)]
    printed = remedies(line)
    assert len(printed) == 2
    for i, remedy in enumerate(printed):
        run = program.run(f"mended{i}", *SILENT, remedy, "trainer.max_epochs=3")
        assert run.result["metrics"]["val/accuracy"] > 0.4, remedy
        assert float(run.rows[-1]["val/accuracy"]) > 0.4
        assert ("hidden1", "no_gradient") not in kinds(run.result)


@pytest.mark.slow
def test_a_heavy_tail_learns_from_the_same_start_and_nothing_is_said_against_it(program):
    run = program.run("heavy", *HEAVY, timeout=600)
    assert run.result["metrics"]["test/accuracy"] > 0.98
    assert run.result["findings"] == []
    (start,) = [run.path / "records" / "diagnostics-epoch0000.npz"]
    assert start.exists()


def test_findings_go_on_where_a_run_goes_on(here):
    """The message is that of the first time, the numbers of the start are not lost."""
    words = [*SILENT, *FEW, "data.samples_per_class=50", "callbacks.progress=false"]
    status, _, _ = here(*words, "trainer.max_epochs=1")
    assert status == 0
    before = {(f["layer"], f["kind"]): f for f in here.run.result["findings"]}
    from surrolab.cli import train

    with pytest.raises(SystemExit) as end:
        train([f"resume={here.directory}/run", "trainer.max_epochs=3"])
    assert not end.value.code
    after = {(f["layer"], f["kind"]): f for f in here.run.result["findings"]}
    assert before.keys() == after.keys()
    for key, finding in before.items():
        assert after[key] == {**finding, "last_epoch": 2}
    assert "model.init_gain=" in after["hidden1", "no_gradient"]["message"]
    log = (here.directory / "run" / "train.log").read_text()
    assert log.count("the gradient of hidden1 is exactly zero") == 1


@pytest.mark.parametrize(
    ("words", "kind", "option"),
    [
        (
            ("model=recurrent", "model.init_gain=8", "encoding.steps=50"),
            "exploding",
            r"surrogate\.scale=0\.\d+, or trainer\.gradient_clip_val=1",
        ),
        (
            ("model.hidden=[20,20,20,20]", "surrogate.scale=1e-4"),
            "vanishing",
            r"surrogate\.scale=0\.\d+, which makes the factor 1",
        ),
    ],
)
def test_growth_is_told_at_the_end_of_an_epoch_that_was_looked_at(here, words, kind, option):
    status, out, _ = here(
        *("model.hidden=[30]", *words, "trainer.max_epochs=2", "optimizer.lr=1e-6"),
        *("trainer.limit_train_batches=2", "diagnostics.every_epochs=1"),
    )
    assert status == 0
    (finding,) = [f for f in here.run.result["findings"] if f["kind"] == kind]
    assert (finding["layer"], finding["first_epoch"], finding["last_epoch"]) == ("hidden1", 0, 1)
    assert re.search(option, finding["message"])
    log = (here.directory / "run" / "train.log").read_text()
    assert log.count(finding["message"]) == 1
    assert f"epoch 1: {finding['message']}" in out


def test_without_diagnostics_remedies_have_no_numbers(here):
    status, out, _ = here(*SILENT, *FEW, *TINY, "diagnostics=none")
    assert status == 0
    assert ("hidden1", "no_gradient") in kinds(here.run.result)
    assert "before the first step" not in out
    assert remedies(out) == []
    records = here.directory / "run" / "records"
    assert [file.name for file in records.iterdir()] == ["split.npz"]
    assert "exactly zero" in json.dumps(here.run.result["findings"])


def test_full_diagnostics_say_which_way_the_gradient_points(here):
    status, _, _ = here(
        *("diagnostics=full", "diagnostics.samples=4", "diagnostics.alignment_draws=32"),
        *(
            "diagnostics.alignment_loop=true",
            "model.hidden=[20,16]",
            "encoding.steps=12",
            "trainer.max_epochs=1",
            *FEW,
        ),
    )
    assert status == 0
    (row,) = [row for row in here.run.rows if row["epoch"]]
    for layer in ("hidden1", "hidden2", "readout"):
        for reference in ("smoothed_fixed", "smoothed_matched"):
            assert -1 <= float(row[f"alignment/{layer}/{reference}_cosine"]) <= 1
        assert 0 <= float(row[f"alignment/{layer}/smoothed_fixed_signs"]) <= 1
        assert float(row[f"alignment/{layer}/smoothed_fixed_norm_ratio"]) > 0
    # A few draws may not be enough for a cosine.
    assert float(row["alignment/readout/escape_fixed_norm_ratio"]) > 0


@pytest.mark.slow
def test_the_closed_loop_is_walked_while_training_where_asked_for(here):
    status, _, _ = here(
        *("diagnostics=full", "diagnostics.samples=4", "diagnostics.alignment_draws=0"),
        *("diagnostics.alignment_loop=true", "model.hidden=[20]", "encoding.steps=8"),
        *("trainer.max_epochs=1", *FEW),
    )
    assert status == 0
    (row,) = [row for row in here.run.rows if row["epoch"]]
    assert float(row["alignment/loop_error"]) > 0
    assert math.isfinite(float(row["alignment/loop_integral"]))
    assert not any(name.startswith("alignment/hidden1/escape") for name in row)
