"""Gygax & Zenke 2025: where a surrogate gradient is the gradient of something, and where not."""

from collections.abc import Callable
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from surrolab.results.claims import Claim
from surrolab.results.figures import COLOURS, band
from surrolab.results.records import Record, Records

EXACT = 1e-3  # of the largest gradient: what finite differences may be off
FORWARD = {"smooth": "smooth step", "escape_noise": "escape noise"}


def _matched(record: Record) -> bool:
    return bool(record.values["slope"] == record.values["forward_slope"])


def _some(records: Records, keep: Callable[[Record], bool]) -> Records:
    return Records(record for record in records if keep(record))


def _matching(records: Records) -> tuple[Records, Records]:
    """Those with the slope of the step or noise, and the others."""
    return _some(records, _matched), _some(records, lambda record: not _matched(record))


def _loops(records: Records) -> tuple[Records, Records]:
    """Around which a surrogate of another slope was integrated: smooth networks, and hard ones."""
    loops = records.of("loops")
    hard = loops.of(forward_slope="hard")
    smooth = _some(loops, lambda record: record.values["forward_slope"] != "hard")
    return _matching(smooth)[1], hard


def claims(records: Records) -> list[Claim]:
    """What is exact, where signs differ, and what does not vanish around a loop."""
    found = []
    smooth = records.of("signs", forward="smooth")
    same, other = _matching(smooth)
    ours = same.each_seed("difference", max)
    what = "smooth step, surrogate of its slope: largest difference to the true gradient"
    unit = "of the largest gradient"
    found.append(Claim(what, 0.0, ours, same, max(ours) < EXACT, unit))
    ours = other.each_seed("opposite")
    what = "smooth step, surrogate of another slope: share of places with the other sign"
    found.append(Claim(what, "above 0", ours, other, mean(ours) > 0))

    single, _ = _matching(records.of("one_layer", reset="none"))
    ours = single.each_seed("difference", max)
    what = "escape noise, one layer, surrogate of its slope: largest difference"
    found.append(Claim(what, 0.0, ours, single, max(ours) < EXACT, unit))
    same, other = _matching(records.of("signs", forward="escape_noise"))
    for some, slope in ((same, "its"), (other, "another")):
        what = f"escape noise, two layers, surrogate of {slope} slope: share with the other sign"
        found.append(Claim(what, None, some.each_seed("opposite"), some))

    smooth, hard = _loops(records)
    for some, kind in ((smooth, "smooth step, surrogate of another slope"), (hard, "hard step")):
        ours = some.each_seed("beyond_error")
        what = f"{kind}: share of loops around which the surrogate gradient does not vanish"
        found.append(Claim(what, "above 0", ours, some, mean(ours) > 0))
    loops = records.of("loops")
    ours = loops.each_seed("control_beyond_error")
    what = "the same loops: share around which a true gradient does not vanish"
    found.append(Claim(what, 0.0, ours, loops, max(ours) == 0))
    return found


def figure(records: Records) -> Figure:
    """Gradients along a weight; signs by slope; loop integrals by slope."""
    drawn = Figure(figsize=(13, 3.4), layout="constrained")
    along, signs, loops = drawn.subplots(1, 3)
    _draw_along(along, records.of("signs", forward="smooth"))
    for colour, (forward, label) in zip(COLOURS, FORWARD.items(), strict=False):
        by_noise = records.of("signs", forward=forward).by("forward_slope")
        for style, ((noise,), some) in zip(("-", "--", ":"), by_noise.items(), strict=False):
            slopes = some.by("slope")
            values = [group.metric("opposite") for group in slopes.values()]
            x = [key[0] for key in slopes]
            band(signs, x, values, f"{label} of slope {noise:g}", linestyle=style, color=colour)
    signs.set_title("share of places with the other sign", fontsize=9)
    by_noise = records.of("loops").by("forward_slope")
    for colour, ((noise,), some) in zip(COLOURS, by_noise.items(), strict=False):
        slopes = some.by("slope")
        x = [key[0] for key in slopes]
        values = [[abs(v) for v in group.metric("size")] for group in slopes.values()]
        label = "hard step" if noise == "hard" else f"smooth step of slope {noise:g}"
        band(loops, x, values, label, color=colour)
        controls = [[abs(v) for v in g.metric("control_size")] for g in slopes.values()]
        means = [mean(group) for group in controls]
        loops.plot(x, means, "x", color=colour, markersize=5)
    loops.plot([], [], "x", color="black", label="true gradient")
    loops.set_title("loop integral, of that of |g dr|", fontsize=9)
    for axis in (signs, loops):
        axis.set_xscale("log")
        axis.set_xlabel("slope of the surrogate", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=6)
    for axis in (along, signs, loops):
        axis.tick_params(labelsize=7)
    return drawn


