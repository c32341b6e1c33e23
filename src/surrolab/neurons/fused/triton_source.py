"""The Triton text of a fused pass: the statements of a :class:`Scan`, a program per block of lanes.

The state stays in registers while time passes. A step is computed long before memory has answered
for the next one, so each program asks :data:`AHEAD` steps ahead: a ring of registers holds what was
asked for, and a step fills the places that it has used up again. The ring is written out in the
text, since Triton's own pipelining is made for what feeds matrix products: it goes through shared
memory and leaves out loads of fewer than 4 bytes. The number of steps is known at run time only;
steps past the end are computed and thrown away.

A program has as many lanes as threads. All arrays are then spread over the threads in the same way,
and a thread reads only what it wrote itself, also where two arrays are the same memory.
"""

import math

from surrolab.neurons.fused.expression import INFIX, TRUTH, Expression, Number, Operand
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import CARRIED, Scan

AHEAD = 8
"""Steps that are asked for before they are needed, and written out in the loop."""

DTYPES = ("float32", "float64", "bfloat16", "float16")

NUMBERS = ("lanes", "first", "end", "cur_stride", "fed_first", "chunk", "given_first")
"""Arguments of every kernel; see :class:`~surrolab.neurons.fused.buffers.Buffers`."""

SURROGATE = ("slope", "scale")
"""Arguments ``n_*`` of every kernel, which hold where there is no array ``q_p_*``."""

ITEMS = ("cur", "spk", "out", "g_spk", "g_cur")
_LIBRARY = {
    False: "from triton.language.extra import libdevice",
    True: "from surrolab.neurons.fused import triton_interpreted as libdevice",
}


def source(scan: Scan, printed: Printed, interpreted: bool) -> str:
    """The text of a module with the kernels ``forward``, ``reverse`` and ``reverse_start``.

    Their arguments are arrays, ``q_`` before the names of the buffers, :data:`SURROGATE`,
    :data:`NUMBERS`, and ``BLOCK``, the lanes of a program. Without ``end_mem`` no state has a
    gradient from behind the last step.

    Args:
        interpreted: whether Triton's interpreter runs it, which has no libdevice.
    """
    kernels = [_forward(scan, printed), _reverse(scan, printed)]
    if scan.started:
        kernels.append(_reverse_start(scan, printed))
    head = ["import triton", "import triton.language as tl", _LIBRARY[interpreted]]
    return "\n".join([*head, *(f"\n\n{kernel.text()}" for kernel in kernels)])


