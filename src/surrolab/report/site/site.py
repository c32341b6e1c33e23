"""The site: what is read again, what is written again, and what is taken away."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surrolab.errors import one_line
from surrolab.report.section import plotly
from surrolab.report.site.discover import Place, discover
from surrolab.report.site.index_page import Row, SweepLink, assets, curve_files, index_page
from surrolab.report.site.run_file import RunFile, page_name, read_run, signature
from surrolab.report.site.run_page import POLICY, alignment, run_page

MARK = b'name="generator" content="surrolab report"'


@dataclass(frozen=True)
class Written:
    """What a look at the directories came to.

    Args:
        index: the first page.
        runs: how many runs there are.
        sweeps: and sweeps.
        foreign: directories with a ``config.yaml`` or ``result.json`` that are no runs.
        broken: directories that no page could be made of, and why.
        changed: how many runs were read anew.
    """

    index: Path
    runs: int
    sweeps: int
    foreign: int
    broken: dict[Path, str]
    changed: int


class Site:
    """Pages made from run and sweep directories, which can be made anew as the runs go on.

    Args:
        paths: run directories, sweep directories, or folders above them.
        output: the folder of the site.
    """

    def __init__(self, paths: Iterable[Path], output: Path) -> None:
        self.paths = list(paths)
        self.output = output
        self._seen: dict[Path, tuple[Any, ...]] = {}
        self._rows: dict[Path, Row | None] = {}  # None where a directory is no run
        self._broken: dict[Path, str] = {}

    def write(self) -> Written:
        """Write all that has changed since the last time.

        Raises:
            OSError: the folder cannot be written.
        """
        for folder in ("assets", "runs", "curves", "sweeps"):
            (self.output / folder).mkdir(parents=True, exist_ok=True)
        found = discover(self.paths)
        names = {path: path.name for path in found.sweeps}
        changed = [place for place in found.runs if self._read(place, names)]
        rows = [row for place in found.runs if (row := self._rows[place.path]) is not None]
        rows.sort(key=lambda row: row.run.started, reverse=True)
        if not (self.output / "assets" / "plotly.min.js").exists():
            put(self.output / "assets" / "plotly.min.js", plotly())
        for name, text in assets().items():
            put(self.output / "assets" / name, text)
        sweeps, failed = self._sweeps(found.sweeps, {row.run.path: row.run for row in rows})
        curves = curve_files(rows)
        for place, text in enumerate(curves.values()):
            put(self.output / "curves" / f"{place}.js", text)
        broken = {p.path: self._broken[p.path] for p in found.runs if p.path in self._broken}
        foreign = len(found.runs) - len(rows) - len(broken)
        notes = _notes(foreign, failed, broken)
        put(self.output / "index.html", index_page(rows, sweeps, list(curves), notes))
        self._clear("runs", {row.run.page for row in rows})
        self._clear("sweeps", {link.page.rpartition("/")[2] for link in sweeps})
        index = self.output / "index.html"
        return Written(index, len(rows), len(found.sweeps), foreign, broken, len(changed))

    def _read(self, place: Place, sweeps: dict[Path, str]) -> bool:
        """Read a run and write its page, where something has changed."""
        seen = signature(place)
        if self._seen.get(place.path) == seen:
            return False
        self._broken.pop(place.path, None)
        self._rows[place.path] = None
        try:
            made = _made(place, seen, sweeps)
        except Exception as error:  # one directory that nobody has thought of hides no other
            self._broken[place.path] = f"{type(error).__name__}: {one_line(error)}"
        else:
            if made is not None:
                row, page = made
                put(self.output / "runs" / row.run.page, page)
                self._rows[place.path] = row
        self._seen[place.path] = seen
        return True

    def _sweeps(
        self, directories: Sequence[Path], runs: dict[Path, RunFile]
    ) -> tuple[list[SweepLink], int]:
        """Write the pages of sweeps; links to them, and how many have no page."""
        if not directories:
            return [], 0
        from surrolab.report.sweep import Surroundings, sweep_page  # Optuna takes its time

        def page(path: Path) -> str | None:
            run = runs.get(path.resolve())
            return None if run is None else f"../runs/{run.page}"

        allowed = POLICY.partition("script-src ")[2].partition(";")[0]
        scripts = ("../assets/page.js", "../assets/plotly.min.js")
        site = Surroundings(scripts, allowed, "../index.html", page)
        links, failed = [], 0
        for directory in directories:
            own = [run for run in runs.values() if run.place.sweep == directory]
            says = f"{len(own)} runs"
            name = page_name(directory)
            seen = (_changed(directory / "study.json"), *(self._seen[run.path] for run in own))
            if self._seen.get(directory / "study.json") != seen:
                try:
                    made = sweep_page(directory, site)
                except Exception:  # as with runs
                    failed += 1
                    links.append(SweepLink(directory.name, "", f"{says}; study.json is not whole"))
                    continue
                put(self.output / "sweeps" / name, made)
                self._seen[directory / "study.json"] = seen
            links.append(SweepLink(directory.name, f"sweeps/{name}", says))
        return links, failed

    def _clear(self, folder: str, kept: set[str]) -> None:
        """Take away the pages of runs that are not there any more: this site's own, no others."""
        for path in (self.output / folder).glob("*.html"):
            if path.name not in kept:
                with contextlib.suppress(OSError):
                    if MARK in path.read_bytes()[:1000]:
                        path.unlink()


def write_site(paths: Iterable[Path], output: Path) -> Path:
    """Make the site; its first page.

    Args:
        paths: run directories, sweep directories, or folders above them.
        output: the folder of the site.

    Raises:
        OSError: the folder cannot be written.
    """
    return Site(paths, output).write().index


def put(path: Path, text: str) -> None:
    """Write a file that is whole or as it was, and leave alone one that says the same."""
    data = text.encode("utf-8", errors="replace")
    with contextlib.suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    # It can be made again: its data need not be on the disk before its name is.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _made(place: Place, seen: tuple[Any, ...], sweeps: dict[Path, str]) -> tuple[Row, str] | None:
    """A run's row in the index, and its page."""
    run = read_run(place, seen)
    if run is None:
        return None
    sweep = None
    if place.sweep:
        address = f"../sweeps/{page_name(place.sweep)}" if place.sweep in sweeps else ""
        sweep = (place.sweep.name, address)
    return Row(run, sweep[0] if sweep else None, alignment(run)), run_page(run, sweep)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _notes(foreign: int, failed: int, broken: dict[Path, str]) -> list[str]:
    notes = [f"No page could be made of {path} ({why})." for path, why in broken.items()]
    if foreign:
        notes.append(
            f"{foreign} more {'directory has' if foreign == 1 else 'directories have'} a "
            "config.yaml or result.json that is not of a run."
        )
    if failed:
        notes.append(f"The study.json of {failed} sweeps is not whole.")
    return notes
