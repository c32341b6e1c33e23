"""Bellec et al. 2018: store and recall, with and without a threshold that adapts."""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import scatter
from surrolab.results.records import Records
from surrolab.results.statistics import interval, said

CRITERION = 0.05
NAMES = {"adaptive": "half of the neurons adapt", "leaky": "no neuron adapts"}


def errors(records: Records) -> list[float]:
    """Share of the recalls that are answered wrongly, by seed."""
    return [1 - accuracy for accuracy in records.metric("test/accuracy")]


def claims(records: Records) -> list[Claim]:
    """The decision errors, that of the control beside it."""
    found = []
    for study, name in NAMES.items():
        some = records.of(study)
        ours = errors(some)
        published = f"below {CRITERION:g}" if study == "adaptive" else None
        holds = interval(ours)[0] < CRITERION if published else None
        found.append(Claim(f"Decision error, {name}", published, ours, some, holds))
    return found


def figure(records: Records) -> Figure:
    """Decision error and spikes of each seed."""
    drawn = Figure(figsize=(7, 3.2), layout="constrained")
    axes = drawn.subplots(1, 2)
    rates = {study: records.of(study).metric("spikes/hidden1/rate") for study in NAMES}
    for axis, title, values in (
        (axes[0], "decision error", {study: errors(records.of(study)) for study in NAMES}),
        (axes[1], "spikes per neuron and step", rates),
    ):
        for at, ours in enumerate(values.values()):
            scatter(axis, at, ours, color="tab:blue")
        axis.set_xticks(
            range(len(NAMES)), [name.replace(" neuron", "\nneuron") for name in NAMES.values()]
        )
        axis.set_xlim(-0.6, len(NAMES) - 0.4)
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=7)
    axes[0].set_ylim(0, 0.5)
    axes[0].axhline(CRITERION, color="black", linewidth=0.8, label="criterion")
    axes[0].legend(fontsize=7)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    adaptive, leaky = errors(records.of("adaptive")), errors(records.of("leaky"))
    met = "is below" if interval(adaptive)[0] < CRITERION else "is not below"
    control = (
        "which without adaptation is not met"
        if interval(leaky)[0] >= CRITERION
        else "which is met without adaptation as well"
    )
    rates = [records.of(study).mean("spikes/hidden1/rate") for study in NAMES]
    return (
        f"With adaptive thresholds the decision error is {said(adaptive)} and "
        f" {met} {CRITERION:g}, {control}: {said(leaky)}. A constant answer "
        f"has 0.5. The neurons fire {rates[0]:.3f} and {rates[1]:.3f} times a step."
    )
