"""What a fused pass over time computes: the neurons' equations and their reverse, as statements.

The statements are written once, in the subset of arithmetic that C, Triton and Python share; each
engine prints them around its own loads and stores. They say what one neuron does in one step. In
them ``mem``, ``syn``, ``exc``, ``inh`` and ``adapt`` (``A`` or ``w`` of neurons that adapt) are the
state, ``r`` is the spike of the step before (the reset signal), ``cur`` the input current, ``fed``
that through the recurrent weights; ``beta``, ``alpha``, ``theta``, ``drop`` (what a reset takes
off), ``tau``, ``gain``, ``rho``, ``kappa``, ``pull`` and ``jump`` (``a`` and ``b`` of an adaptation
current) are parameters; see :mod:`surrolab.neurons.equations` for the equations themselves.

The reverse runs from the last step to the first. ``g_mem`` is dL/dU of the step behind, then of
this one, and so with the other states.
"""

from dataclasses import dataclass
from functools import cached_property

STATES = {
    "leaky": ("mem",),
    "synaptic": ("syn", "mem"),
    "alpha": ("syn_exc", "syn_inh", "mem"),
    "alif": ("adapt", "mem"),
    "adlif": ("adapt", "mem"),
}
"""Of each kind, in the order and under the names of :mod:`surrolab.neurons.equations`."""

CARRIED = {
    "leaky": ("mem",),
    "synaptic": ("syn", "mem"),
    "alpha": ("exc", "inh"),
    "alif": ("mem", "adapt"),
    "adlif": ("mem", "adapt"),
}
"""States whose gradient goes from step to step, that which the current enters first."""

HALF = ("bfloat16", "float16")


