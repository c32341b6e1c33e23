"""The best test figure over epochs: what it is, and that nothing else depends on it."""

import subprocess

import pytest
import torch
from conftest import Run

from surrolab.cli import train

WORDS = (
    *("encoding=rate", "encoding.steps=10", "model.dropout=0.1", "trainer.limit_train_batches=5"),
    *("trainer.max_epochs=4", "objective=ce_mean"),
)
NAME = "test/accuracy_max_over_epochs"


def go(*words):
    with pytest.raises(SystemExit) as end:
        train(list(words))
    assert not end.value.code


def trained(path, *words):
    go(f"hydra.run.dir={path}", "logger=none", *words)
    return Run(subprocess.CompletedProcess([], 0), path)


def test_the_best_of_all_epochs_has_its_own_name_and_changes_nothing_else(tmp_path, capsys):
    """And a resumed run knows the epochs before."""
    plain = trained(tmp_path / "plain", *WORDS)
    tested = trained(tmp_path / "tested", *WORDS, "callbacks.test_every_epoch=true")
    for name, tensor in plain.weights.items():
        assert tensor.equal(tested.weights[name]), name
    by_epoch = [float(row.pop("test_by_epoch/accuracy")) for row in tested.rows if row["epoch"]]
    assert len(by_epoch) == 4
    metrics = tested.result["metrics"]
    assert metrics[NAME] == max(by_epoch)
    # The test at the end is that of the chosen epoch, with the same random numbers.
    assert metrics["test/accuracy"] == by_epoch[tested.result["best_epoch"]]
    assert NAME in capsys.readouterr().out
    assert NAME not in plain.result["metrics"]
    same = {name: value for name, value in metrics.items() if name != NAME}
    assert {k: v for k, v in same.items() if not k.startswith(("time/", "system/"))} == {
        k: v for k, v in plain.result["metrics"].items() if not k.startswith(("time/", "system/"))
    }

    last = tested.path / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["callbacks"]["EpochTests"] == {"best": {NAME: max(by_epoch)}}
    checkpoint["callbacks"]["EpochTests"]["best"][NAME] = 0.995  # as if an epoch had been so good
    torch.save(checkpoint, last)
    go(f"resume={tested.path}", "trainer.max_epochs=5")
    assert len([row for row in tested.rows if row["epoch"]]) == 5
    assert tested.result["metrics"][NAME] == 0.995
