"""A run as its directory tells it, however far it came."""

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from surrolab.locks import is_held
from surrolab.report.epochs import MEAN_RATE, read_ends
from surrolab.report.reading import read_json, read_text, read_yaml
from surrolab.report.site.defaults import options_of
from surrolab.report.site.discover import Place
from surrolab.report.study_file import finite

STATES = ("completed", "running", "unfinished", "interrupted", "pruned", "failed")
ENDED = ("completed", "interrupted", "pruned", "failed")
RECENT = 60  # seconds in which a run that has no lock yet is taken for one that begins
# What runs may differ in that are repetitions of each other.
_REPEATED = re.compile(r"seed$|name$|resume$|logger\.")
FILES = ("config.yaml", "overrides.txt", "provenance.json", "metrics.csv", "result.json")


@dataclass(frozen=True)
class Finding:
    """Something wrong with a layer, in words, and the epochs it was so in, counted from 1."""

    message: str
    epochs: tuple[int, int] | None


@dataclass(frozen=True)
class RunFile:
    """What a run directory says.

    Args:
        place: where it lies, and of which trial it is.
        status: one of :data:`STATES`; a run whose lock is held is running, whatever an earlier
            process left as its result; one that is not and has no result is unfinished.
        config: the resolved configuration, keys joined by dots; empty where it is not whole.
        options: by group, the option chosen.
        overrides: what was given on the command line.
        provenance: as in ``provenance.json``.
        metrics: the final ones; those of the last whole row where there is no result.
        ends: by epoch, the metrics at its end.
        findings: what was wrong.
        error: why it failed.
        duration: in seconds.
        best_epoch: counted from 1.
        samples: by split, how many there are.
        changed: when its files were last written, in seconds since 1970.
    """

    place: Place
    status: str
    config: Mapping[str, Any]
    options: Mapping[str, str]
    overrides: Sequence[str]
    provenance: Mapping[str, Any]
    metrics: Mapping[str, float]
    ends: Sequence[Mapping[str, float]]
    findings: Sequence[Finding]
    error: str
    duration: float | None
    best_epoch: int | None
    samples: Mapping[str, float]
    changed: float

    @property
    def path(self) -> Path:
        return self.place.path

    @cached_property
    def key(self) -> str:
        """Eight signs that no other directory has, the same every time."""
        return _key(self.path)

    @property
    def name(self) -> str:
        name = self.config.get("name")
        return name if isinstance(name, str) and name else self.path.name

    @property
    def seed(self) -> int | None:
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) and finite(seed) is not None else None

    @property
    def page(self) -> str:
        """File name of its page."""
        return page_name(self.path)

    @property
    def epochs(self) -> int:
        """How many have ended."""
        return len(self.ends)

    @cached_property
    def group(self) -> str:
        """The same for runs that differ in their seed and their name only."""
        if not self.config:
            return self.key
        same = {k: v for k, v in self.config.items() if not _REPEATED.match(k)}
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def processes(self) -> list[Mapping[str, Any]]:
        """What is known of the processes that ran it, one after another."""
        earlier = self.provenance.get("earlier")
        found = earlier if isinstance(earlier, list) else []
        return [one for one in (*found, self.provenance) if isinstance(one, dict) and one]

    @cached_property
    def times(self) -> list[datetime]:
        """When these began, as far as they say."""
        moments = [_moment(process.get("time")) for process in self.processes]
        return [moment for moment in moments if moment is not None]

    @cached_property
    def started(self) -> datetime:
        """When it began first, as far as anything says so."""
        return self.times[0] if self.times else datetime.fromtimestamp(self.changed, UTC)

    @property
    def engine(self) -> str:
        """What computed the layers; what was asked for where nothing says."""
        layers = self.provenance.get("layers")
        layers = layers.values() if isinstance(layers, dict) else []
        used = [str(facts.get("engine")) for facts in layers if isinstance(facts, dict)]
        return ", ".join(dict.fromkeys(used)) or str(self.config.get("engine", ""))

    def last(self, name: str) -> float | None:
        """The final metric, or the last that an epoch ended with."""
        if name in self.metrics:
            return self.metrics[name]
        return next((end[name] for end in reversed(self.ends) if name in end), None)


