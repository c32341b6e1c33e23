"""A triangle of slope 10 on a silent network: why nothing is learned, and what helps."""

from matplotlib.figure import Figure

from surrolab.results.cases import (
    LOW,
    WIDTH,
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
from surrolab.results.statistics import interval

PUBLISHED = 0.1
CASE = Trial("the case: `surrogate=triangle surrogate.slope=10`", {"objective.lower_rate": 0.001})
REMEDIES = (
    Trial("`surrogate.slope=1.05`", {"surrogate.slope": 1.05}),
    Trial("`model.init_gain=16.3`", {"model.init_gain": 16.3}),
    Trial("`model.init=fluctuation_driven`", {"model.init": "fluctuation_driven"}),
    Trial("`neuron.threshold=0.1`", {"neuron.threshold": 0.1}),
    Trial("`surrogate=fast_sigmoid`", {"surrogate": "fast_sigmoid"}),
    Trial("`surrogate=q_pseudo_spike`", {"surrogate": "q_pseudo_spike"}),
    Trial("`objective.lower_rate=0.01`", {"objective.lower_rate": 0.01}),
)
LOOKS = {
    "case": "triangle, slope 10",
    "slope": "slope 1.05",
    "gain": "gain 16.3",
    "fluctuation_driven": "fluctuation driven",
    "heavy_tail": "fast sigmoid, slope 10",
}


def claims(records: Records) -> list[Claim]:
    """The case, and the accuracy after each remedy."""
    ours = CASE.accuracy(records)
    silent = CASE.runs(records).metric("spikes/hidden1/silent_fraction")
    came_out = all(value == 1 for value in silent) and abs(interval(ours)[0] - PUBLISHED) < 0.02
    first = Claim(CASE.label, PUBLISHED, ours, CASE.runs(records), came_out)
    return [first, *(claim(remedy, records) for remedy in REMEDIES)]


def figure(records: Records) -> Figure:
    """Membranes and windows at first, dL/dU over time, and accuracies."""
    drawn = Figure(figsize=(13, 3.4), layout="constrained")
    axes = drawn.subplots(1, 3)
    draw_membranes(axes[0], records, LOOKS, 0)
    draw_flow(axes[1], records, LOOKS, 0)
    draw_accuracy(axes[2], [CASE, *REMEDIES], records)
    return drawn


def findings(records: Records) -> str:
    """Why, in what the instruments read, and what helps."""
    start = look(records, "case", 0)
    reached = values_of(start, "gradients/hidden1/reached_fraction")
    nearest = max(_highest(record.metrics["hidden1/membrane_share"]) for record in start)
    window = max(values_of(start, "hidden1/window"))
    if not any(reached) and nearest < -window:
        why = (
            f"Before the first step no membrane of hidden1 comes closer to the threshold than "
            f"{-nearest:.2f} thresholds, and the triangle is above 1 % of its peak only within "
            f"{window:.2f}. So dL/dU is zero at every neuron in every step, with every seed "
            f"({len(start)}): no neuron spikes, no weight moves, and so it stays."
        )
    else:
        why = (
            f"Before the first step a gradient reaches {max(reached):.0%} of the neurons of "
            "hidden1: that the triangle reaches no membrane did not come out here."
        )
    columns = {
        "neurons reached": ("gradients/hidden1/reached_fraction", ".0%"),
        "inside the window": ("hidden1/window_fraction", ".1%"),
        "norm of dL/dU": ("gradients/hidden1/membrane_norm", ".2g"),
        "silent": ("hidden1/silent_fraction", ".0%"),
        "validation accuracy": ("val/accuracy", ".1%"),
    }
    mended = _mended(records)
    bound = REMEDIES[-1]
    aside = (
        ""
        if bound.works(records)
        else " A lower bound on activity is no remedy here: its gradient goes through the same "
        "surrogate."
    )
    return f"""{why} {mended}

What `surrolab diagnose` prints of the case before the first step (first seed):

{told(records, "case", 0)}

{outcome(REMEDIES, records)}{aside}

Means over seeds, hidden1:

{table(records, LOOKS, columns)}"""


def _mended(records: Records) -> str:
    """What is different at the start with the remedies that were looked at."""
    parts = []
    for name, label in list(LOOKS.items())[1:]:
        reached = values_of(look(records, name, 0), "gradients/hidden1/reached_fraction")
        parts.append(f"{sum(reached) / len(reached):.0%} ({label})")
    later = values_of(look(records, "case", last_look(records)), "hidden1/silent_fraction")
    stays = "still" if all(value == 1 for value in later) else "no longer"
    return (
        f"A remedy lets a gradient reach neurons before anything is learned: "
        f"{', '.join(parts)}. After {last_look(records)} epochs the case is {stays} silent."
    )


def _highest(share: list[float]) -> float:
    """Upper edge of the last bin that holds anything, in thresholds from the threshold."""
    last = max(number for number, value in enumerate(share) if value > 0)
    return LOW + WIDTH * (last + 1)
