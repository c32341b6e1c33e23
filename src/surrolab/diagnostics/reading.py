"""What diagnostics found, in numbers that are logged and in words."""

import math
from collections.abc import Sequence

from surrolab.diagnostics.alignment import Alignment, Comparison
from surrolab.diagnostics.findings import LayerFacts, Said, worst
from surrolab.diagnostics.flow import Flow

REFERENCES = ("smoothed_fixed", "smoothed_matched", "escape_fixed", "escape_matched")


def scalars(alignment: Alignment) -> dict[str, float]:
    """``alignment/<layer>/<reference>_cosine``, ``_signs`` and ``_norm_ratio``, where there are.

    With the closed-loop test also ``alignment/loop_integral`` and ``alignment/loop_error``.
    """
    found = {}
    for reference in REFERENCES:
        comparison: Comparison = getattr(alignment, reference)
        for layer, agreement in (comparison.layers or {}).items():
            for what in ("cosine", "signs", "norm_ratio"):
                value = getattr(agreement, what)
                if value is not None:
                    found[f"alignment/{layer}/{reference}_{what}"] = float(value)
    if alignment.loop is not None:
        found["alignment/loop_integral"] = alignment.loop.surrogate.integral
        found["alignment/loop_error"] = alignment.loop.surrogate.error
    return found


def read(
    flow: Flow, layers: Sequence[LayerFacts], alignment: Alignment, findings: Sequence[Said]
) -> str:
    """What the instruments say, in one paragraph."""
    said = [_arrival(flow, layers), _travel(flow), _reach(layers), _direction(alignment)]
    said += [_circulation(alignment), _advice(findings)]
    return " ".join(sentence for sentence in said if sentence)


def _arrival(flow: Flow, layers: Sequence[LayerFacts]) -> str:
    trained = [facts for facts in layers if facts.gradient is not None]
    if not any(facts.gradient for facts in trained):
        return "No gradient arrives at any weight: nothing can be learned from here."
    dead = [facts.name for facts in trained if facts.gradient == 0 and not facts.behind_silence]
    if dead:
        return f"No gradient arrives at the weights of {_list(dead)}: they do not move."
    waiting = [facts.name for facts in trained if facts.gradient == 0]
    if waiting:
        return (
            f"The weights of {_list(waiting)} have no gradient yet, because a layer before is "
            "silent."
        )
    few = [(f.name, flow.nonzero[f.name]) for f in trained if flow.nonzero[f.name] < 0.5]
    if few:
        shares = _list([f"{name} ({share:.0%})" for name, share in few])
        return f"A gradient arrives at every layer, but only at a part of the weights of {shares}."
    return "A gradient arrives at most weights of every layer."


def _travel(flow: Flow) -> str:
    sentences = []
    depth = flow.growth_per_layer()
    if depth:
        word = "grows" if depth > 1 else "shrinks"
        sentences.append(
            f"On its way to the input its norm {word} by a factor of {depth:.2g} per layer."
        )
    steps = {name: f for name, f in flow.growth_per_step().items() if name != "readout"}
    if steps:
        name, factor = max(steps.items(), key=lambda item: abs(math.log(item[1])))
        word = "grows" if factor > 1 else "shrinks"
        sentences.append(
            f"Back in time it {word} most in {name}, by a factor of {factor:.3g} per step."
        )
    return " ".join(sentences)


def _reach(layers: Sequence[LayerFacts]) -> str:
    shares = [f"{f.name} {f.window:.1%}" for f in layers if f.window is not None]
    if not shares:
        return ""
    return f"Inside the surrogate's window lie {_list(shares)} of the neuron-steps."


def _direction(alignment: Alignment) -> str:
    fixed = _cosines(alignment.smoothed_fixed)
    if not fixed:
        return ""
    overall = fixed.pop("all", None)
    text = ""
    if overall is not None:
        text = (
            f"The surrogate gradient {_points(overall)} that of the network smoothed by noise of a "
            f"fixed width (cosine {overall:.2f} over all weights"
        )
        if fixed:
            worst = min(fixed, key=lambda name: fixed[name])
            text += f", {fixed[worst]:.2f} in {worst}, the worst layer"
        text += ")"
        sampled = (alignment.escape_fixed.layers or {}).get("all")
        if sampled is not None and sampled.cosine is not None:
            text += f", and {sampled.cosine:.2f} with the gradient of the expected loss under it"
            if sampled.cosine_interval is not None:
                low, high = sampled.cosine_interval
                text += f" (95 % interval {low:.2f} to {high:.2f})"
        text += "."
    matched = _cosines(alignment.smoothed_matched).get("all")
    if matched is not None:
        text += f" With the network smoothed as widely as the surrogate the cosine is {matched:.2f}"
        text += ": what is lost by firing hard, not by the choice of the slope."
    elif alignment.smoothed_matched.refused:
        text += " The surrogate has no smoothed network of its own to be compared with."
    return text.strip()


def _circulation(alignment: Alignment) -> str:
    loop = alignment.loop
    if loop is None:
        return ""
    size = f"{loop.surrogate.size:+.3f} of what adds up along the loop"
    if loop.verdict == "not a gradient field":
        return (
            f"Its integral around a closed loop is not zero ({size}, beyond the quadrature's "
            "error): there is no loss of which it is the gradient."
        )
    if loop.verdict == "quadrature failed":
        return "The closed-loop test failed: its control, a true gradient, did not come out zero."
    return (
        f"Its integral around one closed loop is zero within the quadrature's error ({size}), "
        "which proves nothing."
    )


def _advice(findings: Sequence[Said]) -> str:
    first = worst(findings)
    if first is None:
        return "Nothing needs to be changed."
    more = len(findings) - 1
    rest = f" ({more} more below)" if more else ""
    return f"First of all: {first.message}{rest}."


def _points(cosine: float) -> str:
    for least, words in ((0.9, "points the same way as"), (0.5, "points roughly the way of")):
        if cosine >= least:
            return words
    return "has little to do with" if cosine > -0.2 else "points against"


def _cosines(comparison: Comparison) -> dict[str, float]:
    return {
        layer: agreement.cosine
        for layer, agreement in (comparison.layers or {}).items()
        if agreement.cosine is not None
    }


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
