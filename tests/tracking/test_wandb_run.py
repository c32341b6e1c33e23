"""What W&B gets of a run, read back from the file that its program wrote of an offline one."""

import csv
import errno
import json
import logging
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from written import Written, written

from surrolab.cli import train
from surrolab.sweep.trial import _tracked
from surrolab.tracking import Guard, wandb_run

SHORT = (
    "encoding.steps=6",
    "model.hidden=[16,8]",
    "slope=linear",
    "slope.end=50",
    "optimizer.schedule=constant",
    "trainer.limit_train_batches=3",
    "trainer.log_every_n_steps=2",
    "diagnostics.every_epochs=2",
    "diagnostics.samples=9",
    "diagnostics.shown=3",
)
EVERY_EPOCH = {
    *(f"{stage}/{what}" for stage in ("train", "val") for what in ("loss", "accuracy")),
    *(
        f"spikes/{layer}/{what}"
        for layer in ("hidden1", "hidden2")
        for what in ("rate", "silent_fraction", "saturated_fraction")
    ),
    *(f"gradients/{layer}/norm" for layer in ("hidden1", "hidden2", "readout")),
    *(f"gradients/{layer}/window_fraction" for layer in ("hidden1", "hidden2")),
    *(
        f"surrogate/{layer}/{what}"
        for layer in ("hidden1", "hidden2")
        for what in ("slope", "scale")
    ),
    *("synops/effective_acs", "synops/effective_macs", "synops/hidden2/effective_acs"),
    *("time/epoch_s", "time/samples_per_s", "system/memory_mib", "epoch"),
}
LOOK = {
    *(
        f"{what}/{layer}"
        for layer in ("hidden1", "hidden2")
        for what in ("activity", "histograms/membrane")
    ),
}
STEP = "trainer/global_step"


