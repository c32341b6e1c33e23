"""The fused pass as a differentiable function."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from surrolab.neurons.fused.buffers import Buffers
from surrolab.neurons.fused.firing import Called, chunks
from surrolab.neurons.fused.passes import Pass
from surrolab.neurons.fused.scan import CARRIED


class FusedPass(torch.autograd.Function):
    """Output ``[T, B, N...]`` and the final states, from the current and the initial states.

    Inputs: the pass; ``cur`` (``[1, B, N...]`` where it is constant); recurrent weight, bias and
    the spikes before the first step, or None; the initial states, or None; the parameters.
    """

    @staticmethod
    def forward(ctx: Any, run: Pass, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        scan = run.scan
        cur, weight, bias, spk_0, *rest = tensors
        assert cur is not None
        states, parameters = rest[: len(scan.states)], rest[len(scan.states) :]
        buffers = _buffers(run, cur)
        _take_parameters(run, buffers, _named(run, parameters))
        for name, state in zip(scan.states, states, strict=True):
            buffers[name] = _flat(state, buffers) if state is not None else _rest(buffers)
        if scan.spiking:
            theta = buffers.parameter("theta")
            # At rest a smooth step has not fired; a hard one has where the threshold is below 0.
            above = scan.smooth or (isinstance(theta, float) and theta >= 0)
            rests = above and not scan.started
            if rests:
                buffers["r"] = _rest(buffers)
            else:
                level = _level(buffers, buffers.arrays.get("adapt"))
                buffers["r"] = buffers.fired(buffers["mem"] - level)
        rows = (run.steps, buffers.lanes)
        if run.keeps or run.record is not None:
            for name in scan.saved:
                made = torch.empty(rows, dtype=buffers.wide, device=cur.device)
                buffers[f"{name}_rows"] = made
        out = cur.new_empty((run.steps, *run.shape))
        buffers["spk" if scan.spiking else "out"] = out.view(rows)
        if scan.recurrent:
            _recurrent_forward(run, buffers, out, weight, bias, spk_0)
        else:
            run.engine.forward(run.kernel, buffers, 0, run.steps)
        final = tuple(buffers[name].view(run.shape) for name in scan.states)
        if run.record is not None:
            run.record.membrane = buffers["mem_rows"].view(run.steps, *run.shape)
            if scan.kind == "alif":
                level = torch.as_tensor(_level(buffers, buffers["adapt_rows"]))
                run.record.threshold = level.view(run.steps, *run.shape)
        if run.keeps and "mem_rows" in buffers.arrays:
            run.reach = run.reach_of(buffers)
        if run.keeps:
            saved = [buffers.arrays.get(f"{name}_rows") for name in scan.saved]
            fed = buffers.arrays.get("fed") if "gain" in scan.wanted else None
            needed = cur if "gain" in scan.wanted else None  # else it need not be kept
            spikes = out if scan.recurrent else None
            ctx.save_for_backward(needed, *tensors[1:], *saved, fed, spikes)
        ctx.run, ctx.numbers = run, buffers.numbers
        ctx.spread = {n: array for n, array in buffers.arrays.items() if n.startswith("p_")}
        ctx.spent = False
        ctx.set_materialize_grads(False)
        return (out, *final)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_out: Tensor | None, *g_final: Tensor | None) -> tuple[Any, ...]:
        run: Pass = ctx.run
        scan = run.scan
        if ctx.spent:
            raise RuntimeError(
                "overwrite_membrane: the first backward pass wrote the gradient over the membrane; "
                "allowed: one backward pass, or overwrite_membrane=False"
            )
        saved = list(ctx.saved_tensors)  # once: checkpointing hands them out a single time
        out, fed = saved.pop(), saved.pop()
        rows = [saved.pop() for _ in scan.saved][::-1]
        cur, weight, bias, spk_0, *rest = saved
        states, parameters = rest[: len(scan.states)], rest[len(scan.states) :]
        named = _named(run, parameters)
        buffers = _buffers(run, cur)
        buffers.numbers = ctx.numbers
        for name, array in ctx.spread.items():
            buffers[name] = array
        for name, array in zip(scan.saved, rows, strict=True):
            buffers[f"{name}_rows"] = array
        _incoming(run, buffers, g_out, g_final)
        ctx.spent = run.overwrites
        if run.reach is not None and run.overwrites:
            run.reach.spend()
        called = _called(run, named) if run.called else None
        g_weight = g_bias = g_spk_0 = None
        if scan.recurrent:
            buffers["fed"] = fed
            given = (weight, bias, spk_0)
            wanted = ctx.needs_input_grad[2:5]
            g_weight, g_bias, g_spk_0 = _recurrent_reverse(run, buffers, called, given, wanted, out)
        else:
            for first, end in _ranges(run, buffers):
                _reverse_rows(run, buffers, called, first, end)
                buffers["end_mem"] = None
        g_states: list[Tensor | None] = [None] * len(states)
        if scan.started:
            g_states = _reverse_start(run, buffers, called, states)
        g_cur = buffers["g_sum"] if scan.constant else buffers["g_cur"]
        g_cur = g_cur.to(getattr(torch, scan.dtype)).view(run.cur_shape)
        learned = {} if called is None else called.gradients
        g_parameters = [
            learned[name] if name in learned else _total(run, buffers, name, value)
            for name, value in named.items()
        ]
        if run.record is not None:
            found = buffers["g_mem_rows"].view(run.steps, *run.shape)
            before = run.record.gradient  # of an earlier backward pass of the same graph
            run.record.gradient = found if before is None else before + found
        return (None, g_cur, g_weight, g_bias, g_spk_0, *g_states, *g_parameters)


def _buffers(run: Pass, cur: Tensor | None) -> Buffers:
    lanes = run.shape.numel()
    buffers = Buffers(run.scan, run.steps, lanes, run.device)
    if cur is not None:
        same = run.scan.constant or (cur.stride(0) == 0 and run.steps > 1)
        buffers.cur_stride = 0 if same else lanes
        buffers["cur"] = (cur[:1] if same else cur).reshape(1 if same else run.steps, lanes)
    if run.scan.smooth:
        assert run.surrogate is not None
        step = run.surrogate.smooth_step
        buffers.step = lambda x: step(x.view(run.shape)).reshape(lanes)
    return buffers


def _take_parameters(run: Pass, buffers: Buffers, parameters: dict[str, Tensor]) -> None:
    """Numbers, or an array where neurons differ."""
    buffers.numbers |= run.numbers
    for name, value in parameters.items():
        if name in run.scan.arrays:
            spread = value.detach().to(buffers.wide).expand(run.shape)
            buffers[f"p_{name}"] = spread.reshape(buffers.lanes)
        elif run.engine.loads_parameters:  # a number would make the device wait
            buffers[f"p_{name}"] = value.detach().to(buffers.device, buffers.wide).reshape(1)
        else:
            buffers.numbers[name] = value.item()


def _named(run: Pass, parameters: Sequence[Any]) -> dict[str, Tensor]:
    return dict(zip(run.names, parameters, strict=True))


def _flat(state: Tensor, buffers: Buffers) -> Tensor:
    """A copy of a state ``[B, N...]`` that the pass may change."""
    return state.detach().to(buffers.wide, copy=True).contiguous().view(buffers.lanes)


def _rest(buffers: Buffers) -> Tensor:
    return torch.zeros(buffers.lanes, dtype=buffers.wide, device=buffers.device)


def _incoming(
    run: Pass, buffers: Buffers, g_out: Tensor | None, g_final: tuple[Tensor | None, ...]
) -> None:
    """What comes from behind the pass, and room for what it hands on."""
    scan = run.scan
    rows = (run.steps, buffers.lanes)
    dtype = getattr(torch, scan.dtype)
    if g_out is None:
        g_out = torch.zeros(rows, dtype=dtype, device=buffers.device)
    buffers["g_spk"] = g_out.to(dtype).contiguous().view(rows)
    buffers["end_mem"] = None
    if any(gradient is not None for gradient in g_final):
        for name, gradient in zip(scan.states, g_final, strict=True):
            given = _rest(buffers) if gradient is None else _flat(gradient, buffers)
            buffers[f"end_{name}"] = given
    sums = [f"d_{name}" for name in sorted(scan.wanted)]
    buffers.zeros(*(f"g_{name}" for name in CARRIED[scan.kind]), *sums)
    if scan.through_reset and "mem" not in CARRIED[scan.kind]:
        buffers.zeros("g_mem")
    if scan.constant:
        buffers.zeros("g_sum")
    if scan.recurrent or not scan.constant:
        buffers["g_cur"] = (
            buffers["mem_rows"]
            if run.overwrites
            else torch.empty(rows, dtype=dtype, device=buffers.device)
        )
    if scan.record:
        buffers["g_mem_rows"] = torch.empty(rows, dtype=buffers.wide, device=buffers.device)


def _ranges(run: Pass, buffers: Buffers) -> list[tuple[int, int]]:
    """The steps that are taken at once, the last first."""
    return list(chunks(run.steps, buffers.lanes)) if run.called else [(0, run.steps)]


def _called(run: Pass, parameters: dict[str, Tensor]) -> Called:
    assert run.surrogate is not None
    learned = {n: p for n, p in parameters.items() if n in ("slope", "scale")}
    wanted = {name: p for name, p in learned.items() if name in run.scan.wanted}
    return Called(run.surrogate, run.scan.smooth, wanted)


def _reverse_rows(run: Pass, buffers: Buffers, called: Called | None, first: int, end: int) -> None:
    """The reverse of some steps, with the surrogate's derivative called where it has to be."""
    if called is None:
        run.engine.reverse(run.kernel, buffers, first, end)
        return
    adapt = buffers.arrays.get("adapt_rows")
    adapt = None if adapt is None else adapt[first:end]
    x = _distance(run, buffers, buffers["mem_rows"][first:end], adapt)
    h = called.derivative(x)
    buffers["h"] = h.to(buffers.wide).contiguous().view(end - first, buffers.lanes)
    buffers["g_s_rows"] = torch.empty_like(buffers["h"])
    buffers.chunk = first
    run.engine.reverse(run.kernel, buffers, first, end)
    called.collect(x, buffers["g_s_rows"].view_as(x))