@dataclass(frozen=True)
class Scan:
    """One way of running neurons over time; everything that decides what code is needed.

    Args:
        kind: ``leaky`` (also Lapicque's and RLeaky), ``synaptic`` (also RSynaptic), ``alpha``,
            ``alif`` (whose threshold adapts), ``adlif`` (with an adaptation current).
        reset: ``subtract``, ``zero`` or ``none``.
        detach: whether the gradient through the reset is cut.
        spiking: whether neurons fire; a readout does not, and puts out its membrane.
        smooth: whether the smooth step takes the place of the hard one.
        recurrent: whether a second current, ``fed``, comes in.
        gain: whether the currents are multiplied by ``gain``.
        started: whether an initial state is given (else all are at rest).
        arrays: parameters that have a value for each neuron.
        wanted: parameters whose gradient is wanted.
        record: whether dL/dU is wanted for each step.
        constant: whether the current is the same in all steps, and its gradient summed over them.
        dtype: of current and spikes: ``float32``, ``float64``, ``bfloat16`` or ``float16``. The
            state is never narrower than float32.
    """

    kind: str
    reset: str
    detach: bool = True
    spiking: bool = True
    smooth: bool = False
    recurrent: bool = False
    gain: bool = False
    started: bool = False
    arrays: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    record: bool = False
    constant: bool = False
    dtype: str = "float32"

    @cached_property
    def wide(self) -> str:
        """The dtype of the state."""
        return "float32" if self.dtype in HALF else self.dtype

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Those of the neuron that take part."""
        names = ["beta"]
        names += {
            "leaky": (),
            "synaptic": ("alpha",),
            "alpha": ("alpha", "tau"),
            "alif": ("rho", "kappa"),
            "adlif": ("rho", "pull", "jump"),
        }[self.kind]
        if self.gain:
            names.append("gain")
        if self.spiking:
            names.append("theta")
        if self.reset == "subtract":
            names.append("drop")
        return tuple(names)

    @cached_property
    def through_reset(self) -> bool:
        """Whether gradient flows through the reset."""
        return self.spiking and self.reset != "none" and not self.detach

    @cached_property
    def adapts(self) -> bool:
        """Whether a spike also moves an adaptation."""
        return self.kind in ("alif", "adlif")

    @cached_property
    def spike_acts(self) -> bool:
        """Whether gradient comes back to a spike from its own neuron's next step."""
        return self.through_reset or self.adapts

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the state in the statements."""
        return tuple(name.removeprefix("syn_") for name in STATES[self.kind])

    @cached_property
    def saved(self) -> tuple[str, ...]:
        """States that the reverse reads, each ``[T, lanes]``."""
        names = []
        if self.spiking or self.record or ("beta" in self.wanted and self.kind != "alpha"):
            names.append("mem")
        if self.kind == "synaptic" and "alpha" in self.wanted:
            names.append("syn")
        if self.kind == "alpha":
            decays = not self.wanted.isdisjoint({"alpha", "beta", "tau"})
            if decays or (self.through_reset and self.reset == "zero"):
                names += ["exc", "inh"]
        if self.kind == "alif" or (
            self.kind == "adlif" and not self.wanted.isdisjoint({"rho", "gain"})
        ):
            names.append("adapt")
        return tuple(names)

    def update(self) -> list[str]:
        """From the state of the step before to ``mem`` of this one."""

        def kept(name: str) -> str:
            return f"((1 - r) * {name})" if self.reset == "zero" else name

        scale = "gain * " if self.gain else ""
        driven = [f"drive = {scale}cur"]
        fed = [f"fed_in = {scale}fed"] if self.recurrent else []
        lines = [*driven, *fed]
        if self.kind == "alpha":
            lines += [
                f"exc = alpha * {kept('exc')} + drive",
                f"inh = beta * {kept('inh')} - drive",
            ]
            if self.reset == "subtract":
                lines.append("exc = exc - r * drop")
            return [*lines, "mem = tau * (exc + inh)"]
        off = "r * drop"
        if self.kind == "alif":
            if self.reset == "subtract":
                off = "off"
                lines.append("off = r * (kappa * adapt + drop)")
            lines.append("adapt = rho * adapt + r")
        if self.kind == "adlif":
            lines += ["adapt = rho * adapt + pull * mem + jump * r", f"back = {scale}adapt"]
        add = ["{0} = {0} + fed_in"] if self.recurrent else []
        if self.kind == "synaptic":
            lines.append("syn = alpha * syn + drive")
            lines += [line.format("syn") for line in add]
            lines.append(f"mem = beta * {kept('mem')} + syn")
        else:
            lines.append(f"mem = beta * {kept('mem')} + drive")
            lines += [line.format("mem") for line in add]
        if self.kind == "adlif":
            lines.append("mem = mem - back")
        if self.reset == "subtract":
            lines.append(f"mem = mem - {off}")
        return lines

    @cached_property
    def level(self) -> str:
        """The name of what the membrane has to exceed for a spike, after :meth:`raised`."""
        return "bar" if self.kind == "alif" else "theta"

    def raised(self) -> list[str]:
        """From the state to the threshold in force."""
        return ["bar = kappa * adapt + theta"] if self.kind == "alif" else []

    def distance(self) -> list[str]:
        """From the state to ``x``, of which a spike is the step."""
        return [*self.raised(), f"x = mem - {self.level}"]

    @cached_property
    def needs_spike(self) -> bool:
        """Whether the reverse needs the spikes of each step, and computes them again."""
        if self.reset == "zero" or "jump" in self.wanted:
            return True
        return self.reset == "subtract" and ("drop" in self.wanted or self.kind == "alif")

    def from_behind(self) -> list[str]:
        """What the step behind hands back: ``from_*`` by state, and ``g_r``; and sums of gradients.

        ``s`` is the spike of this step.
        """
        keep = "(1 - s) * " if self.reset == "zero" else ""
        lines: list[str] = []
        pairs = {
            "leaky": [("mem", "beta", keep)],
            "synaptic": [("mem", "beta", keep), ("syn", "alpha", "")],
            "alpha": [("exc", "alpha", keep), ("inh", "beta", keep)],
            "alif": [("mem", "beta", keep), ("adapt", "rho", "")],
            "adlif": [("mem", "beta", keep), ("adapt", "rho", "")],
        }[self.kind]
        for state, decay, kept in pairs:
            lines.append(f"back_{state} = {decay} * g_{state}")
            lines.append(f"from_{state} = {kept}back_{state}")
            if decay in self.wanted:
                lines.append(f"d_{decay} = d_{decay} + g_{state} * ({kept}{state})")
        first = pairs[0][0]
        if self.reset == "subtract" and "drop" in self.wanted:
            lines.append(f"d_drop = d_drop - s * g_{first}")
        drop = "drop"
        if self.kind == "alif" and self.reset == "subtract":
            drop = "(kappa * adapt + drop)"
            lines += ["g_off = s * g_mem", "from_adapt = from_adapt - kappa * g_off"]
            if "kappa" in self.wanted:
                lines.append("d_kappa = d_kappa - g_off * adapt")
        if self.kind == "adlif":
            lines.append("from_mem = from_mem + pull * g_adapt")
            for name, value in (("pull", "mem"), ("jump", "s")):
                if name in self.wanted:
                    lines.append(f"d_{name} = d_{name} + g_adapt * {value}")
        taken = ""
        if self.through_reset and self.reset == "subtract":
            taken = f"{drop} * g_{first}"
        elif self.through_reset:
            taken = " + ".join(f"back_{state} * {state}" for state, _, kept in pairs if kept)
        if self.adapts:
            given = "g_adapt" if self.kind == "alif" else "jump * g_adapt"
            lines.append(f"g_r = {given} - ({taken})" if taken else f"g_r = {given}")
        elif taken:
            lines.append(f"g_r = -({taken})")
        return lines

    def through_spike(self, h: str, learned: dict[str, str], given: str) -> list[str]:
        """From the gradient of the spike (``given``) to ``g_x``, that of the membrane through it.

        Args:
            h: the derivative of the spike by the membrane.
            learned: those by the surrogate's parameters.
            given: the incoming gradient of the spike.
        """
        lines = [f"g_s = {given} + g_r" if self.spike_acts else f"g_s = {given}"]
        lines.append(f"g_x = g_s * {h}")
        if "theta" in self.wanted:
            lines.append("d_theta = d_theta - g_x")
        if "kappa" in self.wanted:
            lines.append("d_kappa = d_kappa - g_x * adapt")
        lines += [f"d_{name} = d_{name} + g_s * {value}" for name, value in learned.items()]
        return lines

    def reverse(self, last: bool) -> list[str]:
        """From ``g_x`` (or ``g_out``, of a readout) to ``g_drive``, that of the current.

        Args:
            last: in the last step, whose states have a gradient of their own, ``end_*``.
        """
        here = "g_x" if self.spiking else "g_out"

        def end(name: str) -> str:
            return f" + end_{name}" if last else ""

        if self.kind == "alpha":
            lines = [f"g_mem = {here}{end('mem')}"]
            for name in ("exc", "inh"):
                lines.append(f"g_{name} = tau * g_mem + from_{name}{end(name)}")
            lines.append("g_drive = g_exc - g_inh")
            if "tau" in self.wanted:
                lines.append("d_tau = d_tau + g_mem * (exc + inh)")
        else:
            lines = [f"g_mem = {here} + from_mem{end('mem')}"]
            if self.kind == "synaptic":
                lines += [f"g_syn = g_mem + from_syn{end('syn')}", "g_drive = g_syn"]
            else:
                lines.append("g_drive = g_mem")
            if self.kind == "alif":
                lines.append(f"g_adapt = from_adapt - kappa * g_x{end('adapt')}")
            if self.kind == "adlif":
                scale = "gain * " if self.gain else ""
                lines.append(f"g_adapt = from_adapt - {scale}g_mem{end('adapt')}")
        if "gain" in self.wanted:
            currents = "cur + fed" if self.recurrent else "cur"
            currents += " - adapt" if self.kind == "adlif" else ""
            lines.append(f"d_gain = d_gain + g_drive * ({currents})")
        lines.append("g_cur = gain * g_drive" if self.gain else "g_cur = g_drive")
        return lines

    def start(self) -> dict[str, str]:
        """The gradient of the initial state, by its names, from what the first step hands back."""
        found = {name: f"from_{name}" for name in CARRIED[self.kind]}
        if self.spike_acts:
            found["mem"] = f"{found['mem']} + g_x" if "mem" in found else "g_x"
        if self.kind == "alif":
            found["adapt"] = "from_adapt - kappa * g_x"
        return found
