"""Diagnostics over a training run: when, where the numbers go, and what they must not change."""

import csv
import errno
import json

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.callbacks import diagnostics as module
from surrolab.cli import train
from surrolab.data import Batch
from surrolab.diagnostics import gradient_flow, probe_batch
from surrolab.run.directory import RunDirectory
from surrolab.run.load import load_run
from surrolab.schema import CONF, validate
from surrolab.seeding import seed_all

SHORT = (
    "encoding=rate",
    "encoding.steps=12",
    "model.hidden=[16,8]",
    "model.dropout=0.2",
    "optimizer.schedule=constant",
    "trainer.limit_train_batches=3",
    "trainer.limit_val_batches=2",
    "trainer.limit_test_batches=1",
    "diagnostics.every_epochs=2",
    "diagnostics.samples=9",
)
ROW = {
    *(f"gradients/{layer}/membrane_norm" for layer in ("hidden1", "hidden2", "readout")),
    *(f"gradients/{layer}/nonzero_fraction" for layer in ("hidden1", "hidden2", "readout")),
    *(f"gradients/{layer}/reached_fraction" for layer in ("hidden1", "hidden2", "readout")),
    *(f"gradients/{layer}/growth_per_step" for layer in ("hidden1", "hidden2", "readout")),
    "gradients/growth_per_layer",
    *(
        f"{kind}/{layer}/{what}"
        for layer in ("hidden1", "hidden2")
        for kind, what in (
            ("membrane", "mean"),
            ("membrane", "std"),
            ("spikes", "isi_mean"),
            ("spikes", "isi_cv"),
        )
    ),
}
SYNOPS = {
    "effective_macs",
    "effective_acs",
    "dense",
    "activation_sparsity",
    "connection_sparsity",
    "membrane_updates",
    "footprint",
    *(
        f"{layer}/effective_{kind}"
        for layer in ("hidden1", "hidden2", "readout")
        for kind in ("macs", "acs")
    ),
}


def go(path, *words):
    words = words if words[0].startswith("resume=") else ("logger=none", *SHORT, *words)
    where = [] if words[0].startswith("resume=") else [f"hydra.run.dir={path}"]
    with pytest.raises(SystemExit) as end:
        train([*where, *words])
    return int(end.value.code or 0)


def rows(path):
    with (path / "metrics.csv").open() as file:
        return [
            {k: v for k, v in row.items() if v and not k.startswith(("time/", "system/"))}
            for row in csv.DictReader(file)
        ]


def weights(path):
    return torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def records(path):
    return {
        int(file.stem.removeprefix("diagnostics-epoch")): dict(np.load(file))
        for file in (path / "records").glob("diagnostics-*.npz")
    }


@pytest.fixture(scope="module")
def on(tmp_path_factory):
    path = tmp_path_factory.mktemp("on")
    assert go(path, "trainer.max_epochs=5") == 0
    return path


def test_rows_and_records(on):
    seen = rows(on)
    assert [int(row["epoch"]) for row in seen] == [0, 1, 2, 3, 4]
    for row in seen:
        looked = int(row["epoch"]) in (1, 3)
        assert set(row) >= ROW if looked else not ROW & set(row)
        assert {name for name in row if name.startswith("synops/")} == {
            f"synops/{name}" for name in SYNOPS
        }
    found = records(on)
    assert sorted(found) == [0, 2, 4, 5]
    for epoch, record in found.items():
        assert record["layers"].tolist() == ["hidden1", "hidden2", "readout"]
        assert record["gradient_norm"].shape == (3, 12)
        assert record["spiking"].tolist() == ["hidden1", "hidden2"]
        assert record["membrane_counts"].shape == (2, len(record["membrane_edges"]) - 1)
        assert record["membrane_counts"].sum(1).tolist() == [16 * 12 * 9, 8 * 12 * 9]
        assert record["isi_counts"].shape == (2, 11)
        assert record["windows"].shape == (2,)
        if epoch in (2, 4):
            row = seen[epoch - 1]
            values = record["values"].tolist()
            for name, value in zip(record["metrics"].tolist(), values, strict=True):
                assert float(row[name]) == value


def test_activity_and_confusion_are_kept_at_each_look(on):
    kept = {file.stem for file in (on / "records").glob("*.npz")}
    looks = ("epoch0000", "epoch0002", "epoch0004", "epoch0005")
    assert kept == {
        *(f"diagnostics-{look}" for look in looks),
        *(f"activity-{look}" for look in looks),
        *(f"confusion-{look}" for look in looks[1:]),
        "confusion-test",
        "split",
    }
    for look in looks:
        activity = dict(np.load(on / "records" / f"activity-{look}.npz"))
        assert activity["layers"].tolist() == ["hidden1", "hidden2"]
        assert activity["spikes_0"].shape == (12, 4, 2)
        assert activity["membrane_1"].shape == (12, 4, 4)
        assert activity["targets"].shape == activity["predictions"].shape == (4,)


def test_confusion_is_what_the_network_says_of_each_sample(on):
    """Of the test, by a loop over single samples and the checkpoint that was tested."""
    config, parts = load_run(RunDirectory(on), "best")
    parts.data.setup()
    seed_all(config["seed"], "test", 0, 0)  # as the test's epoch begins
    batch = next(iter(parts.data.test_dataloader()))
    with torch.inference_mode():
        said = parts.task.eval().evaluate(Batch(*batch)).prediction.tolist()
    expected = np.zeros((10, 10), np.int64)
    for target, prediction in zip(batch.y.tolist(), said, strict=True):
        expected[target, prediction] += 1
    assert np.array_equal(np.load(on / "records" / "confusion-test.npz")["counts"], expected)
    for epoch in (2, 4, 5):
        counts = np.load(on / "records" / f"confusion-epoch{epoch:04}.npz")["counts"]
        row = rows(on)[epoch - 1]
        assert counts.sum() == 2 * 64  # limit_val_batches
        assert counts.trace() / counts.sum() == pytest.approx(float(row["val/accuracy"]))


