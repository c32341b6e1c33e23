"""``surrolab compare RUN RUN...``: what differs between runs, and what came of it."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surrolab.cli.arguments import Parser
from surrolab.errors import UserError
from surrolab.report.drawing import DASH, label, number
from surrolab.report.site.defaults import same
from surrolab.report.site.discover import discover
from surrolab.report.site.run_file import RunFile, read_run
from surrolab.report.summary import duration

ALLOWED = "the directory of a run"
FIRST = ("test/accuracy", "val/accuracy", "test/mse", "val/mse", "test/loss", "val/loss")
# What is better when it is higher, and when it is lower; of other numbers neither is.
HIGHER = ("accuracy",)
LOWER = ("loss", "mse", "mae", "effective_macs", "effective_acs", "footprint")
_MISSING = object()  # of a key that a run does not have
Rows = Sequence[tuple[str, Sequence[Text]]]


def run_command(words: list[str]) -> int:
    """Print the comparison; the exit status.

    Raises:
        UserError: fewer than two runs, or a path that is none.
    """
    arguments = _arguments(words)
    if len(arguments.runs) < 2:
        raise UserError("RUN: only one is given; allowed: two or more directories of runs")
    runs = [_run(Path(word)) for word in arguments.runs]
    console = Console(highlight=False)
    _print(console, "runs", _about(runs), len(runs))
    different = _different(runs)
    if different:
        _print(console, "what differs in their configuration", different, len(runs))
    else:
        console.print("Their configurations are the same.\n")
    _print(console, "final metrics (* best)", _metrics(runs, arguments.all), len(runs))
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "see surrolab compare --help",
        prog="surrolab compare",
        description="Say what differs in the configuration of runs, and put their final metrics "
        "side by side.",
        epilog="for example: surrolab compare outputs/runs/latest outputs/runs/2026-11-24/*",
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", help=f"{ALLOWED}; two or more")
    parser.add_argument("--all", action="store_true", help="all metrics, those of training too")
    return parser.parse_args(words)


def _run(path: Path) -> RunFile:
    if not path.is_dir():
        raise UserError(f"RUN: {path} is no directory; allowed: {ALLOWED}")
    places = discover([path]).runs
    own = [place for place in places if place.path == path.resolve()]
    run = read_run(own[0]) if own else None
    if run is None:
        inside = f", but {len(places)} directories of runs below it" if places else ""
        raise UserError(f"RUN: {path} holds no run{inside}; allowed: {ALLOWED}")
    return run


def _about(runs: Sequence[RunFile]) -> Rows:
    """What each column is."""
    paths = [str(run.path) for run in runs]
    above = os.path.commonpath(paths) if len(set(paths)) > 1 else str(runs[0].path.parent)
    where = [os.path.relpath(path, above) for path in paths]
    facts: list[tuple[str, Sequence[str]]] = [
        ("name", [run.name for run in runs]),
        ("directory", where),
        ("status", [run.status for run in runs]),
        ("seed", [number(run.seed) for run in runs]),
        ("epochs", [number(run.epochs) for run in runs]),
        ("best epoch", [number(run.best_epoch) for run in runs]),
        ("duration", [duration(run.duration) for run in runs]),
        ("findings", [number(len(run.findings)) for run in runs]),
    ]
    return [(name, [plain(value) for value in values]) for name, values in facts]


def _different(runs: Sequence[RunFile]) -> Rows:
    """Keys that not all have, or not with the same value; options before keys."""
    own = [_choices(run) for run in runs]
    keys = list(dict.fromkeys(key for found in own for key in found))
    rows = []
    for key in keys:
        values = [found.get(key, _MISSING) for found in own]
        if key in ("seed", "name") or _all_same(values):  # those are said above
            continue
        words = [DASH if value is _MISSING else label(value) for value in values]
        if not all(same(a, b) for a, b in _with_one_text(values, words)):
            words = [_distinct(value) for value in values]
        rows.append((key, [plain(word) for word in words]))
    return rows


def _all_same(values: Sequence[Any]) -> bool:
    return all(same(values[0], value) for value in values[1:])


def _with_one_text(values: Sequence[Any], words: Sequence[str]) -> list[tuple[Any, Any]]:
    """Pairs of values that are shown alike."""
    first: dict[str, Any] = {}
    return [(first.setdefault(word, v), v) for v, word in zip(values, words, strict=True)]


def _distinct(value: Any) -> str:
    """With all digits, and texts in quotes."""
    return DASH if value is _MISSING else json.dumps(value)


def _choices(run: RunFile) -> Mapping[str, Any]:
    keys = {key: value for key, value in run.config.items() if not key.endswith("_target_")}
    return {**run.options, **keys}


def _metrics(runs: Sequence[RunFile], every: bool) -> Rows:
    names = sorted({name for run in runs for name in run.metrics})
    order = [name for name in FIRST if name in names]
    order += [name for name in names if name not in FIRST and (every or not _training(name))]
    return [(name, _marked(name, [run.metrics.get(name) for run in runs])) for name in order]


def _training(name: str) -> bool:
    return name.startswith(("train/", "test/"))


def _marked(name: str, values: Sequence[float | None]) -> list[Text]:
    known = [value for value in values if value is not None]
    last = name.rpartition("/")[2]
    best = None
    if len(set(known)) > 1 and last in HIGHER + LOWER:
        best = max(known) if last in HIGHER else min(known)
    return [
        Text(f"{number(value)} *", "bold")
        if value is not None and value == best
        else Text(f"{number(value)}  ")
        for value in values
    ]


def _print(console: Console, title: str, rows: Rows, count: int) -> None:
    """A table where it fits; otherwise each row's values below its name."""
    if not rows:
        console.print(f"{title}: none\n")
        return
    letters = [_letter(i) for i in range(count)]
    left = max(len(name) for name, _ in rows)
    widths = [max(value.cell_len for _, values in rows for value in values)] * count
    if left + sum(width + 2 for width in widths) + 2 <= console.width:
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1))
        table.add_column("")
        for letter in letters:
            table.add_column(letter, justify="right" if "metrics" in title else "left")
        for name, values in rows:
            table.add_row(plain(name), *values)
        console.print(table)
    else:
        console.print(Text(title, "italic"))
        for name, values in rows:
            line = Text("  ").join([plain(name), *map(_lettered, letters, values)])
            if line.cell_len <= console.width:
                console.print(line)
                continue
            console.print(plain(name), soft_wrap=True)
            for letter, value in zip(letters, values, strict=True):
                console.print(Text("  ").append_text(_lettered(letter, value)), soft_wrap=True)
    console.print()


def _lettered(letter: str, value: Text) -> Text:
    shown = value.copy()
    shown.rstrip()
    return Text(f"{letter} ").append_text(shown)


def plain(text: str) -> Text:
    """Text as it is, without what a terminal would take for commands."""
    return Text(
        "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    )


def _letter(place: int) -> str:
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)
