"""The summary run of a study, read back from the file that W&B's program wrote."""

import copy
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from written import written

from surrolab.tracking.study import track_study

LOGGER = {
    "mode": "offline",
    "project": "surrolab",
    "entity": None,
    "tags": ["widths"],
    "notes": "what slope does",
}


def trial(number: int, state: str, value: float | None, **parameters: Any) -> dict[str, Any]:
    return {
        "number": number,
        "state": state,
        "values": None if value is None else [value],
        "parameters": parameters,
        "duration_s": None if state in ("running", "waiting") else 1.5,
        "reason": "worse than the median" if state == "pruned" else None,
        "error": "loss: not finite" if state == "failed" else None,
    }


STUDY: dict[str, Any] = {
    "study": "slope & width",
    "objectives": [{"name": "val/accuracy", "direction": "maximize"}],
    "sampler": {"name": "tpe"},
    "pruner": None,
    "pruning": None,
    "seeds": [0, 1],
    "max_epochs": 3,
    "base": ["data=digits"],
    "parameters": {
        "surrogate.slope": {"kind": "float", "low": 1, "high": 50, "log": True},
        "model.hidden": {"kind": "categorical", "choices": [[64], [128, 128]]},
    },
    "trials": [
        trial(0, "complete", 0.5, **{"surrogate.slope": 2.0, "model.hidden": [64]}),
        trial(1, "pruned", None, **{"surrogate.slope": 40, "model.hidden": [128, 128]}),
        trial(2, "complete", 0.9, **{"surrogate.slope": 10.0, "model.hidden": [64], "late": "x"}),
        trial(3, "failed", None, **{"surrogate.slope": 50.0}),
        trial(4, "running", None),
        trial(5, "complete", 0.7, **{"surrogate.slope": 5.0, "model.hidden": [64]}),
    ],
    "best": [2],
}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    (tmp_path / "sweep").mkdir()
    return tmp_path / "sweep"


