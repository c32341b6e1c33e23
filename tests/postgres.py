"""A PostgreSQL server of the tests' own, which they can take down and bring back."""

import contextlib
import glob
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

USER, PASSWORD = "tester", "se/cr et@1"
_ENCODED = "se%2Fcr%20et%401"


class Postgres:
    """A server on a free port of 127.0.0.1 that asks for a password.

    It ends when the test process does, however that ends.

    Args:
        binaries: where ``initdb`` and ``postgres`` are.
        directory: where it keeps its data; a new one.
    """

    def __init__(self, binaries: Path, directory: Path) -> None:
        self._binaries, self._directory = binaries, directory
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = _free_port()
        # PostgreSQL refuses to run as root.
        self._owner: dict[str, Any] = {}
        if os.getuid() == 0:
            owner = _unprivileged()
            self._owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        self._initialise()
        self.start()

    def database(self) -> str:
        """The URL of a new, empty database."""
        self.start()
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, database: str, password: str = _ENCODED) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        # setpriv has the kernel end the server when this process dies, by whatever.
        setpriv = shutil.which("setpriv")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *([setpriv, "--pdeathsig", "QUIT"] if setpriv else []),
                    str(self._binaries / "postgres"),
                    *("-D", str(self._directory / "data"), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *("-c", "fsync=off", "-c", "shared_buffers=16MB"),
                ],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._owner,
            )
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    said = (self._directory / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL does not start: {said[-2000:]}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """Take it down at once: every connection breaks."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _initialise(self) -> None:
        secret = self._directory / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        done = subprocess.run(
            [
                str(self._binaries / "initdb"),
                *("-D", str(self._directory / "data"), "-U", USER),
                *("--auth=scram-sha-256", f"--pwfile={secret}"),
                *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            ],
            cwd=self._directory,
            capture_output=True,
            text=True,
            **self._owner,
        )
        if done.returncode:
            raise RuntimeError(f"initdb fails: {done.stderr[-2000:]}")


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server, gone with its data at the end; skips where PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL (initdb and postgres) is not installed")
    # Not pytest's directory, into which only its owner may look.
    directory = Path(tempfile.mkdtemp(prefix="surrolab-postgres-"))
    server: Postgres | None = None
    try:
        server = Postgres(binaries, directory)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _binaries() -> Path | None:
    found = sorted(
        (Path(path) for path in glob.glob("/usr/lib/postgresql/*/bin")),
        key=lambda path: -float(path.parent.name),
    )
    initdb = shutil.which("initdb")
    if initdb:
        found.insert(0, Path(initdb).resolve().parent)
    for folder in found:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("PostgreSQL refuses root, and there is no other user")


def _free_port() -> int:
    # Outside the range from which connections take theirs: it stays free while the server is down.
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port from 20000 to 30000")
