"""What a run leaves behind, against the contract."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from surrolab.errors import UserError
from surrolab.files import write_json, write_text
from surrolab.native import available
from surrolab.run.directory import RunDirectory
from surrolab.schema import validate


def test_the_directory_explains_the_run(trained):
    path = trained.path
    config = yaml.safe_load((path / "config.yaml").read_text())
    assert validate(config) == config  # resolved, typed, and good to run again
    assert "${" not in (path / "config.yaml").read_text()
    assert (path / "overrides.txt").read_text().splitlines() == [
        "surrogate=sigmoid",
        "trainer.max_epochs=3",
        "name=short",
    ]
    assert {p.name for p in (path / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert (path / "wandb").is_dir()
    assert "epoch 3/3" in (path / "train.log").read_text()


def test_the_result_is_as_in_the_contract(trained):
    result = trained.result
    assert result["status"] == "completed"
    assert result["seed"] == 0
    assert result["duration_s"] > 0
    assert Path(result["run_dir"]) == trained.path
    metrics = result["metrics"]
    assert metrics["test/accuracy"] > 0.7
    for name in (
        "train/loss",
        "val/loss",
        "val/accuracy",
        "test/accuracy",
        "spikes/hidden1/rate",
        "spikes/hidden1/silent_fraction",
        "spikes/hidden1/saturated_fraction",
        "train/spikes/hidden1/rate",
        "gradients/hidden1/norm",
        "gradients/readout/norm",
        "gradients/hidden1/window_fraction",
    ):
        assert isinstance(metrics[name], float), name


def test_provenance(trained):
    facts = json.loads((trained.path / "provenance.json").read_text())
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["threads"] >= 1
    assert facts["device"].startswith(("cpu", "cuda", "mps"))
    engine, why = (facts["layers"]["hidden1"][name] for name in ("engine", "why"))
    assert (engine, why) == (("native", None) if available() is None else ("torch", available()))
    checkout = Path(__file__).parents[2]
    head = subprocess.run(
        ["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True
    )
    if head.returncode == 0:
        assert facts["git"]["commit"] == head.stdout.strip()
        assert isinstance(facts["git"]["dirty"], bool)


def test_metrics_hold_each_step_once(trained):
    steps = [int(row["step"]) for row in trained.rows]
    assert steps == sorted(set(steps))
    accuracies = [float(row["val/accuracy"]) for row in trained.rows if row["val/accuracy"]]
    assert len(accuracies) == 3
    assert max(accuracies) == pytest.approx(trained.result["metrics"]["val/accuracy"])


def test_checkpoints_load_with_weights_only_and_hold_plain_data(trained):
    checkpoint = torch.load(trained.path / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["epoch"] == trained.result["best_epoch"]
    assert any("hidden1.synapse.weight" in name for name in checkpoint["state_dict"])


def test_output_ends_with_a_table_and_the_path(trained):
    lines = trained.process.stdout.splitlines()
    assert lines[-1] == f"run directory: {trained.path}"
    assert re.search(r"test/accuracy\s+│\s+0\.\d{4}", trained.process.stdout)
    assert trained.process.stderr == ""


def test_latest_points_at_the_newest_run(trained):
    latest = trained.path.parent.parent / "latest"
    assert latest.resolve() == trained.path


def test_wandb_holds_the_same_numbers(trained):
    """Read back by wandb's own reader of its file format."""
    (file,) = trained.path.glob("wandb/offline-run-*/*.wandb")

    def read(*options):
        command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json"]
        return subprocess.run([*command, *options, file], capture_output=True, text=True).stdout

    records = [json.loads(line) for line in read().splitlines()]
    history = [r["history"]["item"] for r in records if r["type"] == "history"]
    logged = [items for items in history if "val/accuracy" in items]
    rows = [row for row in trained.rows if row["val/accuracy"]]
    for name in ("val/accuracy", "train/loss", "spikes/hidden1/rate", "gradients/readout/norm"):
        assert [items[name] for items in logged] == [float(row[name]) for row in rows]
    assert [items["trainer/global_step"] for items in logged] == [int(row["step"]) for row in rows]
    summary = json.loads(read("--summary"))
    assert summary["state"] == "finished"
    tested = trained.result["metrics"]["test/accuracy"]
    assert summary["summary"]["test/accuracy"] == {"last": tested}
    assert summary["config"]["surrogate"]["_target_"] == "surrolab.surrogates.Sigmoid"
    assert summary["config"]["provenance"]["packages"]["torch"] == torch.__version__
    assert summary["config"]["overrides"] == (trained.path / "overrides.txt").read_text().split()


def test_two_runs_never_share_a_directory(tmp_path):
    wanted = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from surrolab.run.directory import RunDirectory\n"
        "print(RunDirectory.claim(Path(sys.argv[1]), must_be_new=False).path)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(wanted)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    paths = {process.communicate()[0].strip() for process in processes}
    assert len(paths) == 4
    with pytest.raises(UserError, match="already holds a run"):
        RunDirectory.claim(wanted, must_be_new=True)


def test_files_are_whole_or_as_they_were(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": 1, "nan": float("nan")})
    assert path.read_text() == '{\n  "a": 1,\n  "nan": null\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"b": object()})
    assert '"a": 1' in path.read_text()
    assert os.listdir(tmp_path) == ["result.json"]
    write_text(path, "x")
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