def _level(buffers: Buffers, adapt: Tensor | None) -> Tensor | float:
    """What the membrane has to exceed for a spike, ``[lanes]`` or ``[rows, lanes]`` like ``adapt``,
    or the same for all.
    """
    if buffers.scan.kind != "alif":
        return buffers.parameter("theta")
    assert adapt is not None
    return buffers.parameter("kappa") * adapt + buffers.parameter("theta")


def _distance(run: Pass, buffers: Buffers, mem: Tensor, adapt: Tensor | None) -> Tensor:
    """Membrane minus threshold as ``[rows, B, N...]``, of rows of the state."""
    return (mem - _level(buffers, adapt)).view(len(mem), *run.shape)


def _reverse_start(
    run: Pass, buffers: Buffers, called: Called | None, states: list[Tensor]
) -> list[Tensor | None]:
    """The gradients of the initial states."""
    for name, state in zip(run.scan.states, states, strict=True):
        buffers[f"start_{name}"] = _flat(state, buffers)
    if called is not None:
        adapt = buffers.arrays.get("start_adapt")
        x = _distance(run, buffers, buffers["start_mem"][None], adapt)
        buffers["h"] = called.derivative(x).to(buffers.wide).contiguous().view(1, buffers.lanes)
        buffers["g_s_rows"] = torch.empty_like(buffers["h"])
        buffers.chunk = 0
    run.engine.reverse_start(run.kernel, buffers)
    if called is not None:
        called.collect(x, buffers["g_s_rows"].view_as(x))
    handed = run.scan.start()
    return [
        buffers[f"g_{name}"].view(run.shape).to(state.dtype) if name in handed else None
        for name, state in zip(run.scan.states, states, strict=True)
    ]


