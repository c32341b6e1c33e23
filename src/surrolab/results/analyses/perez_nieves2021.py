"""Perez-Nieves & Goodman 2021: few neurons are active in the backward pass. Does that save time?"""

import math
from statistics import mean

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import band
from surrolab.results.records import Records
from surrolab.results.statistics import bounds, differences, interval, said

FEW = 0.05
MEMORY = 0.8
LOSS = 0.01  # of accuracy that counts as none
PARTS = {
    "ratio/backward": "backward pass",
    "ratio/layer": "backward pass of a hidden layer",
    "ratio/step": "training step",
}


def claims(records: Records) -> list[Claim]:
    """Active neurons, speed and memory, accuracy."""
    activity = records.of("activity")
    active = activity.metric("active/mean")
    what = "share of neuron-steps active in the backward pass, over training"
    found = [Claim(what, "1 to 2 %", active, activity, interval(active)[0] <= FEW)]
    by_width = records.of("speed").by("width")
    for metric, part in PARTS.items():
        for (width,), some in by_width.items():
            published = "up to 150 times" if metric == "ratio/backward" else None
            ours = some.metric(metric)
            # On a GPU, in layers of many thousand: here only that it is faster can be held.
            holds = None
            what = f"{part}, {width} neurons a layer: times faster with the cut-off surrogate"
            found.append(Claim(what, published, ours, some, holds, "times", 2))
    speed = records.of("speed")
    saved = [1 - 1 / ratio for ratio in speed.each_seed("ratio/saved")]
    what = "memory kept for the backward pass, less with the cut-off surrogate"
    found.append(Claim(what, 0.85, saved, speed, interval(saved)[0] >= MEMORY))
    gain = differences(*_accuracies(records))
    what = "test accuracy, cut off less whole"
    published = "no loss"
    found.append(Claim(what, published, gain, records.of("accuracy"), interval(gain)[0] > -LOSS))
    return found


def _accuracies(records: Records) -> tuple[list[float], list[float]]:
    """On test samples, cut off and whole, seed by seed."""
    names = ("sparse_fast_sigmoid", "fast_sigmoid")
    cut, whole = (records.of("accuracy", surrogate=n).metric("test/accuracy") for n in names)
    return cut, whole


def figure(records: Records) -> Figure:
    """The share of active neurons by epoch, and the speed by width."""
    drawn = Figure(figsize=(9, 3.2), layout="constrained")
    share, speed = drawn.subplots(1, 2)
    activity = records.of("activity")
    for name in ("hidden1", "hidden2"):
        curves = activity.metric(f"active/{name}")
        epochs = range(len(curves[0]))
        band(share, epochs, [[curve[i] for curve in curves] for i in epochs], name)
    share.set_title("neuron-steps active in the backward pass", fontsize=9)
    share.set_xlabel("epoch", fontsize=8)
    by_width = records.of("speed").by("width")
    widths = [key[0] for key in by_width]
    for metric, part in PARTS.items():
        band(speed, widths, [some.metric(metric) for some in by_width.values()], part)
    speed.axhline(1, color="grey", lw=0.5)
    speed.set_title("times faster with the cut-off surrogate", fontsize=9)
    speed.set_xlabel("neurons in each of two hidden layers", fontsize=8)
    speed.set_xscale("log")
    speed.set_xticks(widths, [str(width) for width in widths])
    speed.minorticks_off()
    for axis in (share, speed):
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    activity = records.of("activity").metric("active/mean")
    by_width = list(records.of("speed").by("width").items())
    (width,), widest = by_width[-1]
    active = interval(activity)[0]
    cut, whole = _accuracies(records)
    gain = said(differences(cut, whole), 1, 100, "+")
    ratios = [group.mean("ratio/backward") for _, group in by_width]
    current = mean(widest.metric("current/hidden1") + widest.metric("current/hidden2"))
    products, inputs = widest.mean("products"), widest.mean("inputs")
    saved = records.of("speed").mean("ratio/saved")
    faster = bounds(widest.metric("ratio/backward"))[0] > 1
    bound = 1 / (1 - inputs) if inputs < 1 else math.inf
    return (
        f"In training {active:.1%} of the neuron-steps are within the cut-off"
        f"{', more than in the paper' if active > 0.02 else ', as in the paper'}, and the accuracy "
        f"with it is {mean(cut):.1%} beside {mean(whole):.1%} ({gain} points). "
        f"The backward pass is {min(ratios):.2f} to {max(ratios):.2f} times as fast as with the "
        f"whole surrogate, from {by_width[0][0][0]} to {width} neurons a layer: "
        f"{'faster' if faster else 'hardly faster'}, and far from 150 times. The reason is what "
        "it is compared with, and what can be left out. Weights' gradients already cost only the "
        "spikes of the input, whatever the surrogate is. What the cut-off adds is that the "
        "gradient by the spikes of the layer before is computed for those alone that pass it on; "
        f"with {width} neurons its products take {inputs:.0%} of the backward pass with the whole "
        f"surrogate (all products {products:.0%}): no more than {bound:.1f} times can come of it. "
        "The gradient by the input currents is not sparse, as the leak carries it back in time: "
        f"{current:.0%} of its elements are not 0 where {active:.1%} of the neuron-steps are "
        "active. To use that in the gradients of weights as well, as the paper's kernels do, the "
        "leak would have to be moved to the traces of the input, which are not sparse. What is "
        f"kept for the backward pass is {saved:.2f} times as much with the whole surrogate: the "
        "membranes of all "
        "neurons are kept here and not the active ones alone."
    )
