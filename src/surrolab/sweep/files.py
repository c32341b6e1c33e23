"""Keeps the files of a sweep up to date while it runs, and says how it ended."""

import logging
import time
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console

from surrolab.sweep.export import export
from surrolab.sweep.patience import why
from surrolab.sweep.spec import Spec
from surrolab.sweep.table import study_trials

log = logging.getLogger(__name__)

# The page takes seconds to draw, which the trials do not have: no more of them than this.
SHARE = 0.02


class Files:
    """``study.json``, ``trials.csv`` and ``report.html``.

    Args:
        spec: of the study.
        study: Optuna's.
        directory: of the sweep.
        url: of the storage.
        command: the line that goes on with it.
    """

    def __init__(
        self, spec: Spec, study: optuna.Study, directory: Path, url: str, command: str
    ) -> None:
        self._spec = spec
        self._study = study
        self._directory = directory
        self._url = url
        self._command = command
        self._finished = -1
        self._said: str | None = None
        self._before = self._count()
        self._next_page = 0.0
        self._next_files = 0.0
        self.facts: dict[str, Any] = {}

    def look(self, end: bool) -> None:
        """Write what has changed; the page now and then, and at the end."""
        try:
            self._look(end)
            self._said = None
        except Exception as error:
            if self._said is None:  # once while a server or a disk is away
                self._said = why(error)
                log.warning("the sweep's files were not written: %s", self._said)
            log.debug("files of the sweep", exc_info=True)

    def _look(self, end: bool) -> None:
        now = time.monotonic()
        if not end and now < self._next_files:
            return
        finished = self._count()
        if finished == self._finished and not end:
            return
        self._finished = finished
        self.facts = export(self._spec, self._study, self._directory, self._url, self._command)
        self._next_files = time.monotonic() + (time.monotonic() - now) / SHARE
        if end or time.monotonic() > self._next_page:
            began = time.monotonic()
            from surrolab.report import write_sweep_report

            write_sweep_report(self._directory)
            self._next_page = time.monotonic() + max(10.0, (time.monotonic() - began) / SHARE)

    def _count(self) -> int:
        return sum(trial.state.is_finished() for trial in study_trials(self._study))

    def close(self) -> None:
        """Tell the tracker how the study stands, if that has changed."""
        if not self.facts or self._finished == self._before:
            return
        from surrolab.tracking.study import track_study

        track_study(self.facts, self._directory, self._spec.base.config["logger"])

    def summarize(self) -> None:
        """Print how it ended: counts, the best trial, and where to look."""
        facts = self.facts
        if not facts:
            return
        trials = facts["trials"]
        states = ("complete", "pruned", "failed", "running")
        counts = {state: sum(trial["state"] == state for trial in trials) for state in states}
        words = [f"{count} {state}" for state, count in counts.items() if count]
        console = Console()

        def say(line: str) -> None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

        say(f"study {facts['study']}: {', '.join(words) or 'no trials'}")
        names = [objective["name"] for objective in facts["objectives"]]
        by_number = {trial["number"]: trial for trial in trials}
        for number in facts["best"][:10]:
            trial = by_number[number]
            values = ", ".join(f"{n} {v:.4g}" for n, v in zip(names, trial["values"], strict=True))
            say(f"best: trial {number}, {values}")
            say(f"  {trial['command']}")
        say(f"report: {self._directory / 'report.html'}")