def signature(place: Place) -> tuple[Any, ...]:
    """Changes where a file of the run has changed, or its lock; its last item is when."""
    found: list[tuple[str, int, int]] = []
    for path in (*(place.path / name for name in FILES), place.path / "records"):
        for one in (path, *sorted(path.glob("*.npz"))) if path.name == "records" else (path,):
            try:
                stat = one.stat()
            except OSError:
                continue
            found.append((one.name, stat.st_mtime_ns, stat.st_size))
    changed = max((when for _, when, _ in found), default=0) / 1e9
    held = is_held(place.path)
    runs = time.time() - changed < RECENT if held is None else held
    return (*found, place.trial, held, runs, changed)


def read_run(place: Place, seen: tuple[Any, ...] | None = None) -> RunFile | None:
    """The run in the directory; None where it is not one of surrolab's.

    Args:
        place: the directory.
        seen: its :func:`signature`, where it is known.
    """
    seen = signature(place) if seen is None else seen
    path = place.path
    text = read_text(path / "config.yaml")
    config = read_yaml(text)
    result = read_json(path / "result.json")
    if not _is_run(path, text, config, result):
        return None
    held, runs = seen[-3:-1]
    status = result.get("status")
    if held and status != "completed":
        result = {}  # of an earlier process
    if held or status not in ENDED:
        status = "running" if runs else "unfinished"
    options = options_of(text, config)
    ends = read_ends(path / "metrics.csv")
    metrics = _numbers(result.get("metrics"))
    if not metrics and ends:
        metrics = {k: v for k, v in ends[-1].items() if k not in ("step", "epoch")}
    if MEAN_RATE not in metrics and ends and MEAN_RATE in ends[-1]:
        metrics[MEAN_RATE] = ends[-1][MEAN_RATE]
    best = finite(result.get("best_epoch"))
    findings = result.get("findings")
    return RunFile(
        place=place,
        status=status,
        config=config,
        options=options,
        overrides=read_text(path / "overrides.txt").splitlines(),
        provenance=read_json(path / "provenance.json"),
        metrics=metrics,
        ends=ends,
        findings=[
            Finding(str(one.get("message", "")), _epochs(one))
            for one in (findings if isinstance(findings, list) else [])
            if isinstance(one, dict)
        ],
        error=str(result.get("error") or ""),
        duration=finite(result.get("duration_s")),
        best_epoch=None if best is None else int(best) + 1,
        samples=_numbers(result.get("samples")),
        changed=float(seen[-1]),
    )


def page_name(directory: Path) -> str:
    """The file name of a directory's page: its own name as far as any system takes it."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", directory.name).strip("-")[:40]
    return f"{words}-{_key(directory)}.html" if words else f"{_key(directory)}.html"


def _key(directory: Path) -> str:
    return hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]


def _is_run(path: Path, text: str, config: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    if "status" in result and "metrics" in result:
        return True
    if str(config.get("surrogate._target_", "")).startswith("surrolab."):
        return True
    # A configuration that is not whole lies beside other files of a run.
    if text and config:
        return False
    return any((path / name).is_file() for name in ("overrides.txt", "provenance.json", ".lock"))


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _numbers(found: Any) -> dict[str, float]:
    items = found.items() if isinstance(found, dict) else ()
    numbers = {str(name): finite(value) for name, value in items}
    return {name: value for name, value in numbers.items() if value is not None}


def _epochs(finding: Mapping[str, Any]) -> tuple[int, int] | None:
    first, last = finite(finding.get("first_epoch")), finite(finding.get("last_epoch"))
    if first is None or last is None or not math.isfinite(first + last):
        return None
    return int(first) + 1, int(last) + 1
