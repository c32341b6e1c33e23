"""A record of each run: small enough to be committed, and all that tables are made of."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from surrolab.errors import UserError
from surrolab.files import write_text

# Of a training run's metrics; those of a measurement are all kept.
KEPT = ("test/", "val/", "train/accuracy", "train/loss", "spikes/", "synops/effective")
LEFT_OUT = ("test/spikes/", "val/spikes/")
FIGURES = 6  # significant digits


@dataclass(frozen=True)
class Record:
    """A run, or a measurement.

    Args:
        study: of the result's file.
        values: of the study's parameters, by name.
        seed: of the run.
        status: "completed" or "pruned".
        reason: why its figures are what they are, where a word is due: "diverged", "silent: ...".
        metrics: figures by name, rounded to six digits; a measurement's may be lists.
        duration_s: seconds, of all attempts together.
        commit: of the code that made it, "+" behind it where that was changed; None: not known.
        command: the line that makes the run again; "" of a measurement, which its result's does.
    """

    study: str
    values: dict[str, Any]
    seed: int
    status: str
    reason: str | None
    metrics: dict[str, Any]
    duration_s: float
    commit: str | None
    command: str

    @property
    def order(self) -> tuple[Any, ...]:
        """By study, parameters and seed, whichever worker was first."""
        return self.study, [(name, place(v)) for name, v in sorted(self.values.items())], self.seed


def place(value: Any) -> tuple[int, Any]:
    """Where a value stands among others: numbers by size, what is none first, the rest as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 1, value
    return (0, 0) if value is None else (2, json.dumps(value))


class Records(tuple[Record, ...]):
    """Records, and ways to choose among them."""

    __slots__ = ()

    def of(self, study: str | None = None, **values: Any) -> "Records":
        """Those of a study whose parameters have these values (``**{"optimizer.lr": 0.05}``)."""
        return Records(
            record
            for record in self
            if study in (None, record.study)
            and all(record.values.get(name) == value for name, value in values.items())
        )

    def completed(self) -> "Records":
        """Those that were not pruned."""
        return Records(record for record in self if record.status == "completed")

    def by(self, *names: str) -> "dict[tuple[Any, ...], Records]":
        """Groups of equal values of these parameters, in the order of the values."""
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in self:
            found = (record.values.get(name) for name in names)
            key = tuple(tuple(v) if isinstance(v, list) else v for v in found)
            groups.setdefault(key, []).append(record)
        ordered = sorted(groups, key=lambda key: [place(value) for value in key])
        return {key: Records(groups[key]) for key in ordered}

    def metric(self, name: str) -> list[Any]:
        """Its values, in the order of the seeds.

        Raises:
            KeyError: a record does not have it.
        """
        return [record.metrics[name] for record in sorted(self, key=lambda r: (r.seed, r.order))]

    def each_seed(self, name: str, join: Callable[[list[float]], float] = fmean) -> list[float]:
        """For each seed one value of all of its records."""
        return [
            join([record.metrics[name] for record in self if record.seed == seed])
            for seed in sorted({record.seed for record in self})
        ]

    def mean(self, name: str) -> float:
        """Mean over the records."""
        return fmean(self.metric(name))

    def time_s(self) -> float:
        """Seconds of all runs together."""
        return sum(record.duration_s for record in self)

    def commits(self) -> list[str]:
        """Of the code that made them, each once."""
        return sorted({record.commit or "unknown" for record in self})


def best(records: Records, by: Sequence[str], metric: str = "val/accuracy") -> Records:
    """The group of equal ``by`` values whose mean of a validation metric is highest.

    Test figures are never asked: what is chosen by them says nothing of other samples.

    Raises:
        ValueError: the metric is one of the test, or there are no records.
    """
    if metric.startswith("test/"):
        raise ValueError(f"metric: {metric} is not allowed; allowed: one of validation or training")
    groups = list(records.completed().by(*by).values())
    if not groups:
        raise ValueError("records: there are none to choose from")
    lower = metric.rpartition("/")[2] in ("loss", "mse", "mae")
    return max(groups, key=lambda group: group.mean(metric) * (-1 if lower else 1))


def kept(metrics: dict[str, Any]) -> dict[str, Any]:
    """Of a training run's metrics those that a record holds."""
    return {
        name: rounded(value)
        for name, value in metrics.items()
        if name.startswith(KEPT) and not name.startswith(LEFT_OUT)
    }


def rounded(value: Any) -> Any:
    """Plain data with numbers of six significant digits; what is not finite is None, as in JSON."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{FIGURES}g}") if math.isfinite(value) else None
    return value


def records_file(ledger: Path, result: str, budget: str) -> Path:
    """Where the records of a result at a budget are, below ``docs/results``."""
    return ledger / "records" / f"{result}.{budget}.jsonl"


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a line of JSON for each, in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(record)) for record in sorted(records, key=lambda r: r.order)]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_records(path: Path) -> Records:
    """The records of a file.

    Raises:
        UserError: the file holds something else.
    """
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            found.append(Record(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{path}: line {number} is no record ({error}); allowed: what surrolab reproduce "
                "writes"
            ) from error
    return Records(found)
