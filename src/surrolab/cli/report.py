"""``surrolab report PATHS...``: one site from run and sweep directories."""

import argparse
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from surrolab.cli.arguments import Parser, writing_to
from surrolab.cli.serving import HOST, PORT, open_server, port, serve
from surrolab.errors import UserError, one_line

if TYPE_CHECKING:
    from surrolab.report.site import Site

USUAL = (Path("outputs/runs"), Path("outputs/sweeps"))
OUTPUT = Path("outputs/report")
ALLOWED = "directories of runs or sweeps, or folders above them"
EVERY = 2.0  # seconds between two looks


def run_command(words: list[str]) -> int:
    """Make the site; with ``--watch`` again and again, until Ctrl-C. The exit status.

    Raises:
        UserError: a path that is no directory, none that holds a run, an output that cannot be
            written, or a port that is taken.
    """
    arguments = _arguments(words)
    paths = _paths(arguments.paths)
    output = Path(arguments.output).absolute()
    if (arguments.port or not arguments.browser) and not arguments.watch:
        raise UserError("--port, --no-browser: without --watch nothing is served; allowed: --watch")
    from surrolab.report.site import Site, discover

    found = discover(paths)
    if not found.runs and not found.sweeps and not arguments.watch:
        raise UserError(f"PATHS: no run in {', '.join(map(str, paths))}; allowed: {ALLOWED}")
    site = Site(paths, output)
    with writing_to(output):
        written = site.write()
    if written.foreign:
        print(f"left out: {written.foreign} directories that are no runs")
    for path, why in written.broken.items():
        print(f"surrolab: no page could be made of {path} ({why})", file=sys.stderr)
    print(f"report: {written.index}  ({written.runs} runs, {written.sweeps} sweeps)", flush=True)
    return _watch(site, arguments) if arguments.watch else 0


def _watch(site: "Site", arguments: argparse.Namespace) -> int:
    from surrolab.report.site.served import application

    done = threading.Event()

    def look() -> None:
        told = ""
        while not done.wait(EVERY):
            try:
                site.write()
                told = ""
            except Exception as error:  # whatever it is, runs go on and so does the report
                why = f"{type(error).__name__}: {one_line(error)}"
                if told != why:
                    told = why
                    print(f"surrolab: the report cannot be written ({why})", file=sys.stderr)

    try:
        with open_server(arguments.port, application(site.output)) as server:
            threading.Thread(target=look, daemon=True).start()
            serve(server, "index.html", arguments.browser)
    except KeyboardInterrupt:
        pass
    finally:
        done.set()
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "see surrolab report --help",
        prog="surrolab report",
        description="Make one site from runs and sweeps, finished or not: an index that sorts and "
        "filters, curves, surrogates side by side, a page for each run. It opens from the disk and "
        "needs no network.",
        epilog="for example: surrolab report outputs/runs outputs/sweeps/slope --output site",
    )
    usual = " and ".join(map(str, USUAL))
    parser.add_argument("paths", metavar="PATHS", nargs="*", help=f"{ALLOWED} ({usual})")
    parser.add_argument(
        "--output", metavar="DIR", default=str(OUTPUT), help=f"where to write it ({OUTPUT})"
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help=f"serve it on {HOST}, and make it anew while runs go on, until Ctrl-C",
    )
    parser.add_argument(
        "--port", type=port, help=f"of --watch ({PORT}, or the next one that nothing listens on)"
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="with --watch: only say where"
    )
    return parser.parse_args(words)


def _paths(given: list[str]) -> list[Path]:
    if given:
        paths = [Path(word) for word in given]
        for path in paths:
            if not path.is_dir():
                raise UserError(f"PATHS: {path} is no directory; allowed: {ALLOWED}")
        return paths
    usual = [path for path in USUAL if path.is_dir()]
    if not usual:
        missing = " nor ".join(map(str, USUAL))
        raise UserError(f"PATHS: missing, and there is neither {missing}; allowed: {ALLOWED}")
    return usual
