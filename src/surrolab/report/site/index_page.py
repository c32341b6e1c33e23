"""The first page of the site: all runs, their curves, and surrogates side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from surrolab.pictures.page import render
from surrolab.report.drawing import DASH, label, number, rounded, script_json
from surrolab.report.epochs import MEAN_RATE
from surrolab.report.section import packed, part
from surrolab.report.site.axes import short
from surrolab.report.site.epoch_curves import thinned
from surrolab.report.site.run_file import STATES, RunFile
from surrolab.report.site.run_page import POLICY
from surrolab.report.study_file import finite
from surrolab.report.summary import Cell, duration

POINTS = 60  # of a curve; longer ones are thinned
MOST_CURVES = 60  # metrics
USUAL = (
    *("val/accuracy", "val/mse", "val/loss", "train/accuracy", "train/loss", MEAN_RATE),
    *("synops/effective_acs", "time/epoch_s"),
)
# What surrogates are compared by: its name, its metric, its title.
MEASURES = (
    ("val", "val/accuracy", "val/accuracy"),
    ("test", "test/accuracy", "test/accuracy"),
    ("val_mse", "val/mse", "val/mse"),
    ("test_mse", "test/mse", "test/mse"),
    ("rate", MEAN_RATE, "mean rate"),
    ("acs", "synops/effective_acs", "effective ACs"),
)


@dataclass(frozen=True)
class Row:
    """A run in the index, and what is not in its files' numbers.

    Args:
        run: it.
        sweep: the name of its sweep, if it has one.
        alignment: the last cosine with the smoothed network's gradient.

    What is shown of it is made with it, so that a run of which that cannot be made is known then.
    """

    run: RunFile
    sweep: str | None
    alignment: float | None
    cells: list[Cell] = field(init=False)
    facts: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", [cell(self) for _, cell in _columns()])
        object.__setattr__(self, "facts", _facts(self))


@dataclass(frozen=True)
class SweepLink:
    """A sweep, the address of its page, and what there is to say of it."""

    name: str
    page: str
    says: str


def index_page(
    rows: Sequence[Row], sweeps: Sequence[SweepLink], curves: Sequence[str], notes: Sequence[str]
) -> str:
    """The page.

    Args:
        rows: of the table.
        sweeps: that it leads to.
        curves: the metrics that have a file of curves each, see :func:`curve_files`.
        notes: what was left out, and why.
    """
    heads = [head for head, _ in _columns()]
    cells = [row.cells for row in rows]
    numeric = [any(isinstance(line[i].key, float) for line in cells) for i in range(len(heads))]
    shown = [i for i in range(len(heads)) if any(line[i].text != DASH for line in cells)]
    runs = [row.facts for row in rows]
    return render(
        "site/index.html.j2",
        number,
        room="surrolab.report",
        policy=POLICY,
        heads=[heads[i] for i in shown],
        numeric=[numeric[i] for i in shown],
        rows=[(row, [line[i] for i in shown]) for row, line in zip(rows, cells, strict=True)],
        counts=", ".join(
            f"{count} {state}"
            for state in STATES
            if (count := sum(row.run.status == state for row in rows))
        ),
        filters=[
            ("surrogate", _kinds(fact["surrogate"] for fact in runs)),
            ("data", _kinds(fact["data"] for fact in runs)),
            ("model", _kinds(fact["model"] for fact in runs)),
            ("status", [state for state in STATES if any(r.run.status == state for r in rows)]),
            ("sweep", _kinds(row.sweep or "" for row in rows)),
        ],
        sweeps=sweeps,
        curves=curves,
        notes=notes,
        data=Markup(script_json({"runs": runs, "curves": list(curves)})),
    )


def curve_files(rows: Sequence[Row]) -> dict[str, str]:
    """By metric, a script that hands the curves of all runs to the page."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in dict.fromkeys(name for end in row.run.ends for name in end):
            if name not in ("step", "epoch", "train/loss_step"):
                counts[name] = counts.get(name, 0) + 1
    usual = [name for name in USUAL if name in counts]
    others = sorted((name for name in counts if name not in usual), key=lambda n: (-counts[n], n))
    chosen = [*usual, *sorted(others[: max(0, MOST_CURVES - len(usual))])]
    found = {}
    for place, name in enumerate(chosen):
        lines: dict[str, Any] = {}
        for row in rows:
            epochs, curve = thinned(row.run.ends, name, POINTS)
            if curve:
                even = epochs == list(range(1, len(epochs) + 1))
                curve = [short(value, 4) for value in curve]
                lines[row.run.key] = curve if even else {"x": epochs, "y": curve}
        found[name] = f'surrolab.curves({place},"{packed(lines)}");\n'
    return found


