"""From a layer and its current to a fused pass."""

from typing import TYPE_CHECKING, Any

import snntorch
import torch
from torch import Tensor, nn

from surrolab.neurons.equations import (
    AlphaState,
    LeakyState,
    RLeakyState,
    RSynapticState,
    State,
    SynapticState,
)
from surrolab.neurons.fused.buffers import Engine
from surrolab.neurons.fused.firing import NOTHING, Printed, printed
from surrolab.neurons.fused.function import FusedPass, Pass
from surrolab.neurons.fused.scan import Scan
from surrolab.neurons.fused.tracing import NotPrintableError
from surrolab.neurons.record import Record
from surrolab.surrogates import Surrogate

if TYPE_CHECKING:
    from surrolab.neurons.layer import NeuronLayer

KINDS = {
    snntorch.Leaky: "leaky",
    snntorch.Lapicque: "leaky",
    snntorch.RLeaky: "leaky",
    snntorch.Synaptic: "synaptic",
    snntorch.RSynaptic: "synaptic",
    snntorch.Alpha: "alpha",
}


class Unsupported(Exception):  # noqa: N818  (nothing went wrong: another engine is taken)
    """What a fused pass cannot do, in words."""


def why_not(layer: "NeuronLayer") -> str | None:
    """Why no engine can fuse this layer as it is now, or None."""
    if layer.spiking:
        if not isinstance(layer.surrogate, Surrogate):
            return "its spike_grad is none of surrolab's surrogates"
        if layer.fire is not None and not _smooth(layer):
            return "something else takes the place of the step"
    recurrent = getattr(layer.neuron, "recurrent", None)
    if recurrent is not None and type(recurrent) is not nn.Linear:
        return f"its recurrence is a {type(recurrent).__name__} and no Linear"
    return None


def fused(
    layer: "NeuronLayer",
    engine: Engine,
    cur_TBN: Tensor,
    steps: int | None = None,
    state: Any = None,
    record: bool = False,
) -> tuple[Tensor, State, Record | None]:
    """Output, final state and record of a layer, by an engine.

    Args:
        layer: with parameters in range.
        engine: that supports the current's dtype and device.
        cur_TBN: ``[T, B, N...]``, not yet scaled.
        steps: a current of one step is the same in so many; None where there is one for each.
        state: where to start; at rest unless given.
        record: whether membrane and gradient are kept.

    Raises:
        Unsupported: the engine cannot, as another could.
        CompilerError: a kernel cannot be compiled or kept.
    """
    parameters = _parameters(layer)
    numbers: dict[str, float] = {}
    surrogate = layer.surrogate if layer.spiking else None
    if surrogate is not None:
        for name in ("slope", "scale"):
            value = getattr(surrogate, name)
            if isinstance(value, Tensor):
                parameters[name] = value
            else:
                numbers[name] = value
    recurrent = getattr(layer.neuron, "recurrent", None)
    scan = Scan(
        kind=KINDS[type(layer.neuron)],
        reset=layer.reset,
        detach=layer.detach_reset or layer.reset == "none",
        spiking=layer.spiking,
        smooth=_smooth(layer),
        recurrent=recurrent is not None,
        gain="gain" in parameters,
        started=state is not None,
        arrays=frozenset(name for name, value in parameters.items() if value.numel() > 1),
        wanted=frozenset(name for name, value in parameters.items() if value.requires_grad),
        record=record,
        constant=steps is not None,
        dtype=str(cur_TBN.dtype).removeprefix("torch."),
    )
    shown = NOTHING if surrogate is None else _printed(engine, surrogate, scan)
    weight, bias = (recurrent.weight, recurrent.bias) if recurrent is not None else (None, None)
    states = [None] * len(scan.states) if state is None else list(state)
    spk_0 = None
    if scan.recurrent and state is not None:
        spk_0, *states = states
    tensors = [cur_TBN, weight, bias, spk_0, *states, *parameters.values()]
    keeps = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    kept = Record() if record else None
    run = Pass(
        scan=scan,
        engine=engine,
        kernel=engine.prepare(scan, shown),
        printed=shown,
        surrogate=surrogate,
        names=tuple(parameters),
        numbers=numbers,
        shape=cur_TBN.shape[1:],
        steps=len(cur_TBN) if steps is None else steps,
        cur_shape=cur_TBN.shape,
        keeps=keeps,
        record=kept,
        overwrite=layer.overwrite_membrane and not record,
    )
    out, *final = FusedPass.apply(run, *tensors)  # type: ignore[no-untyped-call]
    return out, _state(layer.neuron, out, final), kept


def _smooth(layer: "NeuronLayer") -> bool:
    """Whether the surrogate's own smooth step takes the place of the hard one."""
    fire: Any = layer.fire
    return (
        isinstance(layer.surrogate, Surrogate)
        and getattr(fire, "__func__", None) is Surrogate.smooth_step
        and fire.__self__ is layer.surrogate
    )


def _printed(engine: Engine, surrogate: Surrogate, scan: Scan) -> Printed:
    if not engine.prints:
        return NOTHING
    try:
        return printed(surrogate, scan.smooth, scan.wanted)
    except NotPrintableError as error:
        raise Unsupported(f"the smooth step cannot be printed: {error}") from error


def _parameters(layer: "NeuronLayer") -> dict[str, Tensor]:
    """The parameters of the statements, by name; see :mod:`surrolab.neurons.fused.scan`."""
    neuron = layer.neuron
    found = {"beta": neuron.beta.clamp(0, 1)}
    if hasattr(neuron, "alpha"):
        found["alpha"] = neuron.alpha.clamp(0, 1)
    drop = neuron.threshold
    if type(neuron) is snntorch.Alpha:
        log_alpha, log_beta = torch.log(found["alpha"]), torch.log(found["beta"])
        found["tau"] = log_alpha / (log_beta - log_alpha) + 1
        drop = drop / found["tau"]
    gain = layer.gain()
    if gain is not None:
        found["gain"] = gain
    if layer.spiking:
        found["theta"] = neuron.threshold
    if layer.reset == "subtract":
        found["drop"] = drop
    return found


def _state(neuron: Any, out: Tensor, final: list[Tensor]) -> State:
    kind = type(neuron)
    if kind is snntorch.RLeaky:
        return RLeakyState(out[-1], *final)
    if kind is snntorch.RSynaptic:
        return RSynapticState(out[-1], *final)
    if kind is snntorch.Synaptic:
        return SynapticState(*final)
    return AlphaState(*final) if kind is snntorch.Alpha else LeakyState(*final)
