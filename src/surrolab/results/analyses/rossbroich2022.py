"""Rossbroich, Gygax & Zenke 2022: which initial weights let deep networks learn?"""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import above
from surrolab.results.figures import band
from surrolab.results.records import Records, best
from surrolab.results.statistics import differences, interval

OURS, KAIMING = "fluctuation_driven", "kaiming_normal"
NAMES = {OURS: "fluctuation-driven", KAIMING: "Kaiming, normal", "default": "torch's default"}
TRAINS = 0.8  # test accuracy of ten classes
LOST = 0.05  # less than this is no loss


def chosen(records: Records, init: str) -> dict[int, Records]:
    """By number of hidden layers: the runs at the learning rate that is best on validation."""
    some = records.of("depth", **{"model.init": init})
    return {
        len(hidden): best(group, ["optimizer.lr"])
        for (hidden,), group in some.by("model.hidden").items()
    }


def inits(records: Records) -> list[str]:
    """Those that were tried, in a fixed order."""
    return [name for name in NAMES if records.of("depth", **{"model.init": name})]


def difference(records: Records, depth: int, other: str = KAIMING) -> list[float]:
    """Accuracy with fluctuation-driven weights less that with others, by seed."""
    ours, theirs = chosen(records, OURS)[depth], chosen(records, other)[depth]
    return differences(ours.metric("test/accuracy"), theirs.metric("test/accuracy"))


def rates(some: Records, depth: int) -> list[float]:
    """Spikes per neuron and step in the last hidden layer after training, by seed."""
    return [float(rate) for rate in some.metric(f"spikes/hidden{depth}/rate")]


def claims(records: Records) -> list[Claim]:
    """The deepest networks of each, and what fluctuation-driven weights lose with depth."""
    found = []
    deepest = max(chosen(records, OURS))
    for init in inits(records):
        some = chosen(records, init)[deepest]
        ours = some.metric("test/accuracy")
        trained = interval(ours)[0] >= TRAINS
        what = f"{deepest} hidden layers, `{init}` (learning rate {_lr(some)})"
        published = {OURS: "trains", KAIMING: "does not train"}.get(init)
        holds = {OURS: trained, KAIMING: not trained}.get(init)
        tried = records.of("depth", **{"model.init": init})
        found.append(Claim(what, published, ours, tried, holds))
    gap = difference(records, deepest)
    everything = records.of("depth")
    what = f"{deepest} hidden layers: fluctuation-driven less Kaiming"
    found.append(Claim(what, "above 0", gap, everything, above(gap)))
    shallow = chosen(records, OURS)[min(chosen(records, OURS))].metric("test/accuracy")
    deep = chosen(records, OURS)[deepest].metric("test/accuracy")
    lost = differences(shallow, deep)
    what = f"fluctuation-driven: accuracy lost from the shallowest network to {deepest} layers"
    tried = records.of("depth", **{"model.init": OURS})
    # Of a shallow network that does not train there is nothing to lose.
    little = interval(lost)[0] < LOST if interval(shallow)[0] >= TRAINS else None
    found.append(Claim(what, "little", lost, tried, little))
    return found


def _lr(some: Records) -> str:
    return f"{some[0].values['optimizer.lr']:g}"


def figure(records: Records) -> Figure:
    """Accuracy and activity of the last hidden layer over depth."""
    drawn = Figure(figsize=(8.5, 3.3), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for init in inits(records):
        by_depth = chosen(records, init)
        depths = sorted(by_depth)
        accuracy = [by_depth[depth].metric("test/accuracy") for depth in depths]
        band(left, depths, accuracy, NAMES[init])
        band(right, depths, [rates(by_depth[depth], depth) for depth in depths], NAMES[init])
    left.axhline(0.1, color="black", linestyle=":", linewidth=1, label="chance")
    left.set_ylim(0, 1)
    left.set_ylabel("test accuracy", fontsize=8)
    right.set_ylim(bottom=0)
    right.set_ylabel("last hidden layer: spikes per neuron and step", fontsize=8)
    for axis in (left, right):
        axis.set_xlabel("hidden layers", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    told = []
    for init in inits(records):
        by_depth = chosen(records, init)
        means = {depth: some.mean("test/accuracy") for depth, some in by_depth.items()}
        good = [depth for depth, mean in means.items() if mean >= TRAINS]
        listed = ", ".join(f"{mean:.1%} with {depth}" for depth, mean in sorted(means.items()))
        upto = (
            "none of these trains"
            if not good
            else "all of these train"
            if len(good) == len(means)
            else f"those that train have {', '.join(map(str, sorted(good)))}"
        )
        told.append(
            f"{NAMES[init][0].upper()}{NAMES[init][1:]} weights: {listed} hidden layers; {upto}."
        )
    deepest = max(chosen(records, OURS))
    mean, _ = interval(difference(records, deepest))
    told.append(
        f"With {deepest} hidden layers fluctuation-driven weights are {abs(100 * mean):.1f} points "
        f"{'above' if mean >= 0 else 'below'} Kaiming's"
        + (
            ", at the best learning rate of each."
            if above(difference(records, deepest))
            else ", which the seeds do not tell from 0."
        )
    )
    last = {
        init: interval(rates(chosen(records, init)[deepest], deepest))[0] for init in inits(records)
    }
    told.append(
        "After training the last of them fires "
        + ", ".join(f"{rate:.3f} ({NAMES[init]})" for init, rate in last.items())
        + " spikes per neuron and step."
    )
    return " ".join(told)
