"""The best test figure over epochs: what it is, and that nothing else depends on it."""

import pytest
import torch

WORDS = (
    *("encoding=rate", "encoding.steps=10", "model.dropout=0.1", "trainer.limit_train_batches=5"),
    *("trainer.max_epochs=4", "objective=ce_mean"),
)
NAME = "test/accuracy_max_over_epochs"


def test_the_best_of_all_epochs_has_its_own_name_and_changes_nothing_else(program):
    plain = program.run("plain", *WORDS)
    tested = program.run("tested", *WORDS, "callbacks.test_every_epoch=true")
    for name, tensor in plain.weights.items():
        assert tensor.equal(tested.weights[name]), name
    by_epoch = [float(row.pop("test_by_epoch/accuracy")) for row in tested.rows if row["epoch"]]
    assert len(by_epoch) == 4
    metrics = tested.result["metrics"]
    assert metrics[NAME] == max(by_epoch)
    # The test at the end is that of the chosen epoch, with the same random numbers.
    assert metrics["test/accuracy"] == by_epoch[tested.result["best_epoch"]]
    assert NAME in tested.process.stdout
    assert NAME not in plain.result["metrics"]
    same = {name: value for name, value in metrics.items() if name != NAME}
    assert {k: v for k, v in same.items() if not k.startswith(("time/", "system/"))} == {
        k: v for k, v in plain.result["metrics"].items() if not k.startswith(("time/", "system/"))
    }


def test_a_resumed_run_knows_the_epochs_before(program):
    run = program.run("run", *WORDS, "callbacks.test_every_epoch=true", "trainer.max_epochs=2")
    last = run.path / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["callbacks"]["EpochTests"] == {"best": {NAME: run.result["metrics"][NAME]}}
    checkpoint["callbacks"]["EpochTests"]["best"][NAME] = 0.995  # as if an epoch had been so good
    torch.save(checkpoint, last)
    process = program(f"resume={run.path}", "trainer.max_epochs=3")
    assert process.returncode == 0, process.stderr
    assert len([row for row in run.rows if row["epoch"]]) == 3
    assert run.result["metrics"][NAME] == 0.995


def test_every_objective_may_have_it(program):
    run = program.run(
        "mse",
        *("objective=mse_step", "trainer.max_epochs=3", "callbacks.test_every_epoch=true"),
        *("trainer.limit_train_batches=3", "encoding.steps=5"),
    )
    losses = [float(row["test_by_epoch/loss"]) for row in run.rows if row["epoch"]]
    assert run.result["metrics"]["test/loss"] == pytest.approx(losses[run.result["best_epoch"]])
    assert "test/accuracy_max_over_epochs" in run.result["metrics"]