def test_a_study_is_a_run_of_its_own_that_goes_on(
    sweep: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (sweep / "report.html").write_text("<title>report</title>")
    track_study(STUDY, sweep, LOGGER)
    assert not [one for one in caplog.records if one.name.startswith("surrolab")]
    (first,) = written(sweep)
    run = first.run
    assert (run.run_group, run.job_type, run.display_name) == (
        STUDY["study"],
        "study",
        run.run_group,
    )
    assert (run.project, list(run.tags), run.notes) == ("surrolab", ["widths"], "what slope does")
    expected = {key: STUDY[key] for key in ("objectives", "sampler", "pruner", "seeds", "base")}
    assert first.config["space"] == STUDY["parameters"]
    assert {key: first.config[key] for key in expected} == expected

    best = "best/val/accuracy"
    numbers, values = [0, 1, 2, 3, 5], [0.5, 0.5, 0.9, 0.9, 0.9]
    assert first.steps == numbers
    assert first.history == [{"trial": n, best: v} for n, v in zip(numbers, values, strict=True)]
    metrics = {m.name or m.glob_name: m.step_metric for m in first.all("metric")}
    assert metrics["best/*"] == "trial"

    summary = first.summary
    counts = {"complete": 3, "pruned": 1, "failed": 1, "running": 1, "waiting": 0}
    assert {state: summary[f"trials/{state}"] for state in counts} == counts
    assert (summary[best], summary["best/trial"]) == (0.9, 2)
    assert summary["best/parameters"] == STUDY["trials"][2]["parameters"]

    table = first.table
    assert [row["number"] for row in table] == list(range(6))
    assert [row["state"] for row in table] == [t["state"] for t in STUDY["trials"]]
    assert [row["val/accuracy"] for row in table] == [0.5, None, 0.9, None, None, 0.7]
    assert [row["surrogate.slope"] for row in table] == [2, 40, 10, 50, None, 5]
    assert table[1]["model.hidden"] == "[128, 128]"
    assert [row["late"] for row in table] == [None, None, "x", None, None, None]
    assert (table[1]["reason"], table[3]["reason"]) == (
        "worse than the median",
        "loss: not finite",
    )
    assert (table[0]["duration_s"], table[4]["duration_s"]) == (1.5, None)
    artifacts = {artifact.type: artifact for artifact in first.all("artifact")}
    assert artifacts["report"].name == "slope-width-report"
    assert [entry.path for entry in artifacts["report"].manifest.contents] == ["report.html"]

    longer = copy.deepcopy(STUDY)
    longer["trials"][4] = trial(4, "complete", 0.95, **{"surrogate.slope": 7.0})
    longer["best"] = [4]
    track_study(longer, sweep, LOGGER)
    assert not [one for one in caplog.records if one.name.startswith("surrolab")]
    _, second = written(sweep)
    assert (second.run.run_id, second.run.resume) == (run.run_id, True)
    # Trial 5 is told of already; a study that ends out of order is right in its summary.
    assert [row["trial"] for row in second.history] == [4]
    assert second.history[-1] == {"trial": 4, best: 0.95}
    assert second.summary[best] == 0.95
    assert second.summary["best/parameters"] == {"surrogate.slope": 7.0}
    assert second.summary["trials/running"] == 0


def test_several_objectives_have_a_front_and_a_best_each(sweep: Path) -> None:
    study = copy.deepcopy(STUDY) | {
        "objectives": [
            {"name": "val/loss", "direction": "minimize"},
            {"name": "val/accuracy", "direction": "maximize"},
        ],
        "trials": [trial(n, "complete", None, width=n) for n in range(3)],
        "best": [0, 2],
    }
    for row, values in zip(study["trials"], ([0.1, 0.5], [0.3, None], [0.2, 0.8]), strict=True):
        row["values"] = values
    track_study(study, sweep, LOGGER)
    (run,) = written(sweep)
    assert [row["best/val/loss"] for row in run.history] == [0.1, 0.1, 0.1]
    assert [row["best/val/accuracy"] for row in run.history] == [0.5, 0.5, 0.8]
    assert run.summary["best/trials"] == [0, 2]
    assert run.summary["best/parameters"] == {"0": {"width": 0}, "2": {"width": 2}}


def test_a_study_without_a_finished_trial_has_a_run_too(sweep: Path) -> None:
    track_study(STUDY | {"trials": [], "best": []}, sweep, LOGGER)
    (run,) = written(sweep)
    assert run.summary["trials/complete"] == 0
    assert run.history == run.table == []


def test_the_run_of_the_process_is_left_alone(sweep: Path, tmp_path: Path) -> None:
    import wandb

    mine = wandb.init(
        mode="offline", dir=tmp_path, settings=wandb.Settings(console="off", silent=True)
    )
    track_study(STUDY, sweep, LOGGER)
    assert wandb.run is mine
    mine.log({"a": 1})
    mine.finish()
    assert wandb.run is None


@pytest.mark.parametrize("logger", [{}, LOGGER | {"mode": "disabled"}])
def test_without_wandb_nothing_happens(sweep: Path, logger: dict[str, Any]) -> None:
    track_study(STUDY, sweep, logger)
    assert not list(sweep.iterdir())


def test_what_goes_wrong_is_one_warning(
    sweep: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    track_study(STUDY, sweep / "absent", LOGGER)
    track_study({"study": "half"}, sweep, LOGGER)
    # No account, and nobody who could be asked for one.
    monkeypatch.setenv("NETRC", str(sweep / "netrc"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    track_study(STUDY, sweep, LOGGER | {"mode": "online"})
    ours = [record for record in caplog.records if record.name.startswith("surrolab.tracking.")]
    assert [record.levelno for record in ours] == [logging.WARNING] * 3
    assert all("\n" not in record.getMessage() for record in ours)
