"""``surrolab diagnose RUN_DIR``: what a saved run's gradient is worth."""

import argparse
from pathlib import Path

from surrolab.cli.arguments import Parser, positive, whole_number, writing_to
from surrolab.run.directory import RunDirectory

CHECKPOINTS = ("best", "last", "initial")


def run_command(words: list[str]) -> int:
    """Diagnose a run, leave pictures and numbers, and print the reading; the exit status.

    Raises:
        UserError: no run's directory, a checkpoint that cannot be loaded, an option out of range,
            or an output directory that cannot be written.
    """
    arguments = _arguments(words)
    directory = RunDirectory.existing(Path(arguments.run_dir), "RUN_DIR", writable=False)
    output = Path(arguments.output) if arguments.output else directory.path / "diagnosis"
    with writing_to(output):
        pass  # Known before the work begins.
    from surrolab.run.diagnose import diagnose_run, leave

    found, about = diagnose_run(
        directory,
        checkpoint=arguments.checkpoint,
        samples=arguments.samples,
        draws=arguments.draws,
        reference_slope=arguments.reference_slope,
        seed=arguments.seed,
        loop=arguments.loop,
    )
    with writing_to(output):
        page = leave(found, about, output)
    print(found.reading)
    for said in found.findings:
        print(f"- {said.message}")
    print(page)
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = Parser(
        "see surrolab diagnose --help",
        prog="surrolab diagnose",
        description="Say where the gradient of a saved run goes, whether it arrives and which way "
        "it points, and what to change. Writes diagnosis.html, diagnosis.json and pictures.",
        epilog="for example: surrolab diagnose outputs/runs/latest",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR", help="the directory of a run")
    parser.add_argument(
        "--checkpoint",
        choices=CHECKPOINTS,
        default="best",
        help="the weights: best on validation (default), last, or initial: before the first step",
    )
    parser.add_argument(
        "--samples", type=whole_number(1), default=32, help="validation samples to look at (32)"
    )
    parser.add_argument(
        "--draws",
        type=_draws,
        default=256,
        help="draws of the escape-noise references, a multiple of 16; 0 leaves them out (256)",
    )
    parser.add_argument(
        "--reference-slope",
        type=positive,
        default=4.0,
        help="of the fixed reference's logistic noise, times the threshold (4)",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of draws and loop (0)")
    parser.add_argument(
        "--no-loop", dest="loop", action="store_false", help="leave out the closed-loop test"
    )
    parser.add_argument("--output", help="where to write (RUN_DIR/diagnosis)")
    return parser.parse_args(words)


def _draws(text: str) -> int:
    value = int(text)
    if value and (value < 32 or value % 16):
        raise argparse.ArgumentTypeError(
            f"{value} is not allowed; allowed: 0, or a multiple of 16 from 32"
        )
    return value


_draws.__name__ = "whole number"