def _facts(row: Row) -> dict[str, Any]:
    """What the page's script knows of a run."""
    run = row.run
    values = {key: run.last(metric) for key, metric, _ in MEASURES}
    values |= {"alignment": row.alignment, "duration": run.duration}
    values["time"] = _time_of_epoch(run)
    return {
        "key": run.key,
        "page": run.page,
        "name": run.name,
        "group": run.group,
        "seed": run.seed,
        "status": run.status,
        "surrogate": _surrogate(run),
        "data": run.options.get("data", ""),
        "model": run.options.get("model", ""),
        "sweep": row.sweep or "",
        "settings": _settings(run),
        **{key: rounded(value) for key, value in values.items()},
    }


def _columns() -> list[tuple[str, Any]]:
    """Heads, and what makes a cell of a row."""
    return [
        ("run", lambda row: Cell(row.run.name, row.run.name, f"runs/{row.run.page}")),
        ("sweep", lambda row: _word(row.sweep or "")),
        ("trial", lambda row: _count(row.run.place.trial)),
        ("status", lambda row: _word(row.run.status)),
        ("surrogate", lambda row: _word(_surrogate(row.run))),
        ("slope", lambda row: _setting(row.run, "surrogate.slope", "slope")),
        ("scale", lambda row: _setting(row.run, "surrogate.scale", "scale")),
        ("data", lambda row: _word(row.run.options.get("data", ""))),
        ("model", lambda row: _word(row.run.options.get("model", ""))),
        ("engine", lambda row: _word(row.run.engine)),
        ("seed", lambda row: _count(row.run.seed)),
        ("epochs", lambda row: _count(row.run.epochs)),
        *(
            (title, lambda row, metric=metric: _value(row.run.last(metric)))
            for _, metric, title in MEASURES
        ),
        ("alignment", lambda row: _value(row.alignment)),
        ("duration", lambda row: Cell(duration(row.run.duration), row.run.duration)),
        ("findings", lambda row: _count(len(row.run.findings))),
        ("started", _started),
        ("notes", lambda row: _word(label(row.run.config.get("logger.notes") or ""))),
        ("directory", lambda row: _word(_place(row.run))),
    ]


def _started(row: Row) -> Cell:
    return Cell(row.run.started.strftime("%Y-%m-%d %H:%M"), row.run.started.timestamp())


def _place(run: RunFile) -> str:
    return "/".join(run.path.parts[-2:])


def _word(text: str) -> Cell:
    return Cell(text or DASH, text or None)


def _count(value: int | None) -> Cell:
    return Cell(number(value), finite(value))


def _value(value: float | None) -> Cell:
    return Cell(number(value), rounded(value))


def _setting(run: RunFile, key: str, group: str) -> Cell:
    value = finite(run.config.get(key))
    schedule = run.options.get(group, "constant")
    moves = "" if schedule == "constant" else f" {schedule}"
    return Cell(f"{number(value)}{moves}", value)


def _settings(run: RunFile) -> str:
    parts = []
    for key in ("slope", "scale"):
        text = _setting(run, f"surrogate.{key}", key).text
        parts += [f"{key} {text}"] if text != DASH else []
    return ", ".join(parts)


def _surrogate(run: RunFile) -> str:
    name = run.options.get("surrogate", "")
    return f"{name} and others by layer" if _own(run.config) else name


def _own(config: Mapping[str, Any]) -> bool:
    return any(key.startswith("layer_surrogates.") for key in config)


def _time_of_epoch(run: RunFile) -> float | None:
    known = run.last("time/epoch_s")
    if known is None and run.duration is not None and run.epochs and run.status == "completed":
        return run.duration / run.epochs
    return known


def _kinds(found: Any) -> list[str]:
    return sorted({kind for kind in found if kind})


def assets() -> dict[str, str]:
    """The files that all pages share, by name."""
    shared = {name: part(name) for name in ("page.css", "page.js")}
    return shared | {name: part(f"site/{name}") for name in ("site.css", "index.js")}
