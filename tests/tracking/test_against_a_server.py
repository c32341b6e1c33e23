"""W&B's own client against a server of the tests: what arrives."""

from pathlib import Path

import pytest
from arrivals import SHORT, artifacts, complete, online, said, same, sync
from conftest import Program, Run
from wandb_server import WandbServer


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Program(tmp_path_factory.mktemp("untracked")).run("run", *SHORT)


def test_all_of_a_run_arrives(program: Program, server: WandbServer, untracked: Run) -> None:
    run = online(program, server, "logger.group=g", "logger.tags=[a,b]")
    same(run, untracked)
    assert said(run) == []
    complete(server.run, run)
    assert (server.run.about["groupName"], server.run.about["tags"]) == ("g", ["a", "b"])
    assert server.run.project == "surrolab"
    artifacts(server)
    before = len(server.asked)
    process = sync(program.directory, server, "run")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("run: already sent [")
    assert len(server.asked) == before


@pytest.mark.slow
def test_two_processes_are_one_run(program: Program, server: WandbServer) -> None:
    run = online(program, server, "trainer=ddp_cpu")
    complete(server.run, run)
    assert server.run.config["provenance"]["processes"] == 2


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, "online needs a login and there is none for {url}"),
        ("abc", "online does not work here (WANDB_API_KEY invalid: API key must have 40+"),
        ("f" * 40, "online does not work here ("),
    ],
    ids=["none", "malformed", "refused"],
)
def test_a_key_that_does_not_open(
    program: Program, server: WandbServer, tmp_path: Path, key: str | None, why: str
) -> None:
    """One line before anything is trained."""
    server.refuse_keys = True
    variables = {"WANDB_BASE_URL": server.url, "HOME": str(tmp_path)}
    if key is not None:
        variables["WANDB_API_KEY"] = key
    words = (*SHORT, "hydra.run.dir=run", "logger=wandb", "logger.mode=online")
    process = program(*words, **variables)
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"surrolab: logger.mode: {why.format(url=server.url)}")
    assert line.endswith("; allowed: offline, disabled, or online after `wandb login`")
    assert "epoch 1" not in process.stdout
