"""The engine that needs no compiler: the same statements over whole rows, as torch operations."""

import functools
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from surrolab.neurons.fused.buffers import Buffers
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import CARRIED, Scan

Names = dict[str, Any]


class TorchEngine:
    """Runs on any device; see :class:`~surrolab.neurons.fused.buffers.Engine`.

    The surrogate is called, never printed: of a smooth step in every time step, of the derivative
    for many steps at once.
    """

    name = "torch"
    prints = False
    loads_parameters = False

    def supports(self, dtype: torch.dtype, device: torch.device) -> str | None:
        """Why it does not, or None."""
        return None

    def prepare(self, scan: Scan, printed: Printed) -> "_Code":
        """The statements, compiled by Python."""
        return _code(scan)

    def forward(self, kernel: "_Code", buffers: Buffers, first: int, end: int) -> None:
        scan = buffers.scan
        names = _parameters(buffers)
        states = (*scan.states, "r") if scan.spiking else scan.states
        names |= {name: buffers[name] for name in states}
        out = buffers["spk" if scan.spiking else "out"]
        kept = [name for name in scan.saved if buffers.arrays.get(f"{name}_rows") is not None]
        cur = buffers["cur"]
        constant = buffers.cur_stride == 0
        for t in range(first, end):
            names["cur"] = cur[0 if constant else t].to(buffers.wide)
            if scan.recurrent:
                names["fed"] = buffers["fed"][t - buffers.fed_first]
            exec(kernel.update, names)
            for name in kept:
                buffers[f"{name}_rows"][t] = names[name]
            if scan.spiking:
                x = names["mem"] - names["theta"]
                names["r"] = buffers.step(x) if scan.smooth else (x > 0).to(x.dtype)
                out[t] = names["r"]
            else:
                out[t] = names["mem"]
        for name in states:
            buffers[name].copy_(names[name])

    def reverse(self, kernel: "_Code", buffers: Buffers, first: int, end: int) -> None:
        scan = buffers.scan
        names = _parameters(buffers) | _sums(buffers)
        names |= {f"g_{name}": buffers[f"g_{name}"] for name in CARRIED[scan.kind]}
        for t in range(end - 1, first - 1, -1):
            names |= {name: buffers[f"{name}_rows"][t] for name in scan.saved}
            if "gain" in scan.wanted:
                names["cur"] = buffers["cur"][0 if buffers.cur_stride == 0 else t]
                if scan.recurrent:
                    names["fed"] = buffers["fed"][t - buffers.fed_first]
            given = buffers["g_spk"][t - buffers.given_first].to(buffers.wide)
            if scan.spiking:
                names["h"], names["given"] = buffers["h"][t - buffers.chunk], given
                _spike(buffers, names)
            else:
                names["g_out"] = given
            exec(kernel.from_behind, names)
            exec(kernel.through_spike, names)
            last = t == end - 1 and buffers.arrays.get("end_mem") is not None
            if last:
                names |= {f"end_{name}": buffers[f"end_{name}"] for name in scan.states}
            exec(kernel.reverse_last if last else kernel.reverse, names)
            if scan.record:
                buffers["g_mem_rows"][t] = names["g_mem"]
            if scan.spiking:
                buffers["g_s_rows"][t - buffers.chunk] = names["g_s"]
            if scan.constant:
                buffers["g_sum"].add_(names["g_cur"])
            if scan.recurrent or not scan.constant:
                buffers["g_cur"][t] = names["g_cur"]
        self._keep(buffers, names, {f"g_{name}": f"g_{name}" for name in CARRIED[scan.kind]})

    def reverse_start(self, kernel: "_Code", buffers: Buffers) -> None:
        scan = buffers.scan
        names = _parameters(buffers) | _sums(buffers)
        loaded = dict.fromkeys([*scan.saved, *(["mem"] if scan.spiking else [])])
        names |= {name: buffers[f"start_{name}"] for name in loaded}
        names |= {f"g_{name}": buffers[f"g_{name}"] for name in CARRIED[scan.kind]}
        if scan.spiking:
            names["h"], names["given"] = buffers["h"][0], 0.0
            _spike(buffers, names)
        exec(kernel.from_behind, names)
        if scan.through_reset:
            exec(kernel.through_spike, names)
        if scan.spiking:
            buffers["g_s_rows"][0] = names["g_s"] if scan.through_reset else 0.0
        self._keep(
            buffers,
            {**names, **{f"start {k}": eval(v, names) for k, v in scan.start().items()}},
            {f"g_{name}": f"start {name}" for name in scan.start()},
        )

    @staticmethod
    def _keep(buffers: Buffers, names: Names, places: dict[str, str]) -> None:
        for place, name in places.items():
            buffers[place].copy_(names[name])
        for name in buffers.scan.parameters:
            if name in buffers.scan.wanted:
                buffers[f"d_{name}"].copy_(names[f"d_{name}"])


def _parameters(buffers: Buffers) -> Names:
    return {name: buffers.parameter(name) for name in buffers.scan.parameters}


def _sums(buffers: Buffers) -> Names:
    wanted = buffers.scan.wanted.intersection(buffers.scan.parameters)
    return {f"d_{name}": buffers[f"d_{name}"] for name in wanted}


def _spike(buffers: Buffers, names: Names) -> None:
    if buffers.scan.needs_spike:
        x: Tensor = names["mem"] - names["theta"]
        names["s"] = buffers.step(x) if buffers.scan.smooth else (x > 0).to(x.dtype)


class _Code:
    """The statements of a scan as Python code, to be run over a dictionary of names."""

    def __init__(self, scan: Scan) -> None:
        self.update = _compiled(scan.update())
        self.from_behind = _compiled(scan.from_behind())
        spike = scan.through_spike("h", {}, "given") if scan.spiking else []
        self.through_spike = _compiled(spike)
        self.reverse = _compiled(scan.reverse(last=False))
        self.reverse_last = _compiled(scan.reverse(last=True))


def _compiled(lines: list[str]) -> CodeType:
    return compile("\n".join(lines), "<fused scan>", "exec")


@functools.lru_cache(maxsize=1024)
def _code(scan: Scan) -> _Code:
    return _Code(scan)
