"""``surrolab dashboard`` as users call it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import environment
from postgres import PASSWORD, Postgres

from surrolab.cli import main
from surrolab.sweep.storage import open_storage, storage_url, without_password

COMMAND = [str(Path(sys.executable).with_name("surrolab")), "dashboard"]


def make_study(directory: Path, name: str, url: str | None = None) -> str:
    """A study with one trial in the sweep directory; the URL of its storage."""
    directory.mkdir(parents=True, exist_ok=True)
    url = storage_url(url, directory)
    storage = open_storage(url)
    study = optuna.create_study(storage=storage, study_name=name)
    study.tell(study.ask(), 0.5)
    storage.remove_session()
    storage.engine.dispose()
    return url


@dataclass(frozen=True)
class Dashboard:
    """A running server and the address it printed."""

    process: subprocess.Popen[str]
    page: str

    def get(self, path: str) -> Any:
        url = self.page.removesuffix("/dashboard") + path
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode()

    @property
    def studies(self) -> list[str]:
        found = json.loads(self.get("/api/studies"))["study_summaries"]
        return [study["study_name"] for study in found]

    @property
    def port(self) -> int:
        return int(self.page.removesuffix("/dashboard").rpartition(":")[2])


@contextlib.contextmanager
def dashboard(where: Path, *words: str, told: str = "", **variables: str) -> Iterator[Dashboard]:
    """The command in the directory, ended by Ctrl-C: quietly, but for what it told before."""
    variables = {"DISPLAY": "", "WAYLAND_DISPLAY": ""} | variables
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=where,
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), process.communicate(timeout=30)
        yield Dashboard(process, line.split()[0])
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)
        assert (process.returncode, said) == (0, ("", told))
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which the browser of these tests writes the address it is given."""
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" >"$0.opened"\nexec sleep 9 >/dev/null 2>&1\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    return tmp_path / "browser.opened"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["dashboard", *words])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.count("\n") == 1
    assert "allowed: " in err
    return err


def listening(port: int) -> set[str]:
    """The addresses at which this machine listens on a port, as /proc has them."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                address, number = line.split()[1].split(":")
                if line.split()[3] == "0A" and int(number, 16) == port:
                    found.add(address)
    return found


def test_the_newest_study_is_served_on_this_machine_only(tmp_path: Path, opened: Path) -> None:
    sweeps = tmp_path / "outputs" / "sweeps"
    for age, name in enumerate(["newest", "old"]):
        make_study(sweeps / name, name)
        os.utime(sweeps / name / "study.db", (10**9 - age, 10**9 - age))
    with socket.create_server(("127.0.0.1", 0)) as other, dashboard(tmp_path) as server:
        assert server.port >= 8080
        assert server.studies == ["newest"]
        assert "<title>" in server.get("/dashboard")
        if sys.platform == "linux":
            assert listening(server.port) == {"0100007F"}
        # A port that something listens on is not taken, unless it was asked for.
        with dashboard(tmp_path, "outputs/sweeps/old") as second:
            assert second.port != server.port  # other tests have dashboards too
            assert second.studies == ["old"]
        process = subprocess.run(
            [*COMMAND, "--port", str(other.getsockname()[1])],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert process.returncode == 2
        assert process.stderr.count("\n") == 1
        assert "--port" in process.stderr
    assert not opened.exists()  # there is no display


def test_a_browser_is_opened_where_there_is_a_display(tmp_path: Path, opened: Path) -> None:
    make_study(tmp_path, "shown")
    with dashboard(tmp_path, ".", DISPLAY=":99") as server:
        until = time.monotonic() + 30
        while not (opened.exists() and opened.read_text()):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert opened.read_text().strip() == server.page


def test_a_study_on_a_server_needs_its_url(
    tmp_path: Path, opened: Path, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = postgres.database()
    url = make_study(tmp_path, "remote", typed)
    (tmp_path / "study.json").write_text(json.dumps({"storage": without_password(url)}))
    line = refused(capsys, str(tmp_path))
    assert without_password(url) in line
    assert PASSWORD not in line
    told = "surrolab: the study cannot be read at the moment\n"
    with dashboard(tmp_path, typed, "--no-browser", told=told, DISPLAY=":99") as server:
        assert server.studies == ["remote"]
        postgres.stop()
        with pytest.raises(urllib.error.HTTPError):
            server.get("/api/studies")
        with pytest.raises(urllib.error.HTTPError):
            server.get("/api/studies/1")
        postgres.start()
        assert server.studies == ["remote"]
    assert not opened.exists()


def test_what_is_no_study_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "outputs/sweeps" in refused(capsys)
    assert "no directory" in refused(capsys, "absent")
    assert "no study.db" in refused(capsys, str(tmp_path))
    assert "WHERE: " in refused(capsys, "sqlite:///absent.db")
    assert not (tmp_path / "absent.db").exists()
    line = refused(capsys, "mysql://me:secret@h/d")
    assert "WHERE: mysql" in line
    assert "secret" not in line
    (tmp_path / "study.db").write_text("no database " * 100)
    assert "file is not a database" in refused(capsys, ".")
    for port in ("0", "65536", "many"):
        assert "--port" in refused(capsys, ".", "--port", port)


def test_help_answers_without_the_heavy_imports() -> None:
    code = (
        "import sys\nfrom surrolab.cli import main\n"
        "try: main(['dashboard', '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print({'torch', 'optuna', 'sqlalchemy', 'optuna_dashboard'} & set(sys.modules))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert "WHERE" in process.stdout
    assert process.stdout.endswith("set()\n")
