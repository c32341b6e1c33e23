"""Tracked runs, and what of them has to have arrived at a server of the tests."""

import csv
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from conftest import Program, Run, environment
from wandb_server import WandbServer
from wandb_server_graphql import Run as Arrived

SHORT = (
    "encoding.steps=5",
    "model.hidden=[8]",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=3",
    "trainer.log_every_n_steps=2",
)
MIN, MAX, LAST = 1, 2, 5  # of the summaries in W&B's protocol; goals have the same numbers
STEP = "trainer/global_step"
SOON = {"WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "1", "WANDB_FINISH_TIMEOUT": "3"}


def online(program: Program, server: WandbServer, *words: str, **variables: str) -> Run:
    """A tracked run into ``run``, which has to end well."""
    words = (*SHORT, "hydra.run.dir=run", "logger=wandb", "logger.mode=online", *words)
    process = program(*words, **server.environment | SOON | variables)
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    return Run(process, program.directory / "run")


def sync(
    where: Path, server: WandbServer, *words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from surrolab.cli import main; main()", "sync", *words],
        cwd=where,
        env=environment() | server.environment | variables,
        capture_output=True,
        text=True,
        timeout=200,
    )


def said(run: Run) -> list[str]:
    return [line for line in run.process.stdout.splitlines() if "W&B" in line]


def same(run: Run, other: Run) -> None:
    assert run.weights.keys() == other.weights.keys()
    for name, tensor in other.weights.items():
        assert run.weights[name].equal(tensor), name
    assert run.result["metrics"] == pytest.approx(other.result["metrics"], nan_ok=True, rel=0)


PICTURES = ("surrogate", "activity/hidden1", "confusion/val", "confusion/test")


def complete(arrived: Arrived, run: Run, parts: int = 1, pictures: Sequence[str] = ()) -> None:
    """All numbers of the run's own files are there, once, in order."""
    got: dict[tuple[int, str], list[Any]] = {}
    for row in arrived.history:
        for name, value in row.items():
            got.setdefault((row[STEP], name), []).append(value)
    with (run.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    sent = {
        (int(row["step"]), name): float(value)
        for row in rows
        for name, value in row.items()
        if value and name != "step"
    }
    last = int(rows[-1]["step"])
    metrics = run.result["metrics"]
    sent |= {(last, name): value for name, value in metrics.items() if name.startswith("test/")}
    # An epoch that was made twice, the first time without its checkpoint, took two times as long.
    clocks = ("time/", "system/") if parts > 1 else ()
    assert {key: values for key, values in got.items() if key in sent} == {
        key: [ANY if key[1].startswith(clocks) else pytest.approx(value, rel=1e-12)]
        for key, value in sent.items()
    }
    # Nobody knows of a picture whether it got through before the disk was full.
    ours = [key for key in got if key[1][0] != "_" and key[1] not in (STEP, "surrogate")]
    assert [key for key in ours if len(got[key]) > 1] == []
    if parts == 1:  # a resume begins after all lines that came, those that came again included
        assert [row["_step"] for row in arrived.history] == list(range(len(arrived.history)))
    summary = arrived.summary
    assert summary["test/accuracy"] == {"last": pytest.approx(metrics["test/accuracy"])}
    assert summary["val/accuracy"]["max"] == max(
        got[key][0] for key in got if key[1] == "val/accuracy"
    )
    assert summary["spikes/hidden1/rate"] == {"last": got[last, "spikes/hidden1/rate"][0]}
    assert summary["surrogate"]["_type"] == "image-file"
    assert arrived.state == "finished"
    assert arrived.config["surrogate"]["_target_"] == "surrolab.surrogates.Sigmoid"
    assert arrived.config["provenance"]["seed"] == 0
    assert arrived.about["jobType"] == "train"
    for name in {key[1] for key in got if key[1][0] != "_"} - {STEP}:
        defined(arrived, name)
    for picture in pictures or PICTURES[:1]:  # others, a full disk may have cost
        assert any(name.startswith(f"media/images/{picture}_") for name in arrived.files), picture


def defined(arrived: Arrived, name: str) -> None:
    """A metric has one definition, and the right one."""
    fitting = [about for pattern, about in arrived.definitions.items() if fnmatch(name, pattern)]
    assert len(fitting) == 1, name
    (about,) = fitting
    assert about["step"] == STEP, name
    stage, _, kind = name.rpartition("/")
    goal = {"accuracy": MAX, "loss": MIN, "loss_step": MIN}.get(kind)
    if name.startswith(("activity/", "histograms/", "confusion/")) or name == "surrogate":
        assert about["summary"] == [], name
    elif goal is None or stage == "test":
        assert about["summary"] == [LAST], name
    else:
        assert about["summary"] == [goal], name
    assert about["goal"] == goal, name


def artifacts(server: WandbServer) -> None:
    """The checkpoint and the report are there too, whole."""
    assert {artifact.type for artifact in server.artifacts} >= {"model", "report"}
    for artifact in server.artifacts:
        assert artifact.committed
        assert artifact.files.keys() == artifact.manifest["contents"].keys()