def _total(run: Pass, buffers: Buffers, name: str, parameter: Tensor) -> Tensor | None:
    """The gradient of a parameter: its sum over the neurons that share it, in float64."""
    if name not in run.scan.wanted:
        return None
    lanes = buffers[f"d_{name}"]
    wide = lanes if lanes.device.type == "mps" else lanes.double()
    return wide.view(run.shape).sum_to_size(parameter.shape).to(parameter.dtype)


def _recurrent_forward(
    run: Pass,
    buffers: Buffers,
    out: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    spk_0: Tensor | None,
) -> None:
    """Step by step: the product with the spikes of the step before, and the rest fused."""
    assert weight is not None
    kept = run.keeps and "gain" in run.scan.wanted
    rows = run.steps if kept else 1
    fed = torch.empty((rows, *run.shape), dtype=buffers.wide, device=out.device)
    buffers["fed"] = fed.view(rows, buffers.lanes)
    # A buffer of its own: MKL's sums differ with the alignment of what it is given.
    before = torch.zeros_like(out[0]) if spk_0 is None else spk_0.to(out.dtype, copy=True)
    for t in range(run.steps):
        row = t if kept else 0
        buffers.fed_first = 0 if kept else t
        fed[row] = torch.nn.functional.linear(before, weight.to(out.dtype), _as(bias, out))
        run.engine.forward(run.kernel, buffers, t, t + 1)
        before.copy_(out[t])


