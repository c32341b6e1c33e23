"""The engine that needs no compiler: the same statements over whole rows, by torch in place."""

import ast
import functools
from types import CodeType
from typing import Any

import torch

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
        scan, wide = buffers.scan, buffers.wide
        states = (*scan.states, "r") if scan.spiking else scan.states
        names = _names(buffers, kernel.update) | {name: buffers[name] for name in states}
        out = buffers["spk" if scan.spiking else "out"]
        kept = [name for name in scan.saved if buffers.arrays.get(f"{name}_rows") is not None]
        cur, constant = buffers["cur"], buffers.cur_stride == 0
        for t in range(first, end):
            names["cur"] = cur[0 if constant else t].to(wide)
            if scan.recurrent:
                names["fed"] = buffers["fed"][t - buffers.fed_first]
            for name in kept:
                names[f"{name}_out"] = buffers[f"{name}_rows"][t]
            exec(kernel.update.code, names)
            if not scan.spiking:
                out[t] = names["mem"]
            elif scan.smooth:
                names["r"] = buffers.fired(names["mem"] - names[scan.level])
                out[t] = names["r"]
            elif out.dtype == wide:
                names["r"] = torch.gt(names["mem"], names[scan.level], out=out[t])
            else:
                out[t] = names["mem"] > names[scan.level]
                names["r"] = out[t].to(wide)
        for name in states:
            buffers[name] = names[name].clone()

    def reverse(self, kernel: "_Code", buffers: Buffers, first: int, end: int) -> None:
        scan = buffers.scan
        names = _names(buffers, kernel.raised, kernel.reverse, kernel.reverse_last)
        names |= _summed(buffers)
        # The current's gradient is that of the last state: written where it is to be at once.
        straight = scan.kind != "alpha" and not scan.gain and not scan.constant
        straight &= scan.dtype == scan.wide
        source = f"g_{CARRIED[scan.kind][0]}"
        collected = not scan.wanted.isdisjoint({"slope", "scale"})
        for t in range(end - 1, first - 1, -1):
            if straight:
                names[f"{source}_out"] = buffers["g_cur"][t]
            names |= {name: buffers[f"{name}_rows"][t] for name in scan.saved}
            if "gain" in scan.wanted:
                names["cur"] = buffers["cur"][0 if buffers.cur_stride == 0 else t]
                if scan.recurrent:
                    names["fed"] = buffers["fed"][t - buffers.fed_first]
            given = buffers["g_spk"][t - buffers.given_first].to(buffers.wide)
            names["given" if scan.spiking else "g_out"] = given
            if scan.spiking:
                names["h"] = buffers["h"][t - buffers.chunk]
                names["g_s_out"] = buffers["g_s_rows"][t - buffers.chunk]
                _spike(kernel, buffers, names)
            last = t == end - 1 and buffers.arrays.get("end_mem") is not None
            if last:
                names |= {f"end_{name}": buffers[f"end_{name}"] for name in scan.states}
            exec((kernel.reverse_last if last else kernel.reverse).code, names)
            if collected and names["g_s"] is given:
                names["g_s_out"].copy_(given)
            if scan.record:
                buffers["g_mem_rows"][t] = names["g_mem"]
            if scan.constant:
                buffers["g_sum"].add_(names["g_cur"])
            if not straight and (scan.recurrent or not scan.constant):
                buffers["g_cur"][t] = names["g_cur"]
        _keep(buffers, names, {f"g_{name}": names[f"g_{name}"] for name in CARRIED[scan.kind]})

    def reverse_start(self, kernel: "_Code", buffers: Buffers) -> None:
        scan = buffers.scan
        names = _names(buffers, kernel.raised, kernel.start) | _summed(buffers)
        loaded = dict.fromkeys([*scan.saved, *(["mem"] if scan.spiking else [])])
        names |= {name: buffers[f"start_{name}"] for name in loaded}
        if scan.spiking:
            names["h"], names["given"] = buffers["h"][0], torch.zeros_like(buffers["h"][0])
            _spike(kernel, buffers, names)
        exec(kernel.start.code, names)
        if scan.spiking:
            buffers["g_s_rows"][0] = names["g_s"] if scan.spike_acts else 0.0
        handed = {f"g_{name}": eval(value, names) for name, value in scan.start().items()}
        _keep(buffers, names, handed)


