"""The team's dashboard: files without a login, one workspace and one report with it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb_server import KEY, WandbServer, running

from surrolab.cli.dashboard import run_command
from surrolab.errors import UserError

SECTIONS = ["overview", "surrogate comparison", "spikes", "gradients", "sweeps", "system"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A server that this process uses from now on, and a home where nobody has logged in."""
    import wandb

    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with running() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb.teardown()
        yield server
        wandb.teardown()


def sections(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found = spec["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in found}


def test_without_a_login_it_is_files(
    server: WandbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["--wandb", "--entity", "we", "--project", "spikes"]) == 0
    assert "no login" in capsys.readouterr().out
    text = Path("outputs/wandb-workspace.json").read_text()
    workspace = json.loads(text)
    assert (workspace["entity"], workspace["project"]) == ("we", "spikes")
    found = sections(workspace["spec"])
    assert list(found) == SECTIONS
    assert all(found.values())
    drawn = [panel["viewType"] for panel in found["surrogate comparison"]]
    assert {"Scatter Plot", "Parallel Coordinates Plot", "Bar Chart"} <= set(drawn)
    assert "surrogate.value._target_" in text
    report = Path("outputs/wandb-report.json").read_text()
    assert all(name.capitalize() in report for name in SECTIONS)
    assert run_command(["--wandb", "--entity", "we", "--project", "spikes"]) == 0
    assert Path("outputs/wandb-workspace.json").read_text() == text
    assert Path("outputs/wandb-report.json").read_text() == report
    assert not server.graph.views


def test_a_second_time_updates_what_is_there(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    for _ in range(2):
        assert run_command(["--wandb"]) == 0
        views = server.graph.views
        assert sorted(view["type"] for view in views.values()) == ["project-view", "runs"]
        assert {view["displayName"] for view in views.values()} == {"surrolab"}
        out = capsys.readouterr().out
        assert f"workspace: {server.url}/team/surrolab?nw=surrolab" in out
        assert f"report: {server.url}/team/surrolab/reports/" in out
    (view,) = [view for view in views.values() if view["type"] == "project-view"]
    assert list(sections(json.loads(view["spec"]))) == SECTIONS
    assert server.unknown == []


def test_what_is_refused(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^WHERE: not with --wandb"):
        run_command(["--wandb", "outputs"])
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server.refuse_keys = True
    with pytest.raises(UserError, match=r"^--wandb: .*allowed: a key"):
        run_command(["--wandb"])
