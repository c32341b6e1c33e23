"""The surrogates of a network's layers, and how their slopes and scales are to move."""

from typing import Any

from surrolab.callbacks import Slopes
from surrolab.errors import UserError
from surrolab.models import Network
from surrolab.neurons import SpikingLayer
from surrolab.run.construct import build
from surrolab.schema import options
from surrolab.surrogates import Surrogate
from surrolab.surrogates.schedules import Adaptive, Constant, Course, Learned


def set_surrogates(network: Network, config: dict[str, Any]) -> Slopes | None:
    """Give layers their own surrogates and make parameters of what is learned.

    The callback that moves slopes and scales; None where both are constant. A layer whose surrogate
    has no slope (scale) keeps out of it; one at least has to have it.

    Raises:
        UserError: a layer that does not spike, values that a surrogate refuses, or a slope or scale
            that no layer can move that way.
    """
    layers = {
        name: layer
        for name, layer in network.named_layers()
        if isinstance(layer.neurons, SpikingLayer)
    }
    for name, node in config["layer_surrogates"].items():
        if name not in layers:
            raise UserError(
                f"layer_surrogates.{name}: no such layer, or one that does not spike; allowed: "
                f"{', '.join(layers) or 'none, in this network no layer spikes'}"
            )
        layers[name].neurons.neuron.spike_grad = _own_surrogate(name, node)
    courses: dict[str, Course] = {}
    for group in ("slope", "scale"):
        course = courses[group] = build(group, config[group])
        if isinstance(course, Constant):
            continue
        moved = 0
        for name, layer in layers.items():
            surrogate = layer.neurons.surrogate
            if surrogate.has(group):
                _check(group, course, name, surrogate)
                moved += 1
                if isinstance(course, Learned):
                    surrogate.learn(group, course.size(layer.shape))
        if not moved:
            raise UserError(
                f"{group}: no layer that spikes has a surrogate with a {group}; allowed: "
                f"{group}=constant"
            )
    network.freeze(config["model"]["freeze"])  # what is learned there, too
    if all(isinstance(course, Constant) for course in courses.values()):
        return None
    return Slopes(network, courses)


def _own_surrogate(layer: str, node: dict[str, Any]) -> Surrogate:
    values = {key: value for key, value in node.items() if key != "option"}
    target = options("surrogate")[node["option"]]["_target_"]
    try:
        surrogate: Surrogate = build("surrogate", {"_target_": target, **values})
    except UserError as error:
        line = str(error).removeprefix("surrogate")
        raise UserError(f"layer_surrogates.{layer}{line}") from error
    return surrogate


def _check(group: str, course: Course, layer: str, surrogate: Surrogate) -> None:
    kind = type(surrogate).__name__
    if isinstance(course, Learned) and not surrogate.has_primitive:
        raise UserError(
            f"{group}: learned needs a surrogate with a primitive, and {kind} in {layer} has none; "
            f"allowed: {group}=constant, or another surrogate"
        )
    if isinstance(course, Adaptive) and not course.fits(surrogate):
        raise UserError(
            f"{group}: adaptive needs a window that is half as wide at twice the slope, and that "
            f"of {kind} in {layer} is not; allowed: {group}=constant, or another surrogate"
        )
