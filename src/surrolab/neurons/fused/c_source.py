"""The C text of a fused pass: the statements of a :class:`Scan` inside loops over neurons.

Time is the outer loop, over blocks of neurons that fit into the cache: each row of a block is read
and written from end to end, which is what the memory is fast at, and the compiler turns the inner
loop into vector instructions. Arithmetic is strict, so that spikes are those of torch to the bit.
"""

import math

from surrolab.neurons.fused.c_prelude import EXP, ITEMS, PRELUDE
from surrolab.neurons.fused.expression import INFIX, TRUTH, Expression, Number, Operand
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import CARRIED, Scan

_STATES = ("mem", "syn", "exc", "inh", "adapt")

POINTERS = {
    "item": ("cur", "spk", "g_spk", "g_cur", "out"),
    "real": (
        *("fed", "h", "g_s_rows"),
        *(f"{state}_rows" for state in _STATES),
        *(*_STATES, "r"),
        *(f"start_{state}" for state in _STATES),
        *(f"g_{state}" for state in (*_STATES, "sum", "mem_rows")),
        *(f"end_{state}" for state in _STATES),
    ),
}
"""Arrays by type; ``*_rows`` are ``[T, lanes]``, the others ``[lanes]``."""

PARAMETERS = (
    *("beta", "alpha", "theta", "drop", "tau", "gain", "rho", "kappa", "pull", "jump"),
    *("slope", "scale"),
)
NUMBERS = ("lanes", "block", "threads", "cur_stride", "chunk", "fed_first", "given_first")
"""The last are the steps that ``h`` and ``g_s_rows``, ``fed``, and ``g_spk`` begin with."""

_OPERATORS = INFIX | {"div": "/", "and": "&&", "or": "||"}


def source(scan: Scan, printed: Printed) -> str:
    """The C text: ``forward(arguments, from, to)`` and ``reverse(arguments, from, to)``.

    Steps go from ``from`` up to but without ``to``, in the reverse from the last to the first;
    ``reverse_start`` is the step before the first, of a given state.
    """
    real = "double" if scan.wide == "float64" else "float"
    fields = [f"  int64_t {name};" for name in NUMBERS]
    fields += [f"  {kind} *{name};" for kind, names in POINTERS.items() for name in names]
    fields += [f"  real *p_{name}, *d_{name};" for name in PARAMETERS]
    fields += [f"  double {name};" for name in PARAMETERS]
    prelude = PRELUDE.replace("REAL", real).replace(
        "NAME", "name" if real == "double" else "name##f"
    )
    prelude = prelude.replace("struct arguments", ITEMS[scan.dtype] + "\nstruct arguments")
    prelude = prelude.replace("FIELDS", "\n".join(fields)) + EXP[real]
    return "\n".join([prelude, _forward(scan, printed), _reverse(scan, printed)])


