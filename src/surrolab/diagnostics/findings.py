"""What is wrong with a layer, in words, and which option to change by how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surrolab.diagnostics.remedies import scale_for_depth, scale_for_time

# Far below what any optimizer's update can feel, and above float32's smallest numbers.
UNDERFLOW = 1e-30
FEW_IN_WINDOW = 0.01
# Over all steps or layers, the gradient grows or shrinks by more than this many powers of ten.
MUCH_10 = 4

_BOUND = "a lower bound on activity (objective.lower_strength=100 objective.lower_rate=0.01)"


@dataclass(frozen=True)
class LayerFacts:
    """What is known of a layer; None where it was not measured or cannot be.

    Args:
        name: of the layer.
        silent: share of its neurons that never spike.
        saturated: share of its neurons that spike in nearly every step.
        gradient: largest absolute element of dL/dW.
        window: share of neuron-steps inside the surrogate's window.
        true_derivative: whether the layer has no surrogate (``surrogate=none``).
        slope: the present slope; None without one.
        wider_slope: at which a tenth of the neuron-steps lies inside the window.
        gain: ``model.init_gain`` at which its weights are those of fluctuation-driven
            initialisation.
        behind_silence: whether a layer before it is silent, so that its weights wait for spikes.
    """

    name: str
    silent: float | None = None
    saturated: float | None = None
    gradient: float | None = None
    window: float | None = None
    true_derivative: bool = False
    slope: float | None = None
    wider_slope: float | None = None
    gain: float | None = None
    behind_silence: bool = False


@dataclass(frozen=True)
class Growth:
    """How the norm of dL/dU changes on its way back through the network.

    Args:
        per_step: factor per time step back, by layer.
        per_layer: factor per layer toward the input; None with one hidden layer.
        steps: number of time steps.
        layers: number of hidden layers.
        scale: the surrogates' present scale; None without one, or where layers differ.
        detach_reset: whether the gradient through the reset is cut, or there is no reset.
        recurrent: whether there are recurrent weights.
        decay: of the neurons' slowest state, per step.
    """

    per_step: dict[str, float]
    per_layer: float | None
    steps: int
    layers: int
    scale: float | None
    detach_reset: bool
    recurrent: bool
    decay: float | None = None


@dataclass(frozen=True)
class Said:
    """A finding: the layer, what kind it is, and the message."""

    layer: str
    kind: str
    message: str


def of_layer(facts: LayerFacts) -> list[Said]:
    """What is wrong with one layer; nothing for a healthy one.

    That few neurons lie inside the window is a warning only, and a layer that is silent but has a
    gradient is called silent and not dead: a heavy-tailed surrogate learns from silence. Weights
    behind a silent layer have no gradient because they have no input; that is no fault of theirs.
    """
    found = []
    name = facts.name
    silent = facts.silent == 1
    dead = is_dead(facts)
    if silent:
        what = f"{name} is completely silent: no neuron spikes"
        if dead:  # the remedies come with that finding
            what += ", and no gradient reaches it"
        else:
            learns = ", though a gradient reaches it" if facts.gradient is not None else ""
            what += f"{learns}; {more_activity(facts)}"
        found.append(Said(name, "silent", what))
    if facts.saturated == 1:
        found.append(
            Said(
                name,
                "saturated",
                f"{name} is saturated: every neuron spikes in nearly every step; "
                f"{less_activity(facts)}",
            )
        )
    if dead:
        kind = "no_gradient" if facts.gradient == 0 else "underflow"
        found.append(Said(name, kind, _no_gradient(facts, silent)))
    if facts.window is not None and facts.window < FEW_IN_WINDOW and not facts.true_derivative:
        found.append(
            Said(
                name,
                "window",
                f"{name}: only {facts.window:.2%} of the neuron-steps lie inside the surrogate's "
                "window (a warning: heavy-tailed surrogates learn all the same); "
                f"{_wider(facts) or 'a wider surrogate reaches more'}",
            )
        )
    return found


def is_dead(facts: LayerFacts) -> bool:
    """Whether a layer's weights have input and yet no gradient."""
    return facts.gradient is not None and facts.gradient < UNDERFLOW and not facts.behind_silence