class _Kernel:
    """One function.

    Args:
        start: the step that it begins with.
        sign: whether steps go up or down.
    """

    def __init__(self, name: str, scan: Scan, start: str = "first", sign: str = "+") -> None:
        self.name = name
        self.scan = scan
        self.ahead = 1 if scan.recurrent else AHEAD  # a recurrent pass takes one step at a time
        self.real = f"tl.{scan.wide}"
        self.before: list[str] = []
        self.inside: list[str] = []
        self.after: list[str] = []
        self._start, self._sign = start, sign
        self._arrays: dict[str, None] = {}
        self._parameters: set[str] = set()
        self._loaded: dict[str, str] = {}  # rows, and how far apart they are
        self._stored: list[str] = []
        self._kept: list[str] = []

    def array(self, name: str) -> str:
        """The address of an array, which becomes an argument."""
        self._arrays[f"q_{name}"] = None
        return f"q_{name}"

    def lanes(self, name: str) -> str:
        """The values of an array of lanes."""
        return f"tl.load({self.array(name)} + lane, mask=inside, other=0)"

    def store_lanes(self, name: str, value: str) -> None:
        """Store a value at the end."""
        self.after.append(f"tl.store({self.array(name)} + lane, {value}, mask=inside)")

    def parameter(self, name: str) -> None:
        """Make a parameter known under its name."""
        if name in self._parameters:
            return
        self._parameters.add(name)
        if name in self.scan.arrays:
            self.before.append(f"{name} = {self.lanes(f'p_{name}')}")
            return
        address = self.array(f"p_{name}")
        one = f"{name} = tl.broadcast_to(tl.load({address}), [BLOCK])"
        if name in SURROGATE:
            given = f"{name} = tl.full([BLOCK], n_{name}, {self.real})"
            self.before += [f"if {address} is None:", f"    {given}", "else:", f"    {one}"]
        else:
            self.before.append(one)

    def load_rows(self, name: str, first: str = "0", width: str = "width") -> None:
        """Make an array's row known in each step; ``first`` is the step that it begins with."""
        self.before.append(self._address(name, first, width))
        self._loaded[name] = width

    def store_rows(self, name: str, value: str, first: str = "0", optional: bool = False) -> None:
        """Store a value in each step, where the array is given if it is optional."""
        address = [self._address(name, first, "width")]
        step = [f"tl.store(a_{name}, {value}, mask=on)", f"a_{name} = a_{name} {self._sign} width"]
        if optional:
            given = f"if q_{name} is not None:"
            address, step = [[given, *(f"    {line}" for line in part)] for part in (address, step)]
        self.before += address
        self._stored += step

    def _address(self, name: str, first: str, width: str) -> str:
        return f"a_{name} = {self.array(name)} + lane + ({self._start} - {first}) * {width}"

    def keep(self, name: str, value: str) -> None:
        """A variable that goes from step to step, and that steps past the end leave alone."""
        self.before.append(f"{name} = {value}")
        self._kept.append(name)

    def expression(self, lines: list[str], expression: Expression, prefix: str) -> list[str]:
        """Compute an expression; what its outputs are called."""
        for name in sorted(expression.inputs & set(SURROGATE)):
            self.parameter(name)
        truth: set[str] = set()

        def operand(value: Operand) -> str:
            if isinstance(value, Number):
                return _literal(value.value, self.real)
            return value if isinstance(value, str) else f"{prefix}{value}"

        def real(text: str) -> str:
            return f"{text}.to({self.real})" if text in truth else text

        for index, (name, operands) in enumerate(expression.operations):
            texts = [operand(value) for value in operands]
            if name in ("and", "or", "not"):
                texts = [text if text in truth else f"({text} != 0)" for text in texts]
            else:
                whole = 1 if name in ("where", "real") else 0
                texts = [*texts[:whole], *map(real, texts[whole:])]
            lines.append(f"{prefix}{index} = {_operation(name, texts, self.real)}")
            if name in TRUTH:
                truth.add(f"{prefix}{index}")
        return [real(operand(output)) for output in expression.outputs]

    def loop(self, body: list[str], first: list[str] | None = None) -> None:
        """All steps; ``first``, if given, is the body in the first of each round."""
        for name, width in self._loaded.items():
            self.before += [
                f"{name}_{j} = {self._ask(name, width, j, f'{j} < count')}"
                for j in range(self.ahead)
            ]
        for j in range(self.ahead):
            lines = [f"on = inside & (done + {j} < count)"]
            for name in self._loaded:
                wide = f".to({self.real})" if name in ITEMS else ""
                lines.append(f"{name.removesuffix('_rows')} = {name}_{j}{wide}")
            lines += [f"was_{name} = {name}" for name in self._kept]
            lines += first if j == 0 and first is not None else body
            lines += self._stored
            lines += [f"{name} = tl.where(on, {name}, was_{name})" for name in self._kept]
            # Only now, so that its place in the ring can be the register that the step read.
            for name, width in self._loaded.items():
                soon = f"done + {j + self.ahead} < count"
                lines.append(f"{name}_{j} = {self._ask(name, width, self.ahead, soon)}")
                lines.append(f"a_{name} = a_{name} {self._sign} {width}")
            self.inside += lines

    def _ask(self, name: str, width: str, steps: int, when: str) -> str:
        place = f"a_{name} {self._sign} {steps} * {width}"
        return f"tl.load({place}, mask=inside & ({when}), other=0)"

    def text(self) -> str:
        names = [*self._arrays, *(f"n_{name}" for name in SURROGATE), *NUMBERS]
        listed = [f'{name}: "fp64"' if name.startswith("n_") else name for name in names]
        lines = [
            "lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)",
            "inside = lane < lanes",
            "width = lanes.to(tl.int64)",
            "cur_width = cur_stride.to(tl.int64)",
            "count = end - first",
            *self.before,
        ]
        if self.inside:
            lines.append(f"for done in range(0, count, {self.ahead}):")
            lines += [f"    {line}" for line in self.inside]
        return (
            f"@triton.jit(do_not_specialize={names!r})\n"
            f"def {self.name}({', '.join(listed)}, BLOCK: tl.constexpr):\n"
            + "".join(f"    {line}\n" for line in [*lines, *self.after])
        )