class _Row:
    """The function that takes a block of neurons through one step."""

    def __init__(self, name: str, scan: Scan) -> None:
        self.name = name
        self.scan = scan
        self.outside: list[str] = []
        self.inside: list[str] = []
        self._pointers: set[str] = set()
        self._known: set[str] = set()

    def pointer(self, name: str, kind: str, offset: str = "") -> str:
        """A local copy of an array's address, moved to the row."""
        if name not in self._pointers:
            self._pointers.add(name)
            self.outside.append(f"{kind} *const q_{name} = a->{name}{offset};")
        return f"q_{name}[i]"

    def real(self, name: str, rows: str = "") -> str:
        """An array of the state's type; ``rows`` is the step that it begins with, if it has any."""
        return self.pointer(name, "real", f" + (t - {rows}) * a->lanes" if rows else "")

    def before(self, name: str) -> str:
        """A state of the step before: from its rows, or where there is none, from the start."""
        self.outside.append(
            f"const real *const before_{name} = "
            f"t ? a->{name}_rows + (t - 1) * a->lanes : a->{name};"
        )
        return f"before_{name}[i]"

    def item(self, name: str, offset: str) -> str:
        return self.pointer(name, "item", offset)

    def parameter(self, name: str) -> None:
        """Make a parameter known under its name."""
        if name in self.scan.arrays:
            self.assign(name, self.real(f"p_{name}"))
        elif name not in self._known:
            self._known.add(name)
            self.outside.append(f"const real {name} = (real)a->{name};")

    def assign(self, name: str, value: str) -> None:
        self.inside.append(f"{'' if name in self._known else 'real '}{name} = {value};")
        self._known.add(name)

    def statements(self, lines: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(" = ")
            self.assign(name, value)

    def expression(self, expression: Expression, prefix: str) -> list[str]:
        """Compute an expression; the names of its outputs."""
        for name in sorted(expression.inputs & {"slope", "scale"}):
            self.parameter(name)

        def operand(value: Operand) -> str:
            if isinstance(value, Number):
                return _literal(value.value)
            return value if isinstance(value, str) else f"{prefix}{value}"

        for index, (name, operands) in enumerate(expression.operations):
            kind = "int" if name in TRUTH else "real"
            text = _operation(name, [operand(value) for value in operands])
            self.inside.append(f"const {kind} {prefix}{index} = {text};")
        return [operand(output) for output in expression.outputs]

    def text(self, once: bool = False) -> str:
        """The function; one that runs ``once`` in a pass is not worth the compiler's time."""
        kind = "noinline, cold" if once else "always_inline"
        return (
            f"static {'' if once else 'inline '}__attribute__(({kind})) void {self.name}(\n"
            "    const struct arguments *a, int64_t t, int64_t low, int64_t high) {\n"
            + "".join(f"  {line}\n" for line in self.outside)
            + "#pragma GCC ivdep\n  for (int64_t i = low; i < high; i++) {\n"
            + "".join(f"    {line}\n" for line in self.inside)
            + "  }\n}\n"
        )


def _loop(name: str, body: str) -> str:
    return f"""
void {name}(const struct arguments *a, int64_t from, int64_t to) {{
  const int64_t lanes = a->lanes, size = a->block, blocks = (lanes + size - 1) / size;
#pragma omp parallel for schedule(static) num_threads((int)a->threads) if (a->threads > 1)
  for (int64_t block = 0; block < blocks; block++) {{
    const int64_t low = block * size, high = low + size < lanes ? low + size : lanes;
{body}  }}
}}
"""


def _forward(scan: Scan, printed: Printed) -> str:
    bare = "forward_bare(a, t, low, high);"
    text = _forward_row(scan, printed, "forward_bare", ()).text()
    if scan.saved:
        text += _forward_row(scan, printed, "forward_row", scan.saved).text()
        bare = f"if (a->{scan.saved[0]}_rows) forward_row(a, t, low, high); else {bare}"
    body = f"    for (int64_t t = from; t < to; t++) {bare}\n"
    for state in scan.saved:  # what is kept in rows is not kept beside them
        body += (
            f"    if (a->{state}_rows) memcpy(a->{state} + low, "
            f"a->{state}_rows + (to - 1) * lanes + low, (high - low) * sizeof(real));\n"
        )
    return text + _loop("forward", body)


def _forward_row(scan: Scan, printed: Printed, name: str, kept: tuple[str, ...]) -> _Row:
    row = _Row(name, scan)
    for name in scan.parameters:
        row.parameter(name)
    for name in scan.states:
        row.assign(name, row.before(name) if name in kept else row.real(name))
    if scan.smooth:
        row.assign("r", row.real("r"))
    elif scan.spiking:
        row.statements(scan.distance())
        row.assign("r", "(real)(x > 0)")
    row.assign("cur", f"LOAD({row.item('cur', ' + t * a->cur_stride')})")
    if scan.recurrent:
        row.assign("fed", row.real("fed", "a->fed_first"))
    row.statements(scan.update())
    stores = {row.real(name): name for name in scan.states if name not in kept}
    if scan.spiking:
        row.statements(scan.distance())
        if printed.step is None:
            row.assign("r", "(real)(x > 0)")
        else:
            (step,) = row.expression(printed.step, "e")
            row.assign("r", step)
        if scan.smooth:
            stores[row.real("r")] = "r"
        stores[row.item("spk", " + t * a->lanes")] = "STORE(r)"
    else:
        stores[row.item("out", " + t * a->lanes")] = "STORE(mem)"
    for name in kept:
        stores[row.real(f"{name}_rows", "0")] = name
    row.inside += [f"{place} = {value};" for place, value in stores.items()]
    return row


def _reverse(scan: Scan, printed: Printed) -> str:
    rows = {"reverse_row": False, "reverse_last": True}
    text = "".join(
        _reverse_row(scan, printed, name, last).text(once=last) for name, last in rows.items()
    )
    body = (
        "    for (int64_t t = to - 1; t >= from; t--) {\n"
        "      if (a->end_mem && t == to - 1) reverse_last(a, t, low, high);\n"
        "      else reverse_row(a, t, low, high);\n    }\n"
    )
    text += _loop("reverse", body)
    if scan.started:
        text += _start_row(scan, printed).text(once=True)
        text += _loop("reverse_start", "    reverse_start_row(a, from, low, high);\n")
    return text


def _common(row: _Row, printed: Printed, states: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Loads, and what the step behind hands back; names of h and of the learned derivatives."""
    scan = row.scan
    for name in scan.parameters:
        row.parameter(name)
    for name, place in states.items():
        row.assign(name, place)
    for name in CARRIED[scan.kind]:
        row.assign(f"g_{name}", row.real(f"g_{name}"))
    for name in _wanted(scan, printed):
        row.assign(f"d_{name}", row.real(f"d_{name}"))
    h, learned = "h", {}
    if scan.spiking:
        row.statements(scan.distance())
        if scan.needs_spike:
            if printed.step is None:
                row.assign("s", "(real)(x > 0)")
            else:
                (step,) = row.expression(printed.step, "s_")
                row.assign("s", step)
        if printed.derivative is None:
            row.assign("h", row.real("h", "a->chunk"))
        else:
            (h,) = row.expression(printed.derivative, "h_")
        for name, expression in printed.learned:
            (learned[name],) = row.expression(expression, f"{name}_")
    row.statements(scan.from_behind())
    return h, learned


def _reverse_row(scan: Scan, printed: Printed, name: str, last: bool) -> _Row:
    row = _Row(name, scan)
    rows = " + t * a->lanes"
    states = {state: row.real(f"{state}_rows", "0") for state in scan.saved}
    h, learned = _common(row, printed, states)
    if "gain" in scan.wanted:
        row.assign("cur", f"LOAD({row.item('cur', ' + t * a->cur_stride')})")
        if scan.recurrent:
            row.assign("fed", row.real("fed", "a->fed_first"))
    row.assign("g_in", f"LOAD({row.item('g_spk', ' + (t - a->given_first) * a->lanes')})")
    if scan.spiking:
        row.statements(scan.through_spike(h, learned, "g_in"))
    else:
        row.assign("g_out", "g_in")
    if last:
        for state in scan.states:
            row.assign(f"end_{state}", row.real(f"end_{state}"))
    row.statements(scan.reverse(last))
    stores = {row.real(f"g_{state}"): f"g_{state}" for state in CARRIED[scan.kind]}
    stores |= {row.real(f"d_{wanted}"): f"d_{wanted}" for wanted in _wanted(scan, printed)}
    if scan.record:
        stores[row.real("g_mem_rows", "0")] = "g_mem"
    if scan.spiking and printed.derivative is None:
        stores[row.real("g_s_rows", "a->chunk")] = "g_s"
    if scan.constant:
        stores[row.real("g_sum")] = f"{row.real('g_sum')} + g_cur"
    if scan.recurrent or not scan.constant:
        stores[row.item("g_cur", rows)] = "STORE(g_cur)"
    row.inside += [f"{place} = {value};" for place, value in stores.items()]
    return row


def _start_row(scan: Scan, printed: Printed) -> _Row:
    """The step before the first: from the initial state's membrane to its gradient."""
    row = _Row("reverse_start_row", scan)
    loaded = dict.fromkeys([*scan.saved, *(["mem"] if scan.spiking else [])])
    states = {state: row.real(f"start_{state}") for state in loaded}
    h, learned = _common(row, printed, states)
    if scan.spike_acts:
        row.statements(scan.through_spike(h, learned, "0"))
    stores = {row.real(f"g_{state}"): value for state, value in scan.start().items()}
    stores |= {row.real(f"d_{wanted}"): f"d_{wanted}" for wanted in _wanted(scan, printed)}
    if scan.spiking and printed.derivative is None:
        stores[row.real("g_s_rows", "a->chunk")] = "g_s" if scan.spike_acts else "0"
    row.inside += [f"{place} = {value};" for place, value in stores.items()]
    return row


def _wanted(scan: Scan, printed: Printed) -> list[str]:
    """Parameters whose gradient the kernel sums up."""
    return [*sorted(scan.wanted.intersection(scan.parameters)), *(n for n, _ in printed.learned)]


def _operation(name: str, operands: list[str]) -> str:
    if name in _OPERATORS:
        return f"{operands[0]} {_OPERATORS[name]} {operands[1]}"
    first = operands[0]
    special = {
        "neg": "-{0}",
        "real": "(real){0}",
        "isnan": "{0} != {0}",
        "not": "!{0}",
        "exp": "fast_exp({0})",
        "sigmoid": "1 / (1 + fast_exp(-{0}))",
        "abs": "FN(fabs)({0})",
        "sign": "{0} != {0} ? {0} : (real)(({0} > 0) - ({0} < 0))",
    }
    if name in special:
        return special[name].format(first)
    if name == "where":
        return f"{first} ? (real){operands[1]} : (real){operands[2]}"
    if name in ("minimum", "maximum"):
        a, b, sign = first, operands[1], "<" if name == "minimum" else ">"
        return f"({a} {sign} {b} || {a} != {a}) ? {a} : {b}"
    return f"FN({name})({', '.join(operands)})"


def _literal(value: float) -> str:
    if math.isnan(value):
        return "((real)NAN)"
    if math.isinf(value):
        return "((real)INFINITY)" if value > 0 else "((real)-INFINITY)"
    return f"((real){value!r})"