def _draw_along(axis: Axes, records: Records) -> None:
    """The true gradient and those of the surrogates by the weight, of a network."""
    noise = min(record.values["forward_slope"] for record in records)
    groups = records.of(forward_slope=noise).by("slope").values()
    curves = [record for group in groups for record in group if "weight" in record.metrics][:5]
    for colour, record in zip(COLOURS, curves, strict=False):
        label = f"surrogate, slope {record.values['slope']:g}"
        axis.plot(
            record.metrics["weight"], record.metrics["surrogate"], color=colour, label=label, lw=1
        )
    if curves:
        first = curves[0].metrics
        axis.plot(first["weight"], first["true"], color="black", label="true", lw=2, zorder=0)
    axis.axhline(0, color="grey", lw=0.5)
    axis.set_ylim(-2, 2)
    axis.set_xlabel("weight", fontsize=8)
    axis.set_title(f"a smooth network of slope {noise:g}: gradient by a weight", fontsize=9)
    axis.legend(fontsize=6)


def findings(records: Records) -> str:
    """What came out, in words."""
    told = []
    signs = records.of("signs")
    for forward, label in FORWARD.items():
        same, other = _matching(signs.of(forward=forward))
        worst = max(other.by("forward_slope", "slope").items(), key=_opposite)
        (noise, slope), group = worst
        told.append(
            f"With {label}, a surrogate of the same slope has the wrong sign in "
            f"{same.mean('opposite'):.1%} of the places, one of another slope in "
            f"{other.mean('opposite'):.1%}; the worst is slope {slope:g} where the step has "
            f"{noise:g} ({group.mean('opposite'):.1%}, and in {group.mean('vanished'):.1%} more it "
            "has vanished)."
        )
    one, _ = _matching(records.of("one_layer", reset="none"))
    reset, _ = _matching(records.of("one_layer", reset="subtract"))
    off, off_reset = (max(some.metric("difference")) for some in (one, reset))
    told.append(
        f"In one layer without reset the surrogate gradient of escape noise of its own slope "
        f"{'is' if off < EXACT else 'is not'} the true one (largest difference {off:.1g}); the "
        f"reset, by which a spike has an effect on later ones, makes it {off_reset:.2g}, and a "
        f"second layer {max(_deep(signs).metric('difference')):.2g} of the largest gradient."
    )
    smooth, hard = _loops(records)
    loops = records.of("loops")
    failed = sum(loops.metric("control_beyond_error"))
    told.append(
        f"Around {_count(smooth)} loops in smooth networks and {_count(hard)} in those with hard "
        "spikes the integral of the surrogate gradient differs from zero beyond the quadrature's "
        "error "
        "(99.9 %); for the others nothing is proved, where spikes come and go on the way the error "
        f"is large. That of a true gradient does so around {failed:.0f} of {len(loops)}."
    )
    return " ".join(told)


def _count(loops: Records) -> str:
    return f"{sum(loops.metric('beyond_error')):.0f} of {len(loops)}"


def _deep(signs: Records) -> Records:
    return _matching(signs.of(forward="escape_noise"))[0]


def _opposite(item: tuple[object, Records]) -> float:
    return item[1].mean("opposite")
