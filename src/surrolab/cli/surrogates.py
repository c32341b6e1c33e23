"""``surrolab surrogates``: the gallery of surrogate derivatives."""

import argparse
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surrolab import __version__
from surrolab.cli.arguments import Parser, writing_to
from surrolab.composition import compose_run
from surrolab.errors import UserError
from surrolab.files import atomic, write_text
from surrolab.schema import GROUPS, options

_COLUMNS = (
    "name",
    "formula",
    "slope",
    "scale",
    "other",
    "normalize",
    "peak",
    "area",
    "window",
    "source",
)


def run_command(words: list[str]) -> int:
    """Draw or list every surrogate, the configuration's choice first; the exit status.

    Raises:
        UserError: words that `train` would refuse, or an output directory that cannot be written.
    """
    arguments = _arguments(words)
    portraits = _portraits(_composed(arguments.overrides))
    if arguments.list:
        _print_table(portraits)
        return 0
    from surrolab.pictures.gallery import gallery_page
    from surrolab.pictures.surrogates import draw_gallery

    folder = Path(arguments.output)
    page, picture = folder / "surrogates.html", folder / "surrogates.png"
    command = shlex.join(["surrolab", "surrogates", *words])
    with writing_to(folder):
        write_text(page, gallery_page(portraits, command, __version__))
        with atomic(picture, "wb") as file:
            file.write(draw_gallery(portraits))
    print(page)
    print(picture)
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "--list, --output DIR and the overrides of train",
        prog="surrolab surrogates",
        description="Draw every surrogate derivative with its primitive, peak, area, window and "
        "source, as a page (surrogates.html) and a picture (surrogates.png).",
        epilog="for example: surrolab surrogates surrogate=triangle surrogate.slope=3",
    )
    parser.add_argument("--list", action="store_true", help="print a table instead")
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="outputs/surrogates",
        help="where to, made if it is not there (%(default)s)",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="OVERRIDE",
        help="as for train: the surrogate that they choose is marked and comes first",
    )
    arguments = parser.parse_intermixed_args(words)
    if not arguments.output:
        raise UserError("--output: nothing is given; allowed: a directory")
    return arguments


def _composed(words: list[str]) -> dict[str, Any]:
    """The configuration that the words make, checked."""
    if any(word.lstrip("+").startswith("resume=") for word in words):
        raise UserError("resume: not with surrogates; allowed: the other options of train")
    composed = compose_run(words, "surrogates")
    for note in composed.notes:
        print(note)
    return composed.config


def _portraits(config: dict[str, Any]) -> list[Any]:
    """One of each option, the chosen one with its own values, and those of single layers.

    What is chosen comes first.
    """
    # Imports torch: only once the words are known to be good.
    from surrolab.pictures.portrait import Portrait
    from surrolab.run.construct import build
    from surrolab.surrogates.base import NORMALIZATIONS

    def can(node: dict[str, Any], mode: str) -> bool:
        try:
            build("surrogate", node | {"normalize": mode})
        except UserError:
            return False
        return True

    def portrait(name: str, option: str, node: dict[str, Any], current: bool) -> Portrait:
        return Portrait(
            name=name,
            surrogate=build("surrogate", node),
            settings=_settings(node),
            defaults=_settings(shipped[option]),
            modes=[mode for mode in NORMALIZATIONS if "normalize" in node and can(node, mode)],
            current=current,
        )

    chosen = config["surrogate"]
    shipped = {name: _converted(node) for name, node in options("surrogate").items()}
    portraits = []
    for name, node in shipped.items():
        current = node["_target_"] == chosen["_target_"]
        portraits.append(portrait(name, name, chosen if current else node, current))
    for layer, given in config["layer_surrogates"].items():
        option = given["option"]
        node = shipped[option] | {key: value for key, value in given.items() if key != "option"}
        portraits.append(portrait(f"{layer}: {option}", option, node, current=True))
    return sorted(portraits, key=lambda portrait: not portrait.current)


def _converted(node: dict[str, Any]) -> dict[str, Any]:
    table = GROUPS["surrogate"]
    return {key: table[key].convert(v) if key in table else v for key, v in node.items()}


def _settings(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "_target_"}


def _print_table(portraits: Sequence[Any]) -> None:
    """A row each in columns; a few lines each on a terminal that is too narrow for them."""
    rows = [_row(portrait) for portrait in portraits]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_COLUMNS, *rows)
    ]
    terminal = sys.stdout.isatty()
    if terminal and shutil.get_terminal_size().columns < max(map(len, lines)):
        lines = [line for row in rows for line in _block(row)]
    print("\n".join(lines))
    if terminal:
        print(
            "\n* chosen by this configuration; [mode] of normalize in force; window: half width of "
            "where |h| is at least 1 % of its peak"
        )


def _block(row: tuple[str, ...]) -> tuple[str, ...]:
    cells = dict(zip(_COLUMNS, row, strict=True))
    settings = [f"{key} {cells[key]}" for key in ("slope", "scale", "normalize")]
    others = [] if cells["other"] == "-" else [cells["other"]]
    return (
        cells["name"],
        f"    {cells['formula']}",
        "    " + "  ".join([*settings, *others]),
        "    " + "  ".join(f"{key} {cells[key]}" for key in ("peak", "area", "window")),
        f"    {cells['source']}",
    )


def _row(portrait: Any) -> tuple[str, ...]:
    settings = portrait.settings
    mode = settings.get("normalize")
    return (
        f"{portrait.name} *" if portrait.current else portrait.name,
        portrait.formula,
        *(f"{settings[key]:g}" if key in settings else "-" for key in ("slope", "scale")),
        " ".join(f"{key}={value}" for key, value in portrait.others.items()) or "-",
        " ".join(f"[{name}]" if name == mode else name for name in portrait.modes) or "-",
        *(f"{value:.4g}" for value in portrait.figures),
        portrait.surrogate.source or "-",
    )
