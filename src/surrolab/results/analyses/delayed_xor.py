"""Delayed exclusive or: accuracy by the delay, with and without slow thresholds and recurrence."""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import COLOURS, band
from surrolab.results.records import Records
from surrolab.results.statistics import interval

CHANCE = 0.5
NEAR = 0.05  # so far from chance is at chance
SOLVED = 0.9
ACCURACY = "test/accuracy"
DELAY = "data.delay_steps"
CASES = {
    ("leaky", "mlp"): "leaky, feed-forward",
    ("leaky", "recurrent"): "leaky, recurrent",
    ("adaptive", "mlp"): "adaptive, feed-forward",
    ("adaptive", "recurrent"): "adaptive, recurrent",
}


def _case(records: Records, case: tuple[str, str]) -> dict[int, Records]:
    study, model = case
    return {key[0]: group for key, group in records.of(study, model=model).by(DELAY).items()}


def claims(records: Records) -> list[Claim]:
    """Accuracy of each case at each delay; what was published is of the longest two."""
    found = []
    for case, name in CASES.items():
        groups = _case(records, case)
        for delay, group in groups.items():
            ours = group.metric(ACCURACY)
            mean, _ = interval(ours)
            published, holds = None, None
            if delay >= 100 and case == ("leaky", "mlp"):
                published, holds = "at chance", abs(mean - CHANCE) <= NEAR
            elif delay >= 100 and case == ("adaptive", "recurrent"):
                published, holds = "solved by slow variables", mean >= SOLVED
            what = f"{name}, a delay of {delay} steps"
            found.append(Claim(what, published, ours, group, holds))
    return found


def figure(records: Records) -> Figure:
    """Accuracy over the delay."""
    drawn = Figure(figsize=(5, 3.4), layout="constrained")
    axis = drawn.subplots()
    for number, (case, name) in enumerate(CASES.items()):
        groups = _case(records, case)
        seeds = [group.metric(ACCURACY) for group in groups.values()]
        band(axis, list(groups), seeds, name, color=COLOURS[number])
    axis.axhline(CHANCE, color="grey", linewidth=0.8, linestyle=":")
    axis.set_ylim(0.4, 1.02)
    axis.set_xlabel("delay in steps of 1 ms", fontsize=8)
    axis.set_ylabel("test accuracy", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    told = []
    for case, name in CASES.items():
        means = [(delay, group.mean(ACCURACY)) for delay, group in _case(records, case).items()]
        solved = [delay for delay, mean in means if mean >= SOLVED]
        upto = (
            f"reaches {SOLVED:.0%} up to a delay of {max(solved)}"
            if solved
            else (f"reaches {SOLVED:.0%} at no delay")
        )
        by_delay = ", ".join(f"{mean:.1%} at {delay}" for delay, mean in means)
        told.append(f"{name.capitalize()}: {by_delay}; it {upto}.")
    return " ".join(told)
