"""SuperSpike as high as it is steep, with gradient through the reset: why it fails, what helps."""

from statistics import mean

from matplotlib.figure import Figure

from surrolab.results.cases import (
    Trial,
    claim,
    draw_accuracy,
    draw_flow,
    draw_membranes,
    last_look,
    look,
    outcome,
    table,
    told,
    values_of,
)
from surrolab.results.claims import Claim
from surrolab.results.records import Records
from surrolab.results.statistics import bounds, differences, said

PUBLISHED = 0.474
CASE = Trial(
    "the case: `surrogate.slope=100 surrogate.scale=100 neuron.detach_reset=false`",
    {"optimizer.lr": 0.05, "trainer.gradient_clip_val": None, "surrogate.scale": 100},
)
DETACHED = Trial("`neuron.detach_reset=true`", {"neuron.detach_reset": True})
REMEDIES = (
    DETACHED,
    Trial("`surrogate.scale=10`", {"surrogate.scale": 10}),
    Trial("`surrogate.scale=1`", {"surrogate.scale": 1}),
    Trial("`trainer.gradient_clip_val=1`", {"trainer.gradient_clip_val": 1}),
    Trial("`optimizer.lr=0.01`", {"optimizer.lr": 0.01}),
)
LOOKS = {
    "case": "peak 100, through the reset",
    "detached": "peak 100, detached",
    "peak_1": "peak 1, through the reset",
    "clipped": "peak 100, clipped",
}
THROUGH = "hidden1/through_reset"
COSINE = "alignment/hidden1/smoothed_fixed_cosine"
GROWTH = "gradients/hidden1/growth_per_step"


def claims(records: Records) -> list[Claim]:
    """The case, and the accuracy after each remedy."""
    ours = CASE.accuracy(records)
    came_out = bounds(differences(ours, DETACHED.accuracy(records)))[1] < 0
    published = f"{PUBLISHED} (one seed, a check of this project's), below the detached"
    first = Claim(CASE.label, published, ours, CASE.runs(records), came_out)
    return [first, *(claim(remedy, records) for remedy in REMEDIES)]


def figure(records: Records) -> Figure:
    """Membranes and dL/dU over time after some epochs, what passes the reset, and accuracies."""
    drawn = Figure(figsize=(15, 3.4), layout="constrained")
    axes = drawn.subplots(1, 4, width_ratios=[4, 4, 3, 4])
    epochs = last_look(records)
    draw_membranes(axes[0], records, LOOKS, epochs)
    draw_flow(axes[1], records, LOOKS, epochs)
    for row, case in enumerate(LOOKS):
        ours = values_of(look(records, case, epochs), THROUGH)
        axes[2].plot(ours, [row] * len(ours), "o", color=f"C{row}", markersize=5)
    axes[2].set_yticks(range(len(LOOKS)), list(LOOKS.values()))
    axes[2].set_ylim(len(LOOKS) - 0.5, -0.5)
    axes[2].axvline(1, color="black", linewidth=0.8)
    axes[2].set_xscale("log")
    axes[2].set_title("norm of dL/dU over that\nwith the reset detached", fontsize=9)
    axes[2].tick_params(labelsize=7)
    draw_accuracy(axes[3], [CASE, *REMEDIES], records)
    return drawn


def findings(records: Records) -> str:
    """Why, in what the instruments read, and what helps."""
    epochs = last_look(records)
    seen = {case: look(records, case, epochs) for case in LOOKS}
    through = {case: values_of(some, THROUGH) for case, some in seen.items()}
    cosine = {case: mean(values_of(some, COSINE) or [0.0]) for case, some in seen.items()}
    growth = {case: mean(values_of(some, GROWTH) or [0.0]) for case, some in seen.items()}
    case, normal = min(through["case"]), max(through["peak_1"])
    if case > 10 * normal:
        why = (
            f"After {epochs} epochs the norm of dL/dU in hidden1 is "
            f"at least {case:.2g} times what it would be at the same weights with the reset "
            f"detached, in each run; with a peak of 1 it is at most {normal:.2g} times. In every "
            "step the reset hands back -U h, and h reaches 100 at the threshold: a membrane that "
            "passes there several times multiplies its gradient each time, and a few of them "
            "outweigh all others."
        )
    else:
        why = (
            f"After {epochs} epochs the norm of dL/dU is {case:.2g} times what it would be with "
            f"the reset detached, and {normal:.2g} times with a peak of 1: that the reset blows "
            "it up did not come out here."
        )
    points = "points elsewhere" if cosine["case"] < cosine["detached"] / 2 else "does not suffer"
    direction = (
        f"The direction {points}: the cosine with the gradient of the network smoothed by noise of "
        f"fixed width is {cosine['case']:.2f}, against {cosine['detached']:.2f} detached and "
        f"{cosine['peak_1']:.2f} with a peak of 1."
    )
    told_apart = abs(growth["case"] - growth["peak_1"]) > 0.1
    blind = (
        f"The growth per step tells them apart: {growth['case']:.2f} against "
        if told_apart
        else "The growth per step does not tell them apart, because what the loss lets in counts "
        f"too: {growth['case']:.2f} against "
    ) + f"{growth['detached']:.2f} detached and {growth['peak_1']:.2f} with a peak of 1."
    columns = {
        "through the reset": (THROUGH, ".2g"),
        "cosine": (COSINE, ".2f"),
        "growth per step": (GROWTH, ".3f"),
        "norm of dL/dU": ("gradients/hidden1/membrane_norm", ".2g"),
        "inside the window": ("hidden1/window_fraction", ".1%"),
        "silent": ("hidden1/silent_fraction", ".0%"),
        "validation accuracy": ("val/accuracy", ".1%"),
    }
    clip = REMEDIES[3]
    aside = (
        ""
        if clip.works(records)
        else " Of what is printed, clipping the norm does not help: it makes the gradient "
        "shorter and leaves its direction, and Adam divides by its size anyway."
    )
    gap = differences(CASE.accuracy(records), DETACHED.accuracy(records))
    below = f"{said(gap, 1, 100, '+')} points against the same with the reset detached"
    return f"""The case ends at {100 * mean(CASE.accuracy(records)):.1f} %, {below}, seed by seed.

{why} {direction} {blind}

What `surrolab diagnose` prints of the case after {epochs} epochs (first seed):

{told(records, "case", epochs)}

{outcome(REMEDIES, records)}{aside}

Means over seeds, hidden1:

{table(records, LOOKS, columns)}"""
