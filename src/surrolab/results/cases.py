"""What the pages of cases share: a network that does not learn, and a remedy at a time.

A case's ``remedies`` are a training study, its ``instruments`` measurements of
`surrolab.results.measurements.gradient_diagnosis`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from surrolab.results import markdown
from surrolab.results.claims import Claim
from surrolab.results.figures import COLOURS
from surrolab.results.records import Record, Records
from surrolab.results.statistics import interval, said

LOW, HIGH, WIDTH = -2.0, 2.0, 0.05
"""The bins of ``membrane_share``, in thresholds from the threshold; the ends hold what is beyond.

A neuron at rest is at -1.
"""
WORKS = 0.9
"""Mean test accuracy from which a remedy is said to work."""
TINY = 1e-15
"""Smallest norm of dL/dU that is drawn."""


@dataclass(frozen=True)
class Trial:
    """The case itself, or one remedy.

    Args:
        label: in words, and in the words of the command line.
        values: of the parameters of ``remedies`` that tell its runs from all others.
    """

    label: str
    values: Mapping[str, Any]

    def runs(self, records: Records) -> Records:
        """Its runs."""
        return records.of("remedies", **self.values)

    def accuracy(self, records: Records) -> list[float]:
        """Test accuracy of each seed."""
        return [float(value) for value in self.runs(records).metric("test/accuracy")]

    def works(self, records: Records) -> bool:
        """Whether the network learns with it."""
        return interval(self.accuracy(records))[0] >= WORKS


def claim(trial: Trial, records: Records) -> Claim:
    """The row of a remedy, of which nothing was published."""
    return Claim(trial.label, None, trial.accuracy(records), trial.runs(records))


def look(records: Records, case: str, epochs: int) -> Records:
    """What the instruments said of a case after so many epochs."""
    return records.of("instruments", case=case, epochs=epochs)


def last_look(records: Records) -> int:
    """After how many epochs the last look was taken."""
    return max(int(record.values["epochs"]) for record in records.of("instruments"))


def told(records: Records, case: str, epochs: int) -> str:
    """What ``surrolab diagnose`` prints of the first seed, as a quotation."""
    first: Record = min(look(records, case, epochs), key=lambda record: record.seed)
    lines = first.metrics["findings"] or ["Nothing is found."]
    return "\n".join(f"> - {line}" for line in lines)


def outcome(trials: Sequence[Trial], records: Records) -> str:
    """Which remedies work and which do not, with the accuracy that each leads to."""
    good = [one for one in trials if one.works(records)]
    bad = [one for one in trials if not one.works(records)]

    def listed(some: Sequence[Trial]) -> str:
        return "; ".join(f"{one.label} ({said(one.accuracy(records), 1, 100)} %)" for one in some)

    parts = [
        f"Above {WORKS:.0%} comes {listed(good)}."
        if good
        else f"None of the remedies comes above {WORKS:.0%}."
    ]
    if bad:
        parts.append(f"Below stays {listed(bad)}.")
    return " ".join(parts)


def table(
    records: Records, cases: Mapping[str, str], columns: Mapping[str, tuple[str, str]]
) -> str:
    """Means over seeds as a Markdown table: cases by epochs, what the instruments read.

    Args:
        records: of the result.
        cases: labels by the case's name.
        columns: metric and format by heading.
    """
    rows = []
    epochs = sorted({int(record.values["epochs"]) for record in records.of("instruments")})
    for case, label in cases.items():
        for epoch in epochs:
            some = look(records, case, epoch)
            cells = [_mean(some, metric, form) for metric, form in columns.values()]
            rows.append([label, str(epoch), *cells])
    return markdown.table(["", "epochs", *columns], rows)


def values_of(records: Records, metric: str) -> list[float]:
    """A metric where it could be said."""
    found = [record.metrics.get(metric) for record in records]
    return [float(value) for value in found if value is not None]


def _mean(records: Records, metric: str, form: str) -> str:
    found = values_of(records, metric)
    return format(sum(found) / len(found), form) if found else "-"


def draw_accuracy(axis: Axes, trials: Sequence[Trial], records: Records) -> None:
    """Test accuracy of each, a dot for each seed; the first is the case itself."""
    for row, trial in enumerate(trials):
        ours = trial.accuracy(records)
        colour = "tab:gray" if row == 0 else "tab:green" if trial.works(records) else "tab:red"
        axis.barh(row, interval(ours)[0], height=0.6, color=colour, alpha=0.5)
        axis.plot(ours, [row] * len(ours), "o", color=colour, markersize=3)
    labels = ["the case", *(trial.label.replace("`", "") for trial in trials[1:])]
    axis.set_yticks(range(len(trials)), labels)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.tick_params(labelsize=7)
    axis.set_title("test accuracy, one remedy at a time", fontsize=9)


def draw_membranes(axis: Axes, records: Records, cases: Mapping[str, str], epochs: int) -> None:
    """Where the membranes of hidden1 lie, and as bars below it how far each surrogate reaches."""
    for number, (case, label) in enumerate(cases.items()):
        some = look(records, case, epochs)
        shares = [record.metrics["hidden1/membrane_share"] for record in some]
        mean = [sum(column) / len(column) for column in zip(*shares, strict=True)]
        edges = [LOW + WIDTH * n for n in range(len(mean) + 1)]
        colour = COLOURS[number]
        axis.stairs(mean, edges, color=colour, label=label)
        window = sum(values_of(some, "hidden1/window")) / len(some)
        axis.plot(
            [max(LOW, -window), min(HIGH, window)],
            [10 ** (-5.4 - 0.3 * number)] * 2,
            color=colour,
            linewidth=3,
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yscale("log")
    axis.set_ylim(10 ** (-5.8 - 0.3 * len(cases)), 1)
    axis.set_xlim(LOW, HIGH)
    axis.set_xlabel("(U - theta) / theta; bars below: the surrogate's window", fontsize=8)
    axis.set_title(f"{_when(epochs)}: share of neuron-steps, hidden1", fontsize=9)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=6)


def draw_flow(axis: Axes, records: Records, cases: Mapping[str, str], epochs: int) -> None:
    """Norm of dL/dU of hidden1 over time, geometric means over the seeds; zeros are left out."""
    for number, (case, label) in enumerate(cases.items()):
        norms = [record.metrics["hidden1/gradient_norm"] for record in look(records, case, epochs)]
        mean = []
        for column in zip(*norms, strict=True):
            logs = [math.log(value) for value in column if value is not None and value > TINY]
            mean.append(math.exp(sum(logs) / len(logs)) if logs else math.nan)
        nothing = all(math.isnan(value) for value in mean)
        axis.plot(mean, color=COLOURS[number], label=f"{label}: none" if nothing else label)
    axis.set_yscale("log")
    axis.set_xlabel("time step", fontsize=8)
    axis.set_title(f"{_when(epochs)}: norm of dL/dU, hidden1", fontsize=9)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=6)


def _when(epochs: int) -> str:
    return "before the first step" if epochs == 0 else f"after {epochs} epochs"
