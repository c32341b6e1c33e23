"""``metrics.csv``: a row per logged step, each step once, also after a resume."""

import contextlib
import csv
import io
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers.logger import Logger

from surrolab.files import write_text


class MetricsFile(Logger):
    """Appends rows to a CSV file whose first column is ``step``.

    What is logged for one step becomes one row. A row is written when the next step is logged, or
    by :meth:`save`; the file is rewritten (atomically) only when a metric comes up for the first
    time, or when more comes in for the step written last. Steps are optimizer steps.

    Args:
        path: the file.
        last_step: rows of an earlier part of the run are kept up to this step; None keeps none.
    """

    def __init__(self, path: Path, last_step: int | None = None) -> None:
        super().__init__()
        self._path = path
        self._columns = ["step", "epoch"]
        self._pending: dict[str, Any] = {}
        self._written: int | None = None
        if getattr(rank_zero_only, "rank", 0) == 0:
            kept = [] if last_step is None else self._rows_until(last_step)
            self._written = int(kept[-1]["step"]) if kept else None
            self._rewrite(kept)

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration lies beside the file."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Take the values of a step into its row."""
        if step is None:
            raise ValueError("step: missing; every row of metrics.csv has one")
        if self._pending and self._pending["step"] != step:
            self.save()
        self._pending |= {"step": step, **metrics}

    @rank_zero_only
    def save(self) -> None:
        """Write the row of the current step."""
        if not self._pending:
            return
        row, self._pending = self._pending, {}
        again = row["step"] == self._written
        new = [name for name in row if name not in self._columns]
        self._written = row["step"]
        if new or again:
            rows = self._read()
            if again:
                row = rows.pop() | row
            self._columns += new
            self._rewrite([*rows, row])
            return
        with self._path.open("a", newline="") as file:
            file.write(self._format([row]))
            file.flush()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left."""
        self.save()

    def _rows_until(self, step: int) -> list[dict[str, Any]]:
        rows = self._read()
        kept = []
        for row in rows:
            try:
                if int(row["step"]) <= step:
                    kept.append(row)
            except (KeyError, ValueError):
                continue  # what a killed process left
        for row in kept:
            self._columns += [name for name in row if name not in self._columns]
        return kept

    def _read(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        return _whole_rows(self._path)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        write_text(self._path, ",".join(self._columns) + "\n" + self._format(rows))

    def _format(self, rows: list[dict[str, Any]]) -> str:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, self._columns, restval="", lineterminator="\n")
        writer.writerows(rows)
        return buffer.getvalue()


def last_metrics(path: Path) -> dict[str, float]:
    """The metrics of the last finished epoch in the file; nothing where there is none."""
    try:
        rows = [row for row in _whole_rows(path) if "val/loss" in row]
        last = rows[-1] if rows else {}
        return {name: float(last[name]) for name in last if name not in ("step", "epoch")}
    except (OSError, ValueError):
        return {}


def numbers_of(path: Path) -> list[tuple[int, dict[str, float]]]:
    """The rows of the file as step and metrics; nothing where there is no file."""
    found = []
    with contextlib.suppress(OSError):
        for row in _whole_rows(path):
            with contextlib.suppress(KeyError, ValueError):
                step = int(row.pop("step"))
                found.append((step, {name: float(value) for name, value in row.items()}))
    return found


def _whole_rows(path: Path) -> list[dict[str, Any]]:
    # A last line without an end was being written when the process was killed.
    whole = path.read_text().rpartition("\n")[0]
    return [
        {name: value for name, value in row.items() if name and value not in (None, "")}
        for row in csv.DictReader(whole.splitlines())
    ]
