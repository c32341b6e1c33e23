"""The command line."""

import argparse
from pathlib import Path

from environments import CHECKOUT

PARTS = ("neuron", "memory", "layer", "steps", "onm", "scaling")


def arguments(description: str | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/bench/engines", description=description)
    parser.add_argument("--part", nargs="+", choices=PARTS, help="all unless given")
    parser.add_argument("--quick", action="store_true", help="few rounds, few shapes")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let the C library keep freed memory, as training does",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=CHECKOUT / "docs" / "engines")
    parser.add_argument("--redraw", action="store_true", help="tables and picture from the JSON")
    parser.add_argument(
        "--peers", type=Path, default=Path.home() / ".cache" / "surrolab-bench", metavar="DIR"
    )
    parser.add_argument(
        "--here",
        action="store_true",
        help="install nothing: this interpreter, with the peers that it happens to have",
    )
    return parser.parse_args()
