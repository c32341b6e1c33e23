"""``surrolab dashboard [WHERE]``: a study in the browser, through optuna-dashboard; or in W&B."""

import argparse
import errno
import json
import logging
import os
import sys
import threading
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from surrolab.cli.arguments import Parser, writing_to
from surrolab.errors import UserError
from surrolab.sweep.storage import FILE, open_storage, storage_url

HOST = "127.0.0.1"  # Whoever reaches the page can delete the study.
PORT = 8080
OUTPUTS = Path("outputs")
SWEEPS = OUTPUTS / "sweeps"
ALLOWED = f"a sweep directory (with {FILE}), or the URL of a study's storage"


def run_command(words: list[str]) -> int:
    """Serve the study until Ctrl-C; the exit status.

    Raises:
        UserError: no study there, a storage that cannot be opened, or a port that is taken.
    """
    arguments = _arguments(words)
    if arguments.wandb:
        return _publish(arguments)
    url = _url(arguments.where)
    storage = open_storage(url, make=False, option="WHERE")
    try:
        from optuna_dashboard import wsgi

        failures = logging.getLogger("optuna_dashboard")
        failures.addHandler(_Once())
        failures.propagate = False
        with _server(arguments.port, wsgi(storage)) as server:
            page = f"http://{HOST}:{server.server_port}/dashboard"
            print(f"{page}  (Ctrl-C ends it)", flush=True)
            if arguments.browser and _display():
                # Some browsers return only when they are closed.
                threading.Thread(target=_open, args=[page], daemon=True).start()
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        storage.engine.dispose()
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    """The team's workspace and report, in W&B or in files."""
    if arguments.where is not None:
        raise UserError("WHERE: not with --wandb; allowed: --project and --entity")
    with writing_to(OUTPUTS):
        pass  # Known before the work begins.
    from surrolab.tracking.publish import publish

    print("\n".join(publish(arguments.entity, arguments.project, OUTPUTS)))
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "see surrolab dashboard --help",
        prog="surrolab dashboard",
        description="Look at a sweep's study in the browser with optuna-dashboard, while it runs "
        f"too. Only programs on this machine reach it ({HOST}).",
        epilog="for example: surrolab dashboard outputs/sweeps/widths",
    )
    parser.add_argument(
        "where",
        metavar="WHERE",
        nargs="?",
        help=f"{ALLOWED}: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE (the newest "
        f"in {SWEEPS})",
    )
    parser.add_argument(
        "--port", type=_port, help=f"({PORT}, or the next one that nothing listens on)"
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address"
    )
    parser.add_argument(
        "--wandb",
        action="store_true",
        help="instead: make or update the team's workspace and report in W&B; without a login, "
        f"write what they would be to {OUTPUTS}",
    )
    parser.add_argument("--project", default="surrolab", help="of W&B (%(default)s)")
    parser.add_argument("--entity", help="of W&B (the login's default)")
    return parser.parse_args(words)


def _port(text: str) -> int:
    value = int(text)
    if not 0 < value < 65536:
        raise argparse.ArgumentTypeError(f"{value} is not allowed; allowed: 1 to 65535")
    return value


_port.__name__ = "whole number"


def _url(where: str | None) -> str:
    if where is None:
        return storage_url(None, _newest())
    if "://" in where:
        return storage_url(where, Path(), "WHERE")
    directory = Path(where)
    if not directory.is_dir():
        raise UserError(f"WHERE: {directory} is no directory; allowed: {ALLOWED}")
    elsewhere = _elsewhere(directory)
    if elsewhere is not None:
        raise UserError(
            f"WHERE: the study of {directory} is kept in {elsewhere}; allowed: that URL with its "
            "password"
        )
    if not (directory / FILE).is_file():
        raise UserError(f"WHERE: no {FILE} in {directory}; allowed: {ALLOWED}")
    return storage_url(None, directory)


def _newest() -> Path:
    files = [path for path in SWEEPS.glob(f"*/{FILE}") if path.is_file()]
    if not files:
        raise UserError(f"WHERE: no study in {SWEEPS}; allowed: {ALLOWED}")
    return max(files, key=lambda path: path.stat().st_mtime).parent


def _elsewhere(directory: Path) -> str | None:
    try:
        storage = json.loads((directory / "study.json").read_text())["storage"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return storage if str(storage).startswith("postgres") else None


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own, and says nothing about it."""

    daemon_threads = True  # Ctrl-C does not wait for a request
    allow_reuse_port = False  # some Pythons let two servers have one

    def server_bind(self) -> None:
        # WSGIServer's asks the name server what this machine is called.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that went away."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Once(logging.Handler):
    """Says once that requests fail, in place of a trace for each of the page's many."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._told:
            print("surrolab: the study cannot be read at the moment", file=sys.stderr)
        self._told = True


def _server(port: int | None, app: Any) -> Server:
    ports = [port] if port else range(PORT, PORT + 100)
    for candidate in ports:
        try:
            server = Server((HOST, candidate), _Quiet)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise UserError(
                    f"--port: {candidate} cannot be used ({error.strerror}); allowed: a port that "
                    "nothing listens on"
                ) from error
        else:
            server.set_app(app)
            return server
    raise UserError(f"--port: {PORT} to {PORT + 99} are taken; allowed: a port that is not")


def _display() -> bool:
    # A text browser would take the terminal.
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _open(page: str) -> None:
    import webbrowser

    webbrowser.open(page)
