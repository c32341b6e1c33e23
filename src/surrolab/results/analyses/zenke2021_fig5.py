"""Zenke & Vogels 2021, figure 5: when does the height of the surrogate matter?"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import COLOURS, band
from surrolab.results.records import Record, Records, best
from surrolab.results.statistics import bounds, differences, interval, said

HEIGHTS = {"peak": "normalised", "area": "asymptotic"}
STUDIES = ("reset", "recurrence", "depth")
LOST = 0.05  # less than this is no loss
Case = tuple[str, str, dict[str, Any]]


def cases(records: Records) -> list[Case]:
    """Name, study and values of every curve over the slope."""
    found: list[Case] = []
    for height, name in HEIGHTS.items():
        values = {"surrogate.normalize": height}
        for detach, how in ((True, "reset detached"), (False, "gradient through the reset")):
            with_reset = {**values, "neuron.detach_reset": detach}
            found.append((f"{name}, {how}", "reset", with_reset))
            found.append((f"{name}, recurrent, {how}", "recurrence", with_reset))
        for (hidden,) in records.of("depth").by("model.hidden"):
            layers = "one hidden layer" if len(hidden) == 1 else f"{len(hidden)} hidden layers"
            found.append((f"{name}, {layers}", "depth", {**values, "model.hidden": list(hidden)}))
    run = [case for case in found if records.of(case[1], **case[2])]
    return sorted(run, key=lambda case: STUDIES.index(case[1]))


def loss(records: Records, case: Case) -> tuple[list[float], Records, float]:
    """Accuracy at the steepest slope less that at the best, by seed; the runs; the best slope."""
    _, study, values = case
    some = records.of(study, **values)
    slopes = some.by("surrogate.slope")
    steepest = slopes[max(slopes)]
    chosen = best(some, ["surrogate.slope"])
    lost = differences(steepest.metric("test/accuracy"), chosen.metric("test/accuracy"))
    return lost, some, chosen[0].values["surrogate.slope"]


def claims(records: Records) -> list[Claim]:
    """What each case loses at the steepest slope."""
    found = []
    for case in cases(records):
        lost, some, slope = loss(records, case)
        published, holds = None, None
        if case[1] == "reset" and not case[2]["neuron.detach_reset"]:
            falls = case[2]["surrogate.normalize"] == "area"
            published = "falls" if falls else "does not fall"
            holds = _falls(lost) if falls else interval(lost)[0] > -LOST
        steepest = max(key[0] for key in some.by("surrogate.slope"))
        what = f"{case[0]}: accuracy at slope {steepest:g} less that at the best ({slope:g})"
        found.append(Claim(what, published, lost, some, holds))
    for case in cases(records):
        if case[2]["surrogate.normalize"] == "area":
            gap, some, steepest = behind(records, case)
            what = f"{case[0]}: accuracy at slope {steepest:g} less that of the normalised one"
            found.append(Claim(what, None, gap, some))
    return found


def _falls(lost: list[float]) -> bool:
    return bounds(lost)[1] < 0 and interval(lost)[0] < -LOST


def behind(records: Records, case: Case) -> tuple[list[float], Records, float]:
    """Asymptotic less normalised at the steepest slope, by seed; the runs; that slope."""
    _, study, values = case
    runs: list[Record] = []
    found, steepest = [], 0.0
    for height in ("area", "peak"):
        slopes = records.of(study, **{**values, "surrogate.normalize": height}).by(
            "surrogate.slope"
        )
        steepest = max(slopes)[0]
        runs += slopes[max(slopes)]
        found.append(slopes[max(slopes)].metric("test/accuracy"))
    return differences(*found), Records(runs), steepest


def figure(records: Records) -> Figure:
    """Test accuracy over the slope: reset, recurrence, depth."""
    drawn = Figure(figsize=(12, 3.4), layout="constrained")
    axes = drawn.subplots(1, 3, sharey=True)
    for axis, study, title in zip(
        axes,
        STUDIES,
        ("gradient through the reset", "recurrent connections", "depth"),
        strict=True,
    ):
        _curves(axis, records, [case for case in cases(records) if case[1] == study])
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("slope", fontsize=8)
    axes[0].set_ylabel("test accuracy", fontsize=8)
    return drawn


def _curves(axis: Axes, records: Records, some: list[Case]) -> None:
    for number, (name, study, values) in enumerate(some):
        groups = records.of(study, **values).by("surrogate.slope")
        seeds = [group.metric("test/accuracy") for group in groups.values()]
        style = "-" if values["surrogate.normalize"] == "peak" else "--"
        band(
            axis,
            [key[0] for key in groups],
            seeds,
            name,
            color=COLOURS[number % len(COLOURS)],
            linestyle=style,
        )
    axis.set_xscale("log")
    axis.set_ylim(0, 1.02)
    axis.tick_params(labelsize=7)
    if some:
        axis.legend(fontsize=6, loc="lower left")


def findings(records: Records) -> str:
    """What came out, in words."""
    by_name = {case[0]: case for case in cases(records)}
    told = []
    for height in HEIGHTS.values():
        case = by_name.get(f"{height}, gradient through the reset")
        if case is None:
            continue
        lost, some, slope = loss(records, case)
        steepest = max(key[0] for key in some.by("surrogate.slope"))
        how = "loses" if _falls(lost) else "does not lose"
        told.append(
            f"With the gradient through the reset, the {height} surrogate {how} accuracy as it "
            f"grows steeper: {said(lost, 1, 100, '+')} points at slope {steepest:g} against its "
            f"best ({slope:g})."
        )
    gaps = []
    for case in cases(records):
        if case[2]["surrogate.normalize"] == "area":
            gap, _, steepest = behind(records, case)
            name = case[0].removeprefix("asymptotic, ")
            gaps.append(f"{name} {said(gap, 1, 100, '+')}")
    told.append(
        f"At slope {steepest:g} the asymptotic surrogate differs from the normalised one by, in "
        f"points: {'; '.join(gaps)}. Its height multiplies every path back in time through reset "
        "and recurrence; where there is none it is but a factor on the gradient, which Adam "
        "divides out."
    )
    return " ".join(told)
