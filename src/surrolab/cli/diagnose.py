"""``surrolab diagnose RUN_DIR``: what a saved run's gradient is worth."""

import argparse
from pathlib import Path
from typing import NoReturn

from surrolab.errors import UserError
from surrolab.run.directory import RunDirectory

CHECKPOINTS = ("best", "last", "initial")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; allowed: see surrolab diagnose --help")


def run_command(words: list[str]) -> int:
    """Diagnose a run, leave pictures and numbers, and print the reading; the exit status.

    Raises:
        UserError: no run's directory, a checkpoint that cannot be loaded, an option out of range,
            or an output directory that cannot be written.
    """
    arguments = _arguments(words)
    directory = RunDirectory.existing(Path(arguments.run_dir), "RUN_DIR", writable=False)
    output = Path(arguments.output) if arguments.output else directory.path / "diagnosis"
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--output: {output} cannot be written ({error.strerror}); allowed: a directory that "
            "can"
        ) from error
    # Only now: it takes seconds.
    from surrolab.run.diagnose import diagnose_run

    diagnose_run(
        directory,
        output,
        checkpoint=arguments.checkpoint,
        samples=arguments.samples,
        draws=arguments.draws,
        reference_slope=arguments.reference_slope,
        seed=arguments.seed,
        loop=arguments.loop,
    )
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="surrolab diagnose",
        description="Say where the gradient of a saved run goes, whether it arrives and which way "
        "it points, and what to change. Writes diagnosis.html, diagnosis.json and pictures.",
        epilog="for example: surrolab diagnose outputs/runs/latest",
        allow_abbrev=False,
    )
    parser.add_argument("run_dir", metavar="RUN_DIR", help="the directory of a run")
    parser.add_argument(
        "--checkpoint",
        choices=CHECKPOINTS,
        default="best",
        help="the weights: best on validation (default), last, or initial: before the first step",
    )
    parser.add_argument(
        "--samples", type=_at_least(1), default=32, help="validation samples to look at (32)"
    )
    parser.add_argument(
        "--draws",
        type=_draws,
        default=256,
        help="draws of the escape-noise references, a multiple of 16; 0 leaves them out (256)",
    )
    parser.add_argument(
        "--reference-slope",
        type=_positive,
        default=4.0,
        help="of the fixed reference's logistic noise, times the threshold (4)",
    )
    parser.add_argument("--seed", type=_at_least(0), default=0, help="of draws and loop (0)")
    parser.add_argument(
        "--no-loop", dest="loop", action="store_false", help="leave out the closed-loop test"
    )
    parser.add_argument("--output", help="where to write (RUN_DIR/diagnosis)")
    return parser.parse_args(words)


def _at_least(least: int) -> "type[int]":
    def convert(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(
                f"{value} is not allowed; allowed: a whole number of at least {least}"
            )
        return value

    convert.__name__ = "whole number"
    return convert  # type: ignore[return-value]


def _draws(text: str) -> int:
    value = int(text)
    if value and (value < 32 or value % 16):
        raise argparse.ArgumentTypeError(
            f"{value} is not allowed; allowed: 0, or a multiple of 16 from 32"
        )
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not allowed; allowed: a number above 0")
    return value


_draws.__name__ = "whole number"
_positive.__name__ = "number"
