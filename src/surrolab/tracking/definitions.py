"""What a workspace has to know of the metrics: the axis, the summary, and what is better."""

import math
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from surrolab.tracking.segments import STEP

if TYPE_CHECKING:
    import wandb

STAGES = ("train", "val", "test")
# What is better, less or more.
GOALS = {
    "train/loss_step": "min",
    **{
        f"{stage}/{name}": "min"
        for stage in ("train", "val", "test")
        for name in ("loss", "mse", "mae")
    },
    **{f"{stage}/accuracy": "max" for stage in ("train", "val", "test")},
}
# The summary keeps the best, but of the test: that is of the epoch chosen on validation, and the
# best of several would be chosen on the test.
BEST = {name: goal for name, goal in GOALS.items() if not name.startswith("test/")}
_SPIKING = ("spikes/*", "synops/*")
LAST = (
    *(name for name in GOALS if name.startswith("test/")),
    *(f"{stage}{family}" for stage in ("", "train/", "test/") for family in _SPIKING),
    *("test/accuracy_max_over_epochs", "test/mse_min_over_epochs", "test_by_epoch/*"),
    *("membrane/*", "gradients/*", "surrogate/*", "delays/*", "alignment/*"),
    *("time/*", "system/*", "epoch"),
)
MEDIA = ("activity/*", "histograms/*", "confusion/*", "surrogate")
_CHOICE: dict[str, Callable[[float, float], float]] = {"max": max, "min": min}


def summary_kind(name: str) -> str | None:
    """What the summary keeps of a metric: ``min``, ``max``, ``last``; None where just its value."""
    return BEST.get(name) or ("last" if any(fnmatch(name, p) for p in LAST) else None)


def best_values(
    rows: Iterable[tuple[int, Mapping[str, float]]],
) -> dict[str, dict[str, float]]:
    """The summary of what is kept at its best: ``{name: {"max": value}}``.

    Args:
        rows: optimizer step and metrics, of all of a run.
    """
    found: dict[str, dict[str, float]] = {}
    for _, row in rows:
        for name, value in row.items():
            kind = BEST.get(name)
            if kind is not None and math.isfinite(value):
                so_far = found.get(name, {}).get(kind, value)
                found[name] = {kind: _CHOICE[kind](so_far, value)}
    return found


def define_metrics(run: "wandb.Run") -> None:
    """Define all metrics of a run."""
    run.define_metric(STEP, hidden=True)
    # Of several patterns that a name fits W&B takes any: there is none for all the rest.
    for name in MEDIA:
        run.define_metric(name, step_metric=STEP)
    for name in LAST:
        run.define_metric(name, step_metric=STEP, summary="last")
    for name, kind in BEST.items():
        run.define_metric(name, step_metric=STEP, summary=kind)
    for name, better in GOALS.items():
        _define_goal(run, name, better)


def _define_goal(run: "wandb.Run", name: str, better: str) -> None:
    """Whether more or less is better; W&B keeps it, but its clients have ceased to offer it."""
    from wandb.proto import wandb_internal_pb2 as protocol

    kind: Any = protocol.MetricRecord  # type: ignore[attr-defined]
    goal = "GOAL_MAXIMIZE" if better == "max" else "GOAL_MINIMIZE"
    run._metric_callback(kind(name=name, goal=kind.MetricGoal.Value(goal)))