def go(path: Path, *words: str) -> int:
    if not words or not words[0].startswith("resume="):
        words = (f"hydra.run.dir={path}", *SHORT, *words)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB")]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(path.parent / "home"))
        with pytest.raises(SystemExit) as end:
            train([*words])
        assert not (path.parent / "home").exists()  # all is in the run directory
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs that went on for another one."""
    path = tmp_path_factory.mktemp("tracked") / "run"
    words = ("logger.group=g", "logger.tags=[a,b]", "logger.notes=why", "name=n")
    assert go(path, "trainer.max_epochs=3", *words) == 0
    assert go(path, f"resume={path}", "trainer.max_epochs=4") == 0
    return path


@pytest.fixture(scope="module")
def segments(path: Path) -> list[Written]:
    found = written(path)
    assert len(found) == 2
    return found


def record(path: Path, name: str) -> dict[str, Any]:
    return dict(np.load(path / "records" / f"{name}.npz"))


def definitions(run: Written) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for metric in run.all("metric"):
        about = found.setdefault(metric.name or metric.glob_name, {"step": "", "summary": set()})
        about["step"] = metric.step_metric or about["step"]
        about["summary"] |= {field.name for field, on in metric.summary.ListFields() if on}
        if metric.goal:
            about["goal"] = type(metric).MetricGoal.Name(metric.goal)
    return found


def test_group_tags_job_type_and_notes_are_the_configurations(segments: list[Written]) -> None:
    for segment in segments:
        run = segment.run
        assert (run.project, run.run_group, run.job_type) == ("surrolab", "g", "train")
        assert (run.display_name, list(run.tags), run.notes) == ("n", ["a", "b"], "why")
        assert segment.config["surrogate"]["slope"] == 25


def test_a_resumed_run_continues_the_same_run(segments: list[Written], path: Path) -> None:
    first, second = segments
    facts = json.loads((path / "provenance.json").read_text())
    assert first.run.run_id == second.run.run_id == facts["run_id"]
    assert second.run.resume
    epochs = [[row["epoch"] for row in segment.history if "epoch" in row] for segment in segments]
    assert epochs == [[0, 1, 2], [3]]
    steps = [row[STEP] for segment in segments for row in segment.history if "epoch" in row]
    assert steps == [3, 6, 9, 12]


def test_every_epoch_is_a_row_with_what_metrics_csv_has(
    segments: list[Written], path: Path
) -> None:
    with (path / "metrics.csv").open() as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    logged = [row for segment in segments for row in segment.history if "epoch" in row]
    for row in logged:
        assert set(row) >= EVERY_EPOCH
        beside = rows[row[STEP]]
        for name, text in beside.items():
            if text and name != "step":
                assert row[name] == float(text), name
        # What is constant is in W&B alone.
        assert {name for name in row if not beside.get(name)} == {
            *(f"surrogate/{layer}/scale" for layer in ("hidden1", "hidden2")),
            STEP,
        }
    assert {
        row[STEP] for segment in segments for row in segment.history if "train/loss_step" in row
    }


def test_every_metric_has_a_definition(segments: list[Written]) -> None:
    for segment in segments:
        defined = definitions(segment)
        names = {name for row in segment.history for name in row} - {STEP}
        assert names > {"test/accuracy", "test/loss", "test/synops/dense", "confusion/test"}
        for name in names:
            fitting = [about for pattern, about in defined.items() if fnmatch(name, pattern)]
            assert len(fitting) == 1, name
            (about,) = fitting
            assert about["step"] == STEP, name
            kind = name.rpartition("/")[2]
            chosen = {"last"} if name.startswith("test/") else None
            if kind in ("loss", "loss_step", "mse"):
                assert (about["summary"], about["goal"]) == (chosen or {"min"}, "GOAL_MINIMIZE")
            elif kind == "accuracy":
                assert (about["summary"], about["goal"]) == (chosen or {"max"}, "GOAL_MAXIMIZE")
            elif not fnmatch(name, "activity/*") and kind not in ("val", "test", "surrogate"):
                media = name.startswith(("histograms", "confusion"))
                assert about["summary"] == (set() if media else {"last"}), name
            assert "goal" in about or kind not in ("loss", "accuracy", "mse")


def test_the_summary_has_the_best_and_the_last(segments: list[Written]) -> None:
    (first, second), rows = segments, [row for row in segments[0].history if "epoch" in row]
    summary = first.summary
    assert summary["val/accuracy"]["max"] == max(row["val/accuracy"] for row in rows)
    assert summary["val/loss"]["min"] == min(row["val/loss"] for row in rows)
    assert summary["spikes/hidden1/rate"]["last"] == rows[-1]["spikes/hidden1/rate"]
    # W&B looks for the best anew when a run goes on.
    (row,) = [row for row in second.history if "epoch" in row]
    for name, kind, best in (("val/accuracy", "max", max), ("val/loss", "min", min)):
        assert second.summary[name] == {kind: best(summary[name][kind], row[name])}


def test_each_look_leaves_pictures_and_histograms(segments: list[Written], path: Path) -> None:
    rows = [row for row in segments[0].history if "activity/hidden1" in row]
    assert [row[STEP] for row in rows] == [0, 6, 9]  # before the first step, two epochs, the end
    for row, epoch in zip(rows, (0, 2, 3), strict=True):
        assert set(row) >= LOOK
        assert ("confusion/val" in row) == (epoch > 0)
        assert ("surrogate" in row) == (epoch > 0)  # the slope moves
        kept = record(path, f"diagnostics-epoch{epoch:04}")
        for number, layer in enumerate(("hidden1", "hidden2")):
            histogram = row[f"histograms/membrane/{layer}"]
            assert histogram["values"] == kept["membrane_counts"][number].tolist()
            assert histogram["bins"] == kept["membrane_edges"].tolist()
            with Image.open(
                segments[0].folder / "files" / row[f"activity/{layer}"]["path"]
            ) as image:
                assert image.width > 3 * 200
                assert len(image.convert("RGB").getcolors(100_000) or []) > 3
    pictures = [row["surrogate"] for row in segments[0].history if "surrogate" in row]
    assert len({picture["sha256"] for picture in pictures}) == 3


def test_the_confusion_matrix_is_a_picture_and_a_table(segments: list[Written], path: Path) -> None:
    first = segments[0]
    assert [row[STEP] for row in first.history if "confusion/val" in row] == [6, 9]
    row, *more = [row for row in first.history if "confusion/val_chart_table" in row]
    assert (row[STEP], more) == (9, [])
    counts = record(path, "confusion-epoch0003")["counts"]
    table = json.loads(
        (first.folder / "files" / row["confusion/val_chart_table"]["path"]).read_text()
    )
    assert table["columns"] == ["Actual", "Predicted", "nPredictions"]
    assert [int(n) for _, _, n in table["data"]] == counts.flatten().tolist()
    assert [row[STEP] for row in first.history if "confusion/test" in row] == [9]


def test_artifacts_hold_the_files_of_the_run(segments: list[Written], path: Path) -> None:
    ids = {segment.run.run_id for segment in segments}
    for segment in segments:
        artifacts = {a.type: a for a in segment.all("artifact") if a.type in ("model", "report")}
        assert {a.name for a in artifacts.values()} == {
            f"{kind}-{run_id}" for kind in ("model", "report") for run_id in ids
        }
        model = artifacts["model"]
        assert "best" in model.aliases
        about = json.loads(model.metadata)
        assert about["surrogate"] == "Sigmoid"
        assert about["slope"] == 25
        assert set(about) >= {"epoch", "val/accuracy", "test/accuracy", "surrogate/hidden1/slope"}
        for artifact in artifacts.values():
            for entry in artifact.manifest.contents:
                assert Path(entry.local_path).is_relative_to(path)
                assert Path(entry.local_path).stat().st_size == entry.size
        assert {entry.path for entry in artifacts["report"].manifest.contents} >= {
            *("result.json", "config.yaml", "metrics.csv", "surrogate.png", "provenance.json"),
            *("records/activity-epoch0000.npz", "records/confusion-test.npz"),
        }
    # Each holds the run as it was at its end, though the run went on.
    results = [
        json.loads((segment.folder / "artifacts" / "report" / "result.json").read_text())
        for segment in segments
    ]
    assert [result["status"] for result in results] == ["completed"] * 2
    rows = [
        (segment.folder / "artifacts" / "report" / "metrics.csv").read_text().count("\n")
        for segment in segments
    ]
    assert rows[0] < rows[1]


def test_pictures_and_artifacts_can_be_left_out(tmp_path: Path) -> None:
    words = ("logger.media=false", "logger.artifacts=[]", "logger.job_type=probe")
    assert go(tmp_path / "run", "trainer.max_epochs=1", *words) == 0
    (run,) = written(tmp_path / "run")
    assert run.run.job_type == "probe"
    assert not run.all("artifact")
    names = {name for row in run.history for name in row}
    assert names >= EVERY_EPOCH
    assert not any(name.startswith(("activity", "histograms", "confusion")) for name in names)
    assert not list(run.folder.glob("files/media/**/*"))


def test_a_trial_of_a_sweep_says_that_it_is_one() -> None:
    given = {"group": None, "job_type": None, "tags": ["a"]}
    tracked = _tracked({"logger": given}, "study", 7)["logger"]
    assert tracked == {"group": "study", "job_type": "trial", "tags": ["a", "trial-7"]}
    named = _tracked({"logger": given | {"job_type": "mine"}}, "study", 7)["logger"]
    assert named["job_type"] == "mine"


def test_whatever_fails_in_wandb_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wandb.sdk.wandb_run import Run

    real, failed = Run.finish, []

    def failing(name: str) -> Any:
        def fail(run: Any, *args: Any, **kwargs: Any) -> None:
            failed.append(name)
            if name == "finish":
                real(run, *args, **kwargs)  # this process goes on
            raise OSError(errno.ENOSPC, "No space left on device")

        return fail

    broken = ("define_metric", "log", "log_artifact", "finish")
    for name in broken:
        monkeypatch.setattr(Run, name, failing(name))
    assert go(tmp_path / "run", "trainer.max_epochs=2", "trainer.limit_train_batches=1") == 0
    assert set(failed) == set(broken)
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("No space left on device") == 1
    assert captured.out.count("surrolab sync") == 1
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "completed"


def test_a_full_disk_costs_the_artifacts_and_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    assert go(tmp_path / "run", "trainer.max_epochs=1") == 0
    log = (tmp_path / "run" / "train.log").read_text()
    warnings = [line for line in log.splitlines() if " WARNING " in line]
    assert sum("No space left on device" in line for line in warnings) == 1
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "completed"


def test_one_warning_and_the_traces_for_those_who_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no\nnetwork")

    caplog.set_level(logging.DEBUG, "surrolab")
    run = wandb_run.WandbRun(Broken(), tmp_path, True, [], Guard(), {})  # type: ignore[arg-type]
    for step in range(3):
        run.log_metrics({"val/loss": 1.0}, step)
        run.log_media(lambda: {"a": 1 / 0}, step)
    run.finish(0, ["tag"])
    ours = [r for r in caplog.records if r.name == "surrolab.tracking.guard"]
    (warning,) = [r for r in ours if r.levelno == logging.WARNING]
    assert "RuntimeError: no network" in warning.getMessage()
    assert sum(r.levelno == logging.DEBUG for r in ours) > 3
    assert "WANDB_DATA_DIR" not in os.environ
