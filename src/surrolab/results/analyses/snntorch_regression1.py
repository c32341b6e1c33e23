"""Regression tutorial 1 of snnTorch: a membrane follows a function of time."""

from typing import Any

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import COLOURS, scatter
from surrolab.results.records import Records, best
from surrolab.results.statistics import bounds, interval, said

PUBLISHED = 0.0122  # of the root, at the published learning rate
PUBLISHED_LR = 0.001
ERROR = "test/mae"  # the sample of the test is that of training
FUNCTIONS = ("sqrt", "linear")


def claims(records: Records) -> list[Claim]:
    """The error of each function, at the published learning rate and at the best."""
    found = []
    for function in FUNCTIONS:
        some = records.of(**{"data.function": function})
        published = PUBLISHED if function == "sqrt" else None
        for what, chosen in _settings(some).items():
            ours = chosen.metric(ERROR)
            holds = None if published is None else bounds(ours)[0] <= published
            claim = Claim(f"{function}, {what}", published, ours, chosen, holds, "L1 error", 4)
            found.append(claim)
    return found


def _settings(records: Records) -> dict[str, Records]:
    published: dict[str, Any] = {"optimizer.lr": PUBLISHED_LR}
    at_published = records.of(**published)
    found = {f"learning rate {PUBLISHED_LR:g}, as published": at_published} if at_published else {}
    chosen = best(records, ["optimizer.lr"], "val/mse")
    rate = chosen[0].values["optimizer.lr"]
    if rate != PUBLISHED_LR:
        found[f"best learning rate, {rate:g}"] = chosen
    return found


def figure(records: Records) -> Figure:
    """Error of each seed by learning rate, for both functions."""
    drawn = Figure(figsize=(7, 3.2), layout="constrained")
    axes = drawn.subplots(1, 2, sharey=True)
    for axis, function in zip(axes, FUNCTIONS, strict=True):
        groups = records.of(**{"data.function": function}).by("optimizer.lr")
        for at, group in enumerate(groups.values()):
            scatter(axis, at, group.metric(ERROR), color=COLOURS[at % len(COLOURS)])
        if function == "sqrt":
            axis.axhline(PUBLISHED, color="black", linewidth=0.8, label="published")
            axis.legend(fontsize=7)
        axis.set_xticks(range(len(groups)), [f"{key[0]:g}" for key in groups])
        axis.set_xlim(-0.6, len(groups) - 0.4)
        axis.set_yscale("log")
        axis.set_title(function, fontsize=9)
        axis.set_xlabel("learning rate", fontsize=8)
        axis.tick_params(labelsize=7, which="both")
    axes[0].set_ylabel("mean absolute error", fontsize=8)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    told = []
    for claim in claims(records):
        line = f"{claim.what}: {said(claim.ours, 4)}"
        if isinstance(claim.published, float):
            times = interval(claim.ours)[0] / claim.published
            line += (
                f", {times:.1f} times the published {claim.published:g}"
                if not claim.holds
                else f", which includes or is below the published {claim.published:g}"
            )
        told.append(line)
    return (
        f"The mean absolute error after training: {'; '.join(told)}. The published number is of "
        "one sample, and a mean of squared errors of training beside the one absolute error."
    )
