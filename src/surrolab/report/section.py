"""A part of a page: a heading, what to read from it, and its plots."""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from surrolab.report.drawing import Figure


@dataclass(frozen=True)
class Section:
    """A heading, one sentence of what to read from it, and plots; or why there are none.

    Args:
        key: its name in addresses.
        title: its heading.
        reads: the sentence.
        figures: the plots, which share what the reader chooses.
        nothing: said where there are no plots.
        legend: the words at the two ends of a row of colours.
        note: said below.
        choose: what the reader chooses from the list.
        side_by_side: whether the plots share a row where there is room.
    """

    key: str
    title: str
    reads: str
    figures: Sequence[Figure] = ()
    nothing: str = ""
    legend: tuple[str, str] | None = None
    note: str = ""
    choose: str = "metric"
    side_by_side: bool = False
    choices: list[str] = field(init=False)

    def __post_init__(self) -> None:
        names = [name for name, _ in self.figures[0].choices] if self.figures else []
        object.__setattr__(self, "choices", names if len(names) > 1 else [])


def part(name: str) -> str:
    """The style or script of this name, which pages share."""
    return files("surrolab.report").joinpath(name).read_text(encoding="utf-8")


def plotly() -> str:
    """The plotting library."""
    return files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """What a page's policy knows a script by: no other is run, whatever got into the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def packed(value: Any) -> str:
    """JSON, deflated and in signs that mean nothing to a page: a third of its size."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()