def of_growth(growth: Growth) -> list[Said]:
    """What is wrong with the gradient's way back through time and layers.

    Without recurrent weights and with the reset detached, a membrane hands on no more gradient than
    it gets: what grows back in time is then what the loss and the surrogate let in, no explosion.
    """
    found = []
    can_explode = growth.recurrent or not growth.detach_reset
    for name, factor in growth.per_step.items() if can_explode else ():
        if growth.steps * math.log10(factor) > MUCH_10:
            found.append(
                Said(
                    name,
                    "exploding",
                    f"{name}: the gradient explodes back through time, by a factor of "
                    f"{factor:.3g} per step and {_power(factor, growth.steps)} over "
                    f"{growth.steps} steps; {_calmer(growth, factor)}",
                )
            )
    depth, steps = growth.per_layer, growth.layers - 1
    # Zero is not vanishing but cut off, and said of the layer.
    if depth and math.isfinite(depth) and steps * abs(math.log10(depth)) > MUCH_10:
        kind, verb = ("exploding", "explodes") if depth > 1 else ("vanishing", "vanishes")
        remedy = "try fewer layers or model.init=fluctuation_driven"
        if growth.scale is not None:
            scale = scale_for_depth(growth.scale, depth)
            remedy = f"try surrogate.scale={scale:g}, which makes the factor 1"
        found.append(
            Said(
                "hidden1",
                kind,
                f"the gradient {verb} from layer to layer, by a factor of {depth:.3g} per layer "
                f"and {_power(depth, steps)} on its way to hidden1; {remedy}",
            )
        )
    return found


def more_activity(facts: LayerFacts) -> str:
    """What makes a silent layer fire or learn."""
    if facts.behind_silence:
        return "a layer before it is silent, look there first"
    ways = [way for way in (_wider(facts), _gain(facts)) if way]
    bound = _bound(facts)
    if ways:
        return f"{', or '.join(ways)}; or a lower neuron.threshold{bound}"
    return (
        "try more input (encoding.gain, model.init_gain), a lower neuron.threshold, a longer "
        f"neuron.tau{bound}"
    )


def less_activity(facts: LayerFacts) -> str:
    """What calms a saturated layer."""
    bound = "an upper bound on activity (objective.upper_strength=1 objective.upper_rate=0.3)"
    if facts.gain is not None and facts.gain < 1:
        return f"{_gain(facts)}; or a higher neuron.threshold, or {bound}"
    return f"try less input (model.init_gain), a higher neuron.threshold, or {bound}"


def _no_gradient(facts: LayerFacts, silent: bool) -> str:
    name, gradient = facts.name, facts.gradient
    if gradient == 0:
        what = f"the gradient of {name} is exactly zero: its weights do not move"
    else:
        what = f"the gradient of {name} underflows (largest element {gradient:.1e})"
    if facts.true_derivative:
        return (
            f"{what}; surrogate=none is the true derivative, which is zero almost everywhere: "
            "try surrogate=fast_sigmoid"
        )
    if silent:
        return f"{what}; {more_activity(facts)}"
    wider = _wider(facts) or "try a wider surrogate"
    heavy = "or a heavy-tailed surrogate (surrogate=fast_sigmoid)"
    return f"{what}; {wider}, {heavy}{_bound(facts)}"


def _bound(facts: LayerFacts) -> str:
    """The bound's gradient too goes through the surrogate: where that is zero it moves nothing."""
    return "" if facts.gradient == 0 and facts.window == 0 else f", or {_BOUND}"


def _wider(facts: LayerFacts) -> str | None:
    if facts.wider_slope is None or facts.slope is None or facts.wider_slope >= facts.slope:
        return None
    return (
        f"try surrogate.slope={facts.wider_slope:g} (now {facts.slope:g}), at which 10 % of its "
        "neuron-steps lie inside the surrogate's window"
    )


def _gain(facts: LayerFacts) -> str | None:
    if facts.gain is None:
        return None
    return (
        f"try model.init_gain={facts.gain:g}, which gives its weights the size of "
        "fluctuation-driven initialisation"
    )


def _calmer(growth: Growth, factor: float) -> str:
    way = "" if growth.detach_reset else "neuron.detach_reset=true, or "
    if growth.recurrent:
        scale = None
        if growth.scale is not None and growth.decay is not None:
            scale = scale_for_time(growth.scale, factor, growth.decay)
        way = "model.init_gain below 1, or " if scale is None else f"surrogate.scale={scale:g}, or "
    return f"try {way}trainer.gradient_clip_val=1"


def _power(factor: float, times: int) -> str:
    """``factor ** times`` in words, where it may be too large for a number."""
    exponent = times * math.log10(factor)
    whole = math.floor(exponent)
    return f"{10 ** (exponent - whole):.1f}e{whole:+03d}"


def worst(said: Sequence[Said]) -> Said | None:
    """The finding to look at first: what lies nearest to the input comes first."""
    order = ("no_gradient", "underflow", "silent", "saturated", "exploding", "vanishing", "window")
    ranked = sorted(said, key=lambda one: order.index(one.kind))
    return ranked[0] if ranked else None