def _names(buffers: Buffers, *statements: "_Statements") -> Names:
    """Parameters, and a place for every value that the statements compute."""
    names: Names = {name: buffers.parameter(name) for name in buffers.scan.parameters}
    names |= {"torch": torch, "one": torch.ones((), dtype=buffers.wide, device=buffers.device)}
    wanted = dict.fromkeys(place for part in statements for place in part.places)
    places = torch.empty(len(wanted), buffers.lanes, dtype=buffers.wide, device=buffers.device)
    return names | dict(zip(wanted, places.unbind(), strict=True))


def _summed(buffers: Buffers) -> Names:
    """Gradients that go on from step to step."""
    scan = buffers.scan
    found = [f"g_{name}" for name in CARRIED[scan.kind]]
    found += [f"d_{name}" for name in scan.wanted.intersection(scan.parameters)]
    return {name: buffers[name] for name in found}


def _spike(kernel: "_Code", buffers: Buffers, names: Names) -> None:
    if buffers.scan.needs_spike:
        exec(kernel.raised.code, names)
        names["s"] = buffers.fired(names["mem"] - names[buffers.scan.level])


def _keep(buffers: Buffers, names: Names, gradients: Names) -> None:
    for name, value in gradients.items():
        buffers[name].copy_(value)
    for name in buffers.scan.wanted.intersection(buffers.scan.parameters):
        buffers[f"d_{name}"].copy_(names[f"d_{name}"])


class _Code:
    """The statements of a scan, to be run over a dictionary of names."""

    def __init__(self, scan: Scan) -> None:
        spike = scan.through_spike("h", {}, "given") if scan.spiking else []
        behind = scan.from_behind()
        numbers = frozenset(scan.parameters) - scan.arrays
        self.raised = _Statements(scan.raised(), numbers)
        self.update = _Statements([*scan.update(), *scan.raised()], numbers)
        self.reverse = _Statements([*behind, *spike, *scan.reverse(last=False)], numbers)
        self.reverse_last = _Statements([*behind, *spike, *scan.reverse(last=True)], numbers)
        self.start = _Statements([*behind, *(spike if scan.spike_acts else [])], numbers)


class _Statements:
    """Statements as calls that write into given places: ``<name>_out``, and ``place<n>``.

    A step then allocates nothing, and each operation is one pass over a row. ``numbers`` are the
    names of parameters that are one number for all, which torch takes as the second factor.
    """

    def __init__(self, lines: list[str], numbers: frozenset[str]) -> None:
        self.places: list[str] = []
        self._numbers = numbers
        calls: list[str] = []
        for line in lines:
            (statement,) = ast.parse(line).body
            assert isinstance(statement, ast.Assign)
            target = ast.unparse(statement.targets[0])
            value = self._value(statement.value, calls, f"{target}_out", 0)
            calls.append(f"{target} = {value}")
        self.code: CodeType = compile("\n".join(calls), "<fused scan>", "exec")

    def _value(self, node: ast.expr, calls: list[str], place: str, depth: int) -> str:
        """The name that holds a value, after the calls that compute it."""
        if isinstance(node, ast.Name | ast.Constant):
            return ast.unparse(node)
        if place not in self.places:
            self.places.append(place)
        if isinstance(node, ast.UnaryOp):
            operand = self._value(node.operand, calls, f"place{depth}", depth + 1)
            calls.append(f"torch.neg({operand}, out={place})")
            return place
        assert isinstance(node, ast.BinOp)
        left = self._value(node.left, calls, f"place{depth}", depth + 1)
        scaled = self._scaled(node.right) if isinstance(node.op, ast.Sub) else None
        if scaled is not None and left != "1":
            calls.append(f"torch.sub({left}, {scaled[0]}, alpha={scaled[1]}, out={place})")
            return place
        right = self._value(node.right, calls, f"place{depth + 1}", depth + 2)
        kind = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}[type(node.op)]
        if left == "1":
            left = "one"
        elif kind == "mul" and left in self._numbers:
            left, right = right, left
        calls.append(f"torch.{kind}({left}, {right}, out={place})")
        return place

    def _scaled(self, node: ast.expr) -> tuple[str, str] | None:
        """A spike times a number, which can be subtracted in one pass: the product is exact."""
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Mult)
            and isinstance(node.left, ast.Name)
            and isinstance(node.right, ast.Name)
            and node.left.id == "r"
            and node.right.id in self._numbers
        ):
            return node.left.id, node.right.id
        return None


@functools.lru_cache(maxsize=1024)
def _code(scan: Scan) -> _Code:
    return _Code(scan)
