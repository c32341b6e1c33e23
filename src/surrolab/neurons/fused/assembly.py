"""From a layer and its current to a fused pass."""

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import snntorch
import torch
from torch import Tensor, nn

from surrolab.neurons.adaptive import ALIF, AdaptiveNeuron, AdLIF
from surrolab.neurons.equations import (
    AdaptiveState,
    AlphaState,
    LeakyState,
    RAdaptiveState,
    ResetMode,
    RLeakyState,
    RSynapticState,
    State,
    SynapticState,
)
from surrolab.neurons.fused.buffers import Engine
from surrolab.neurons.fused.firing import NOTHING, Printed, printed
from surrolab.neurons.fused.foreign import adopted
from surrolab.neurons.fused.function import FusedPass
from surrolab.neurons.fused.passes import Pass
from surrolab.neurons.fused.scan import Scan
from surrolab.neurons.fused.tracing import NotPrintableError, Settings
from surrolab.neurons.record import Record
from surrolab.surrogates import Surrogate

if TYPE_CHECKING:
    from surrolab.neurons.layer import NeuronLayer

_KINDS: dict[Any, tuple[str, Any]] = {
    snntorch.Leaky: ("leaky", LeakyState),
    snntorch.Lapicque: ("leaky", LeakyState),
    snntorch.RLeaky: ("leaky", RLeakyState),
    snntorch.Synaptic: ("synaptic", SynapticState),
    snntorch.RSynaptic: ("synaptic", RSynapticState),
    snntorch.Alpha: ("alpha", AlphaState),
    ALIF: ("alif", AdaptiveState),
    AdLIF: ("adlif", AdaptiveState),
}


class Unsupported(Exception):  # noqa: N818  (nothing went wrong: another engine is taken)
    """What a fused pass cannot do, in words."""


def why_not(layer: "NeuronLayer") -> str | None:
    """Why no engine can fuse this layer as it is now, or None."""
    if layer.spiking:
        surrogate = adopted(layer.surrogate)
        if surrogate is None:
            return "its spike_grad is no elementwise hard step that could be taken over"
        if type(surrogate).forward is not Surrogate.forward or surrogate._forward_hooks:
            return "its surrogate has a forward pass of its own"
        if surrogate._modules or not surrogate._parameters.keys() <= {"slope", "scale"}:
            return "its surrogate learns more than slope and scale"
        if layer.fire is not None and not _smooth(layer):
            return "something else takes the place of the step"
    recurrent = getattr(layer.neuron, "recurrent", None)
    if recurrent is not None and type(recurrent) is not nn.Linear:
        return f"its recurrence is a {type(recurrent).__name__} and no Linear"
    if recurrent is not None and (recurrent._forward_pre_hooks or recurrent._forward_hooks):
        return "its recurrence has hooks, which may make its weights"
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
    neuron = layer.neuron
    surrogate = adopted(layer.surrogate) if layer.spiking else None
    parameters, numbers = _parameters(layer, neuron), {}
    if surrogate is not None:
        for name in ("slope", "scale"):
            value = getattr(surrogate, name)
            if isinstance(value, Tensor):
                parameters[name] = value
            else:
                numbers[name] = value
    kind, state_type = _KINDS[type(neuron)]
    recurrent = getattr(neuron, "recurrent", None)
    if recurrent is not None and state_type is AdaptiveState:
        state_type = RAdaptiveState
    smooth = layer.fire is not None and _smooth(layer)
    plan = _plan(
        engine,  # type: ignore[arg-type]
        Settings(surrogate) if surrogate is not None and engine.prints else None,
        (kind, layer.reset, layer.detach_reset, surrogate is not None, smooth),
        (recurrent is not None, state is not None, record, steps is not None, cur_TBN.dtype),
        tuple((name, p.numel() > 1, p.requires_grad) for name, p in parameters.items()),
    )
    weight, bias = (recurrent.weight, recurrent.bias) if recurrent is not None else (None, None)
    states = [None] * len(plan.scan.states) if state is None else list(state)
    spk_0 = None
    if recurrent is not None and state is not None:
        spk_0, *states = states
    # The same in all steps: one is read.
    same = steps is not None or (len(cur_TBN) > 1 and cur_TBN.stride(0) == 0)
    tensors: list[Tensor | None] = [cur_TBN if same else cur_TBN.contiguous()]
    tensors += [weight, bias, spk_0, *states, *parameters.values()]
    run = Pass(
        scan=plan.scan,
        engine=engine,
        kernel=plan.kernel,
        printed=plan.printed,
        surrogate=surrogate,
        names=tuple(parameters),
        numbers=numbers,
        shape=cur_TBN.shape[1:],
        steps=len(cur_TBN) if steps is None else steps,
        cur_shape=cur_TBN.shape,
        device=cur_TBN.device,
        keeps=torch.is_grad_enabled()
        and any(tensor is not None and tensor.requires_grad for tensor in tensors),
        record=Record(neuron.threshold) if record else None,
        overwrite=layer.overwrite_membrane and not record,
    )
    out, *final = FusedPass.apply(run, *tensors)  # type: ignore[no-untyped-call]
    if run.reach is not None:
        run.reach.mark(out)
    spk = [out[-1]] if recurrent is not None else []
    return out, state_type(*spk, *final), run.record