def _recurrent_reverse(
    run: Pass,
    buffers: Buffers,
    called: Called | None,
    given: tuple[Tensor, Tensor | None, Tensor | None],
    wanted: tuple[bool, bool, bool],
    out: Tensor,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The same way back; the gradients of weights, bias and the spikes before the first step."""
    weight, bias, spk_0 = given
    size = run.shape[-1]
    samples = run.shape[:-1].numel()
    flat_0 = None if spk_0 is None else spk_0.to(out.dtype).reshape(samples, size)
    wide_weight = weight.to(out.dtype)
    g_spk = buffers["g_spk"].view(run.steps, samples, size)  # without what the recurrence adds
    g_cur = buffers["g_cur"].view(run.steps, samples, size)
    incoming = g_spk[-1].clone()
    buffers["g_spk"] = incoming.view(1, -1)
    for t in range(run.steps - 1, -1, -1):
        if t < run.steps - 1:
            torch.addmm(g_spk[t], g_cur[t + 1], wide_weight, out=incoming)
        buffers.given_first = t
        _reverse_rows(run, buffers, called, t, t + 1)
        buffers["end_mem"] = None
    g_weight = g_bias = g_spk_0 = None
    behind = g_cur[1:].reshape(-1, size)
    if wanted[0]:
        g_weight = behind.T @ out[:-1].reshape(-1, size)
        if flat_0 is not None:
            g_weight = g_weight + g_cur[0].T @ flat_0
        g_weight = g_weight.to(weight.dtype)
    if bias is not None and wanted[1]:
        g_bias = g_cur.reshape(-1, size).sum(0).to(bias.dtype)
    if spk_0 is not None and wanted[2]:
        g_spk_0 = (g_cur[0] @ wide_weight).to(spk_0.dtype).view(spk_0.shape)
    return g_weight, g_bias, g_spk_0


def _as(value: Tensor | None, like: Tensor) -> Tensor | None:
    return None if value is None else value.to(like.dtype)