def test_time_and_memory_are_in_every_row(on):
    with (on / "metrics.csv").open() as file:
        found = list(csv.DictReader(file))
    for row in found:
        assert 0 < float(row["time/epoch_s"]) < 600
        # Three batches of 64 in less than the whole epoch.
        assert float(row["time/samples_per_s"]) > 3 * 64 / float(row["time/epoch_s"])
        assert 10 < float(row["system/memory_mib"]) < 1e6
    assert not any(name.startswith("system/rank") for name in found[0])


def test_test_and_result_have_synops_too(on):
    metrics = json.loads((on / "result.json").read_text())["metrics"]
    assert {f"test/synops/{name}" for name in SYNOPS} <= set(metrics)
    assert {f"synops/{name}" for name in SYNOPS} <= set(metrics)
    assert metrics["test/synops/effective_macs"] == 0  # rate encoding
    assert metrics["test/synops/hidden1/effective_acs"] > 0
    # Stale by the time of the best epoch, so not among its metrics.
    assert not ROW & set(metrics)


def test_the_record_of_the_last_epoch_is_that_of_the_last_checkpoint(on):
    config, parts = load_run(RunDirectory(on), "last")
    batch = probe_batch(parts.data, config["diagnostics"]["samples"])
    flow = gradient_flow(parts.task, Batch(*batch))
    record = records(on)[5]
    np.testing.assert_allclose(flow.norm_LT.numpy(), record["gradient_norm"], rtol=1e-5)


def test_nothing_else_is_changed(on, tmp_path):
    """Not the weights, not a metric: the diagnostics draw nothing that training draws."""
    assert go(tmp_path, "trainer.max_epochs=5", "diagnostics=none") == 0
    assert [file.name for file in (tmp_path / "records").iterdir()] == ["split.npz"]
    for name, tensor in weights(on).items():
        assert torch.equal(tensor, weights(tmp_path)[name]), name
    for row, other in zip(rows(on), rows(tmp_path), strict=True):
        assert not any(name.startswith("synops/") or name in ROW for name in other)
        assert {name: row[name] for name in other} == other


def test_a_run_that_goes_on_leaves_what_one_leaves_that_went_on_at_once(on, tmp_path):
    assert go(tmp_path, "trainer.max_epochs=3") == 0
    assert sorted(records(tmp_path)) == [0, 2, 3]
    assert go(tmp_path, f"resume={tmp_path}", "trainer.max_epochs=5") == 0
    assert rows(tmp_path) == rows(on)
    for name, tensor in weights(on).items():
        assert torch.equal(tensor, weights(tmp_path)[name]), name
    again = records(tmp_path)
    for epoch, record in records(on).items():
        for name, array in record.items():
            assert np.array_equal(array, again[epoch][name]), (epoch, name)


def test_a_full_disk_costs_the_records_and_nothing_else(tmp_path, monkeypatch, capsys):
    real = module.atomic

    def full(path, mode="w"):
        if path.suffix == ".npz":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode)

    monkeypatch.setattr(module, "atomic", full)
    assert go(tmp_path, "trainer.max_epochs=2") == 0
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("No space left on device") == 1
    assert set(rows(tmp_path)[1]) >= ROW


@pytest.mark.parametrize(
    ("off", "gone", "left"),
    [
        ("gradients", "gradients/hidden1/growth_per_step", "membrane/hidden1/std"),
        ("activity", "membrane/hidden1/std", "gradients/hidden1/growth_per_step"),
        ("synops", "synops/effective_acs", "gradients/hidden1/growth_per_step"),
    ],
)
def test_each_part_can_be_left_out(tmp_path, off, gone, left):
    assert go(tmp_path, "trainer.max_epochs=2", f"diagnostics.{off}=false") == 0
    row = rows(tmp_path)[1]
    assert left in row
    assert gone not in row


def test_the_same_probe_whatever_is_trained_on():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["name=test", "logger=none", *SHORT])
    from surrolab.run.build import build_parts

    data = build_parts(validate(OmegaConf.to_container(config, resolve=True))).data
    data.setup()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    batch = probe_batch(data, 9)
    assert torch.equal(torch.get_rng_state(), state)
    whole = next(iter(data.val_dataloader()))
    assert torch.equal(batch.x, whole.x[:9])
    assert torch.equal(batch.y, whole.y[:9])


@pytest.mark.parametrize(
    "words",
    [
        ("data=randman", "data.samples_per_class=20", "data.batch_size=25"),
        ("model=conv", "data.batch_size=16"),
        ("model=recurrent", "model.norm=tdbn"),
        ("objective=mse_count", "model.norm=bntt"),
        ("surrogate=none",),
        ("surrogate=stochastic_spike_operator",),
        ("trainer.precision=64-true",),
        ("trainer.precision=bf16-true",),
        ("trainer.precision=bf16-mixed",),
    ],
)
def test_diagnostics_of_many_kinds_of_runs(tmp_path, words):
    words = [*words, "encoding=direct", "encoding.steps=6", "trainer.max_epochs=2"]
    assert go(tmp_path, *words, "model.hidden=[8]") == 0
    assert sorted(records(tmp_path)) == [0, 2]
    assert "gradients/hidden1/membrane_norm" in rows(tmp_path)[1]
