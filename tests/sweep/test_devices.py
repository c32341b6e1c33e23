"""Which GPUs a worker has, how many workers there are, and what they are started with."""

import os
import stat
from pathlib import Path

import pytest

from surrolab.errors import UserError
from surrolab.sweep.launchers import (
    ClusterLauncher,
    Job,
    LocalLauncher,
    launcher_node,
    share_devices,
)
from surrolab.sweep.reading import make_spec
from surrolab.sweep.supervise import count_workers, devices_of_workers

SPEC = {
    "study": "devices",
    "space": {"surrogate.slope": {"low": 1, "high": 10}},
    "objectives": {"val/accuracy": "maximize"},
    "trials": 4,
}


@pytest.mark.parametrize(
    ("devices", "per_trial", "shares"),
    [
        (["0", "1", "2"], 1, ["0", "1", "2"]),
        (["0", "1", "2", "3"], 2, ["0,1", "2,3"]),
        (["0", "1", "2"], 2, ["0,1"]),  # a trial of two has no use for the third
        (["4", "7"], 0, ["4,7"]),  # devices: auto
        (["0"], 2, []),
        ([], 1, []),
    ],
)
def test_each_worker_has_the_gpus_of_one_trial(
    devices: list[str], per_trial: int, shares: list[str]
) -> None:
    assert share_devices(devices, per_trial) == shares


def test_one_worker_for_each_visible_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,6")
    spec = make_spec(SPEC)
    devices = devices_of_workers(spec)
    assert devices == ["2", "5", "6"]
    assert count_workers(spec, devices) == 3
    assert count_workers(make_spec({**SPEC, "workers": 2}), devices) == 2


def test_distributed_trials_share_the_gpus_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    spec = make_spec({**SPEC, "base": ["trainer=ddp", "trainer.devices=2"]})
    assert devices_of_workers(spec) == ["0,1", "2,3"]
    everything = make_spec({**SPEC, "base": ["trainer=ddp"]})
    assert devices_of_workers(everything) == ["0,1,2,3"]


@pytest.mark.parametrize("words", [["trainer.accelerator=cpu"], ["trainer=ddp_cpu"]])
def test_trials_on_the_cpu_take_no_gpus(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices_of_workers(make_spec({**SPEC, "base": words})) == []


def test_without_gpus_a_worker_for_each_core_that_a_trial_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert count_workers(make_spec(SPEC), []) == 8
    assert count_workers(make_spec({**SPEC, "base": ["threads=3"]}), []) == 2
    assert count_workers(make_spec({**SPEC, "base": ["trainer=ddp_cpu"]}), []) == 4
    assert count_workers(make_spec({**SPEC, "base": ["threads=16"]}), []) == 1


def test_a_worker_is_told_whose_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who started it may be gone before it could ask."""
    said: list[list[str]] = []
    monkeypatch.setattr(
        "surrolab.sweep.launchers.subprocess.Popen", lambda words, **_: said.append(words)
    )
    LocalLauncher(Job("sqlite:///x", "study", tmp_path, None)).start(0)
    place = said[0].index("--parent")
    assert said[0][place + 1] == str(os.getpid())


@pytest.mark.parametrize(
    ("url", "private"),
    [("postgresql+psycopg://me:secret@host/x", True), ("sqlite:///x", False)],
)
def test_a_password_among_a_cluster_s_jobs_is_for_nobody_else(
    tmp_path: Path, url: str, private: bool
) -> None:
    node = launcher_node({"name": "slurm", "cluster": "local"})
    ClusterLauncher(Job(url, "study", tmp_path, None), node)
    mode = stat.S_IMODE((tmp_path / "workers").stat().st_mode)
    assert (mode & 0o077 == 0) == private


def test_no_cluster_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"launcher: Could not detect .*allowed: .*launcher=local"):
        ClusterLauncher(Job("sqlite:///x", "study", tmp_path, None), launcher_node("slurm"))