def _forward(scan: Scan, printed: Printed) -> _Kernel:
    kernel = _Kernel("forward", scan)
    for name in scan.parameters:
        kernel.parameter(name)
    kept = (*scan.states, "r") if scan.spiking else scan.states
    for name in kept:
        kernel.keep(name, kernel.lanes(name))
        kernel.store_lanes(name, name)
    kernel.load_rows("cur", width="cur_width")
    if scan.recurrent:
        kernel.load_rows("fed", "fed_first")
    body = scan.update()
    if scan.spiking:
        body += scan.distance()
        body.append(f"r = {_step(kernel, printed, body, 'r_')}")
    kernel.store_rows(*("spk", "r") if scan.spiking else ("out", "mem"))
    for name in scan.saved:
        kernel.store_rows(f"{name}_rows", name, optional=True)
    kernel.loop(body)
    return kernel


def _reverse(scan: Scan, printed: Printed) -> _Kernel:
    kernel = _Kernel("reverse", scan, start="end - 1", sign="-")
    for name in CARRIED[scan.kind]:
        kernel.keep(f"g_{name}", kernel.lanes(f"g_{name}"))
        kernel.store_lanes(f"g_{name}", f"g_{name}")
    sums = [f"d_{name}" for name in _wanted(scan, printed)] + ["g_sum"] * scan.constant
    for name in sums:
        kernel.keep(name, kernel.lanes(name))
        kernel.store_lanes(name, name)
    for name in scan.saved:
        kernel.load_rows(f"{name}_rows")
    if "gain" in scan.wanted:
        kernel.load_rows("cur", width="cur_width")
        if scan.recurrent:
            kernel.load_rows("fed", "fed_first")
    kernel.load_rows("g_spk", "given_first")
    begin, h, learned = _common(kernel, printed)
    if scan.spiking:
        begin += scan.through_spike(h, learned, "g_spk")
        if printed.derivative is None:
            kernel.load_rows("h", "chunk")
            kernel.store_rows("g_s_rows", "g_s", "chunk")
    else:
        begin.append("g_out = g_spk")
    end = ["g_sum = g_sum + g_cur"] if scan.constant else []
    if scan.recurrent or not scan.constant:
        kernel.store_rows("g_cur", "g_cur")
    if scan.record:
        kernel.store_rows("g_mem_rows", "g_mem")
    nothing = f"tl.full([BLOCK], 0, {kernel.real})"
    ends = {f"end_{name}": kernel.lanes(f"end_{name}") for name in scan.states}
    kernel.before += ["if q_end_mem is None:", *(f"    {end} = {nothing}" for end in ends)]
    kernel.before += ["else:", *(f"    {end} = {given}" for end, given in ends.items())]
    # What comes from behind the last step is spent in it: the first step of the first round.
    spent = [f"{end} = {nothing}" for end in ends]
    kernel.loop(
        [*begin, *scan.reverse(last=False), *end],
        [*begin, *scan.reverse(last=True), *spent, *end],
    )
    return kernel


