"""Where a study is kept: URLs, databases that cannot be opened, and a real server."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from conftest import environment
from postgres import PASSWORD, Postgres

from surrolab.errors import UserError
from surrolab.sweep.storage import open_storage, sqlite_file, storage_url, without_password


def refused(call, *words, **options) -> str:
    with pytest.raises(UserError) as error:
        call(*words, **options)
    line = str(error.value)
    assert "\n" not in line
    assert "allowed: " in line
    return line


def add_trial(url: str) -> None:
    """Make the study if there is none, and tell it one value."""
    storage = open_storage(url)
    study = optuna.create_study(storage=storage, study_name="widths", load_if_exists=True)
    trial = study.ask()
    study.tell(trial, trial.suggest_float("slope", 1.0, 2.0))
    close(storage)


def trials(url: str) -> list[str]:
    storage = open_storage(url, make=False)
    study = optuna.load_study(storage=storage, study_name="widths")
    states = [trial.state.name for trial in study.get_trials()]
    close(storage)
    return states


def close(storage) -> None:
    storage.remove_session()
    storage.engine.dispose()


AT_ONCE = """
import multiprocessing, sys, optuna.storages
from surrolab.sweep.storage import open_storage

def work(barrier):
    barrier.wait()
    open_storage(sys.argv[1])

fork = multiprocessing.get_context("fork")
barrier = fork.Barrier(6)
workers = [fork.Process(target=work, args=[barrier]) for _ in range(6)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
sys.exit(any(worker.exitcode for worker in workers))
"""


def open_at_once(url: str) -> None:
    """Six processes open the database at the same moment; all have to."""
    process = subprocess.run(
        [sys.executable, "-c", AT_ONCE, url],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("name", ["plain", "with space", "100%", "{braces}", "what?", "a#b", "ä"])
def test_the_file_of_a_sweep_directory_is_opened_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    url = storage_url(None, Path(name))
    assert storage_url(url, Path()) == url
    assert without_password(url) == url
    assert sqlite_file(url) == tmp_path / name / "study.db"
    add_trial(url)
    assert trials(url) == ["COMPLETE"]
    assert [path.name for path in (tmp_path / name).iterdir()] == ["study.db"]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sqlite:////x/y.db", "sqlite:////x/y.db"),
        ("sqlite:///y.db", "sqlite:///{here}/y.db"),
        ("postgresql://h/d", "postgresql+psycopg://h/d"),
        ("postgres://u:p@h:5433/d", "postgresql+psycopg://u:p@h:5433/d"),
        ("postgresql+psycopg://u:p%40@h/d?a=b", "postgresql+psycopg://u:p%40@h/d?a=b"),
        ("postgresql:///d?host=%2Ftmp", "postgresql+psycopg:///d?host=%2Ftmp"),
    ],
)
def test_a_url_is_brought_into_one_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage_url(text, Path("unused")) == url.format(here=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "study.db",
        "mysql://me:secret@h/d",
        "postgresql+psycopg2://me:secret@h/d",
        "postgresql://me:secret@h",
        "postgresql://me:secret@h:port/d",
        "postgresql://me:x@secret@h/d",
        "postgresql://me:x@secret@h:port/d",
        "postgresql:/me:secret@h/d",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://me:secret@study.db",
        "redis://h",
    ],
)
def test_other_urls_are_refused_without_showing_a_password(text: str) -> None:
    line = refused(storage_url, text, Path())
    assert line.startswith("storage: ")
    assert line.endswith("sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE") or (
        "%40" in line
    )
    assert "secret" not in line
    assert refused(storage_url, text, Path(), option="WHERE").startswith("WHERE: ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:a%40b@h:1/d", "postgresql://me@h:1/d"),
        ("postgresql://h/d?user=me&password=a&sslmode=require", "postgresql://h/d?{rest}"),
        ("postgresql://me:a@b@h/d", "postgresql://..."),
        ("me:a@h", "..."),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown.format(rest="sslmode=require&user=me")


def test_files_that_cannot_be_opened_are_one_line(tmp_path: Path) -> None:
    def line(path: Path | str, **options) -> str:
        said = refused(open_storage, f"sqlite:///{path}", **options)
        assert said.startswith("storage: ")
        assert str(path) in said
        return said

    text = tmp_path / "text.db"
    text.write_text("no database " * 100)
    assert "file is not a database" in line(text)
    assert text.read_text() == "no database " * 100
    assert "unable to open database file" in line(tmp_path / "absent" / "study.db")
    assert "unable to open database file" in line(tmp_path)
    if sys.platform == "linux":  # a directory in which root cannot write either
        assert "unable to open database file" in line("/proc/study.db")
    if os.getuid() != 0:
        tmp_path.chmod(0o500)
        assert "unable to open database file" in line(tmp_path / "study.db")
        tmp_path.chmod(0o700)


def test_only_studies_are_opened_where_none_is_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    assert "is no file" in refused(open_storage, f"sqlite:///{path}", make=False)
    assert not path.exists()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.commit()
    before = path.read_bytes()
    assert "no study in it" in refused(open_storage, f"sqlite:///{path}", make=False)
    connection.close()
    assert path.read_bytes() == before


def test_tables_of_another_version_of_optuna_are_one_line(tmp_path: Path) -> None:
    url = storage_url(None, tmp_path)
    for version in ("v2.6.0.a", "v99.0.0.a"):
        close(open_storage(url))
        connection = sqlite3.connect(tmp_path / "study.db")
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        connection.commit()
        connection.close()
        assert "no longer compatible" in refused(open_storage, url)
        (tmp_path / "study.db").unlink()


def test_several_processes_may_make_the_file_at_once(tmp_path: Path) -> None:
    url = storage_url(None, tmp_path)
    open_at_once(url)
    add_trial(url)


def test_a_study_on_a_server_is_kept_and_outlives_it(postgres: Postgres) -> None:
    url = storage_url(postgres.database(), Path())
    assert "no study in it" in refused(open_storage, url, make=False)
    add_trial(url)
    storage = open_storage(url)
    postgres.stop()
    line = refused(open_storage, url)
    assert "onnection refused" in line
    postgres.start()
    # A connection that broke is replaced.
    (study,) = storage.get_all_studies()
    assert study.study_name == "widths"
    close(storage)
    add_trial(url)
    assert trials(url) == ["COMPLETE", "COMPLETE"]


def test_several_processes_may_make_the_tables_of_a_server_at_once(postgres: Postgres) -> None:
    url = storage_url(postgres.database(), Path())
    open_at_once(url)
    add_trial(url)


def test_a_server_that_lets_nobody_in_is_one_line_without_the_password(
    postgres: Postgres,
) -> None:
    database = postgres.database()
    wrong = {
        "does not exist": postgres.url("absent"),
        "authentication failed": postgres.url("postgres", "other%40secret"),
        "onnection refused": database.replace(f":{postgres.port}/", ":1/"),
        "invalid connection option": f"{database}?nonsense=1",
    }
    for why, text in wrong.items():
        line = refused(open_storage, storage_url(text, Path()))
        assert why in line
        assert PASSWORD not in line
        assert "secret" not in line
        assert "se%2Fcr" not in line
