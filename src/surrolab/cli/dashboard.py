"""``surrolab dashboard [WHERE]``: a study in the browser, through optuna-dashboard; or in W&B."""

import argparse
import json
import logging
import sys
from pathlib import Path

from surrolab.cli.arguments import Parser, writing_to
from surrolab.cli.serving import HOST, PORT, open_server, port, serve
from surrolab.errors import UserError
from surrolab.sweep.storage import FILE, open_storage, storage_url

OUTPUTS = Path("outputs")
PROJECT = "surrolab"
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
    for option in ("project", "entity"):
        if getattr(arguments, option) is not None:
            raise UserError(f"--{option}: only with --wandb; allowed: --port and --no-browser")
    url = _url(arguments.where)
    storage = open_storage(url, make=False, option="WHERE")
    try:
        from optuna_dashboard import wsgi

        failures = logging.getLogger("optuna_dashboard")
        failures.addHandler(_Once())
        failures.propagate = False
        with open_server(arguments.port, wsgi(storage)) as server:
            serve(server, "dashboard", arguments.browser)
    except KeyboardInterrupt:
        pass
    finally:
        storage.engine.dispose()
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    """The team's workspace and report, in W&B or in files."""
    if arguments.where is not None:
        raise UserError("WHERE: not with --wandb; allowed: --project and --entity")
    if arguments.port is not None or not arguments.browser:
        option = "--no-browser" if arguments.port is None else "--port"
        raise UserError(f"{option}: not with --wandb; allowed: --project and --entity")
    with writing_to(OUTPUTS, "--wandb"):
        pass  # Known before the work begins.
    from surrolab.tracking.publish import publish

    print("\n".join(publish(arguments.entity, arguments.project or PROJECT, OUTPUTS)))
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
        "--port", type=port, help=f"({PORT}, or the next one that nothing listens on)"
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
    parser.add_argument("--project", help=f"of W&B ({PROJECT})")
    parser.add_argument("--entity", help="of W&B (the login's default)")
    return parser.parse_args(words)


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


class _Once(logging.Handler):
    """Says once that requests fail, in place of a trace for each of the page's many."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._told:
            print("surrolab: the study cannot be read at the moment", file=sys.stderr)
        self._told = True