class _Plan(NamedTuple):
    scan: Scan
    printed: Printed
    kernel: Any


@functools.lru_cache(maxsize=1024)
def _plan(
    engine: Engine,
    settings: Settings | None,
    neuron: tuple[str, ResetMode, bool, bool, bool],
    given: tuple[bool, bool, bool, bool, torch.dtype],
    parameters: tuple[tuple[str, bool, bool], ...],
) -> _Plan:
    """What is the same for all passes of a kind; a tuple of facts is quick to look up."""
    kind, reset, detach, spiking, smooth = neuron
    recurrent, started, record, constant, dtype = given
    scan = Scan(
        kind=kind,
        reset=reset,
        detach=detach or reset == "none",
        spiking=spiking,
        smooth=smooth,
        recurrent=recurrent,
        gain=any(name == "gain" for name, _, _ in parameters),
        started=started,
        arrays=frozenset(name for name, several, _ in parameters if several),
        wanted=frozenset(name for name, _, learned in parameters if learned),
        record=record,
        constant=constant,
        dtype=str(dtype).removeprefix("torch."),
    )
    try:
        surrogate = None if settings is None else settings.without_parameters()
        shown = NOTHING if surrogate is None else printed(surrogate, smooth, scan.wanted)
    except NotPrintableError as error:
        raise Unsupported(f"the smooth step cannot be printed: {error}") from error
    return _Plan(scan, shown, engine.prepare(scan, shown))


def _smooth(layer: "NeuronLayer") -> bool:
    """Whether the surrogate's own smooth step takes the place of the hard one."""
    fire: Any = layer.fire
    return (
        isinstance(layer.surrogate, Surrogate)
        and getattr(fire, "__func__", None) is Surrogate.smooth_step
        and fire.__self__ is layer.surrogate
    )


def _parameters(layer: "NeuronLayer", neuron: Any) -> dict[str, Tensor]:
    """The parameters of the statements, by name; see :mod:`surrolab.neurons.fused.scan`."""
    found = {"beta": neuron.beta.clamp(0, 1)}
    if hasattr(neuron, "alpha"):
        found["alpha"] = neuron.alpha.clamp(0, 1)
    if isinstance(neuron, AdaptiveNeuron):
        found["rho"] = neuron.rho.clamp(0, 1)
        strengths = {"threshold_step": "kappa", "a": "pull", "b": "jump"}
        found |= {
            short: neuron.strength(name)
            for name, short in strengths.items()
            if name in neuron.strengths
        }
    theta = drop = neuron.threshold
    if type(neuron) is snntorch.Alpha:
        log_alpha, log_beta = torch.log(found["alpha"]), torch.log(found["beta"])
        found["tau"] = log_alpha / (log_beta - log_alpha) + 1
        drop = drop / found["tau"]
    gain = layer.gain()
    if gain is not None:
        found["gain"] = gain
    if layer.spiking:
        found["theta"] = theta
    if layer.reset == "subtract":
        found["drop"] = drop
    return found
