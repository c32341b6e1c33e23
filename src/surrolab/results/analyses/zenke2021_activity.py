"""Zenke & Vogels 2021, activity regularisation: how few spikes cost no accuracy?"""

from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.comparison import above
from surrolab.results.figures import band
from surrolab.results.records import Records
from surrolab.results.statistics import bounds, differences, interval

STRENGTH = "objective.upper_strength"
NEURONS, STEPS = 100, 100
UNIT = "spikes per sample"
BOUND = 0.001 * NEURONS * STEPS  # spikes per sample at the upper bound


def spikes(records: Records) -> list[float]:
    """Spikes of the hidden layer in a sample, by seed."""
    return [NEURONS * STEPS * rate for rate in records.metric("spikes/hidden1/rate")]


def by_strength(records: Records) -> dict[float, Records]:
    """All runs of each strength, the weakest first."""
    return {key[0]: some for key, some in records.of("upper_bound").by(STRENGTH).items()}


def unchanged(records: Records) -> tuple[float, Records]:
    """The strength with the fewest spikes at an accuracy that is not below that of no bound.

    Not below: within the 95 % interval of the unregularised network, on validation.
    """
    groups = by_strength(records)
    least, _ = bounds(groups[0].metric("val/accuracy"))
    good = {s: some for s, some in groups.items() if some.mean("val/accuracy") >= least}
    strength = min(good, key=lambda s: good[s].mean("spikes/hidden1/rate"))
    return strength, good[strength]


def lost(records: Records, some: Records) -> list[float]:
    """Accuracy without a bound less that of some runs, by seed."""
    return differences(*(r.metric("test/accuracy") for r in (by_strength(records)[0], some)))


def claims(records: Records) -> list[Claim]:
    """No bound, the sparsest network that loses nothing, and the sparsest of all."""
    groups = by_strength(records)
    strength, sparse = unchanged(records)
    few = min(groups.values(), key=lambda some: some.mean("spikes/hidden1/rate"))
    ratio = [a / max(b, 1e-9) for a, b in zip(spikes(groups[0]), spikes(sparse), strict=True)]
    name = f"sparsest network of unchanged accuracy (strength {strength:g})"
    everything = records.of("upper_bound")
    return [
        Claim("no upper bound", None, groups[0].metric("test/accuracy"), groups[0]),
        Claim("no upper bound: spikes", None, spikes(groups[0]), groups[0], unit=UNIT, digits=1),
        Claim(
            f"{name}: accuracy lost",
            0.0,
            lost(records, sparse),
            everything,
            strength > 0 and not above(lost(records, sparse)),
        ),
        Claim(f"{name}: spikes", None, spikes(sparse), everything, unit=UNIT, digits=1),
        Claim(f"{name}: fewer spikes", None, ratio, everything, unit="times", digits=1),
        Claim(
            f"sparsest network ({interval(spikes(few))[0]:.1f} spikes per sample): accuracy lost",
            "falls at the limit",
            lost(records, few),
            everything,
            above(lost(records, few)),
        ),
    ]


def figure(records: Records) -> Figure:
    """Accuracy over spikes per sample, and spikes over the strength."""
    drawn = Figure(figsize=(8, 3.3), layout="constrained")
    left, right = drawn.subplots(1, 2)
    groups = by_strength(records)
    ordered = sorted(groups.values(), key=lambda some: some.mean("spikes/hidden1/rate"))
    x = [max(interval(spikes(some))[0], 0.1) for some in ordered]
    band(left, x, [some.metric("test/accuracy") for some in ordered], "upper bound")
    free = interval(spikes(groups[0]))[0]
    left.axvline(free, color="black", linestyle=":", linewidth=1, label="no upper bound")
    left.set_xscale("log")
    left.set_xlabel("spikes of the hidden layer per sample", fontsize=8)
    left.set_ylabel("test accuracy", fontsize=8)
    bounded = [strength for strength in groups if strength > 0]
    band(right, bounded, [spikes(groups[s]) for s in bounded], "upper bound")
    right.axhline(free, color="black", linestyle=":", linewidth=1, label="no upper bound")
    right.axhline(BOUND, color="black", linestyle="--", linewidth=1, label="the bound itself")
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlabel("strength of the bound", fontsize=8)
    right.set_ylabel("spikes per sample", fontsize=8)
    for axis in (left, right):
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    return drawn


def findings(records: Records) -> str:
    """What came out, in words."""
    groups = by_strength(records)
    strength, sparse = unchanged(records)
    before, after = interval(spikes(groups[0]))[0], interval(spikes(sparse))[0]
    free, kept = groups[0].mean("test/accuracy"), sparse.mean("test/accuracy")
    told = [
        f"Without an upper bound the network fires {before:.0f} spikes in a sample ({free:.1%})."
    ]
    if strength > 0:
        told.append(
            f"With strength {strength:g} it does with {after:.0f}, {before / after:.1f} times "
            f"fewer, at {kept:.1%}, which validation does not tell apart from no bound."
        )
    else:
        told.append("Every bound that was tried costs accuracy on validation.")
    few = min(groups.values(), key=lambda some: some.mean("spikes/hidden1/rate"))
    loss, _ = interval(lost(records, few))
    told.append(
        f"The sparsest network of all, {interval(spikes(few))[0]:.1f} spikes in a sample, "
        + (
            f"loses {100 * loss:.1f} points: there is a limit."
            if above(lost(records, few))
            else f"loses {100 * loss:.1f} points, no more than its seeds scatter: the limit was "
            "not reached."
        )
    )
    return " ".join(told)
