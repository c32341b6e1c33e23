"""``surrolab sync [PATHS...]``: send to W&B what is not there yet."""

import argparse
import os
from pathlib import Path

from surrolab.cli.arguments import Parser
from surrolab.errors import UserError

OUTPUTS = Path("outputs")


def run_command(words: list[str]) -> int:
    """Send runs, a line for each; the exit status: 1 where one of them could not be sent.

    Raises:
        UserError: a path that is not there, or no login.
        RunError: the server does not answer.
    """
    arguments = _arguments(words)
    paths = [Path(path) for path in arguments.paths] or [OUTPUTS]
    for path in paths:
        if not path.is_dir():
            raise UserError(
                f"PATHS: {path} is no directory; allowed: run directories, sweep directories, or "
                "directories with those in them"
            )
    from surrolab.tracking.sync import sync

    status = number = 0
    for outcome in sync(paths, arguments.dry_run):
        number += 1
        status = max(status, int(outcome.failed))
        where = os.path.relpath(outcome.directory)
        print(f"{where}: {outcome.what} [{outcome.run_id}]", flush=True)
    if not number:
        print(f"no run tracked by W&B in {', '.join(map(str, paths))}")
    return status


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "see surrolab sync --help",
        prog="surrolab sync",
        description="Send to W&B the runs that were tracked offline, and those whose server was "
        "gone before it had everything. What is sent already is not sent again.",
        epilog="for example: surrolab sync outputs/sweeps/widths",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help=f"run and sweep directories, or directories that hold some ({OUTPUTS})",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    return parser.parse_args(words)