def _reverse_start(scan: Scan, printed: Printed) -> _Kernel:
    """The step before the first: from the initial state's membrane to its gradient."""
    kernel = _Kernel("reverse_start", scan)
    for name in dict.fromkeys([*scan.saved, *(["mem"] if scan.spiking else [])]):
        kernel.before.append(f"{name} = {kernel.lanes(f'start_{name}')}")
    for name in CARRIED[scan.kind]:
        kernel.before.append(f"g_{name} = {kernel.lanes(f'g_{name}')}")
    for name in _wanted(scan, printed):
        kernel.before.append(f"d_{name} = {kernel.lanes(f'd_{name}')}")
        kernel.store_lanes(f"d_{name}", f"d_{name}")
    called = scan.spiking and printed.derivative is None
    if called:
        kernel.before.append(f"h = {kernel.lanes('h')}")
    body, h, learned = _common(kernel, printed)
    if scan.spike_acts:
        body += scan.through_spike(h, learned, "0")
    kernel.before += body
    for name, value in scan.start().items():
        kernel.store_lanes(f"g_{name}", value)
    if called:
        kernel.store_lanes("g_s_rows", "g_s" if scan.spike_acts else "0.0")
    return kernel


def _common(kernel: _Kernel, printed: Printed) -> tuple[list[str], str, dict[str, str]]:
    """What the step behind hands back; names of h and of the learned derivatives."""
    scan = kernel.scan
    for name in scan.parameters:
        kernel.parameter(name)
    lines: list[str] = []
    h, learned = "h", {}
    if scan.spiking:
        lines += scan.distance()
        if scan.needs_spike:
            lines.append(f"s = {_step(kernel, printed, lines, 's_')}")
        if printed.derivative is not None:
            (h,) = kernel.expression(lines, printed.derivative, "h_")
        for name, expression in printed.learned:
            (learned[name],) = kernel.expression(lines, expression, f"{name}_")
    return [*lines, *scan.from_behind()], h, learned


def _step(kernel: _Kernel, printed: Printed, lines: list[str], prefix: str) -> str:
    """The spike, of ``x``."""
    if printed.step is None:
        return f"(x > 0).to({kernel.real})"
    (step,) = kernel.expression(lines, printed.step, prefix)
    return step


def _wanted(scan: Scan, printed: Printed) -> list[str]:
    """Parameters whose gradient the kernel sums up."""
    return [*sorted(scan.wanted.intersection(scan.parameters)), *(n for n, _ in printed.learned)]


_OPERATORS = INFIX | {"and": "&", "or": "|"}


def _operation(name: str, operands: list[str], real: str) -> str:
    if name in _OPERATORS:
        return f"{operands[0]} {_OPERATORS[name]} {operands[1]}"
    if name == "div":
        return _quotient(operands[0], operands[1], real)
    if name == "sigmoid":
        return _quotient(_literal(1.0, real), f"(1 + libdevice.exp({operands[0]} * -1))", real)
    if name in ("minimum", "maximum"):  # NaN where either is, as torch has it
        a, b = operands
        sign = "<" if name == "minimum" else ">"
        return f"tl.where(({a} {sign} {b}) | ({a} != {a}), {a}, {b})"
    special = {
        "neg": "{0} * -1",  # Triton's own minus is 0 - x, which loses the sign of zero
        "real": f"{{0}}.to({real})",
        "isnan": "{0} != {0}",
        "not": "{0} == 0",
        "abs": "tl.abs({0})",
        "sign": f"tl.where({{0}} != {{0}}, {{0}}, ({{0}} > 0).to({real}) - ({{0}} < 0).to({real}))",
        "where": "tl.where({0}, {1}, {2})",
    }
    if name in special:
        return special[name].format(*operands)
    if name == "sqrt":
        return f"tl.sqrt{'' if real == 'tl.float64' else '_rn'}({operands[0]})"
    return f"libdevice.{name}({', '.join(operands)})"


def _quotient(a: str, b: str, real: str) -> str:
    """Triton's own division of float32 is not the nearest number."""
    return f"{a} / {b}" if real == "tl.float64" else f"tl.div_rn({a}, {b})"


def _literal(value: float, real: str) -> str:
    text = repr(value) if math.isfinite(value) else f'float("{value}")'
    return f"tl.full([BLOCK], {text}, {real})"
