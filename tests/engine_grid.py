"""Layers of every kind, run by two engines and compared; what the tests of each engine share."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import snntorch
import torch
from torch import Tensor, nn

from surrolab.neurons import ALIF, AdLIF, Readout, SpikingLayer
from surrolab.surrogates import ATan, FastSigmoid, Formula, Gaussian, Sigmoid, Tanh, Triangle

ALPHA, BETA, THETA, RHO = 0.9375, 0.875, 0.75, 0.96875
ADAPTIVE = ("alif", "adlif", "ralif", "radlif")
KINDS = ("leaky", "synaptic", "alpha", "lapicque", "rleaky", "rsynaptic", *ADAPTIVE)
LEARNED = ("alpha", "beta", "threshold", "rho", "threshold_step", "a", "b")
RESETS = ("subtract", "zero", "none")
DECAYS = ("g_neuron.alpha", "g_neuron.beta")
# With the functions they are made of, which are not the same ones.
SURROGATES: tuple[Callable[[], nn.Module], ...] = (
    ATan,
    lambda: Sigmoid(5.0),
    lambda: FastSigmoid(5.0),
    lambda: Triangle(),
    lambda: Gaussian(),
    lambda: Tanh(2.0),
    lambda: Formula("exp(-abs(x)) * (1 + x**2)"),
)


@dataclass(frozen=True)
class Case:
    """A layer and how it is run.

    Args:
        learned: ``""``, ``"one"`` parameter of each kind for all, or ``"each"`` neuron's own.
        started: whether it begins with a state of its own, whose gradient is looked at.
        steps: of a constant current, or None.
        scale: the input scale; None is the neuron's own.
    """

    kind: str = "leaky"
    reset: str = "subtract"
    detach: bool = True
    surrogate: int = 0
    learned: str = ""
    slope: bool = False
    started: bool = False
    smooth: bool = False
    readout: bool = False
    steps: int | None = None
    scale: Any = None
    shape: tuple[int, ...] = (11, 3, 5)
    seed: int = 0


def grid() -> list[Case]:
    """Every kind, reset and treatment of its gradient; the rest in turn."""
    found = []
    for kind, reset, detach in itertools.product(KINDS, RESETS, (True, False)):
        if reset == "none" and not detach:
            continue
        n = len(found)
        found.append(
            Case(
                kind,
                reset,
                detach,
                surrogate=n % len(SURROGATES),
                learned=("each", "one", "")[n % 3],
                slope=n % 4 == 1,
                started=n % 2 == 0,
                seed=n,
            )
        )
    return found


def special() -> list[Case]:
    """What the grid leaves out."""
    shapes = [(1, 1, 1), (1, 2, 3), (8, 1, 33), (9, 4, 2, 3, 3), (17, 1, 129)]
    return [
        *(Case(shape=shape, started=n % 2 == 0, seed=n) for n, shape in enumerate(shapes)),
        *(
            Case(kind, reset="none", readout=True, started=started, learned="one")
            for kind in ("leaky", "synaptic", "alpha", "lapicque")
            for started in (True, False)
        ),
        Case(steps=10, shape=(1, 3, 5), learned="each"),
        Case("lapicque", steps=7, shape=(1, 3, 5), learned="one", started=True),
        Case("rleaky", steps=6, shape=(1, 3, 5), learned="one"),
        Case("radlif", steps=6, shape=(1, 3, 5), learned="one", scale="one_minus_beta"),
        Case("alif", detach=False, scale="one_minus_beta", shape=(9, 4, 2, 3, 3), started=True),
        Case("adlif", scale="one_minus_beta", learned="each", started=True),
        Case(smooth=True, surrogate=1, detach=False, learned="one", started=True),
        Case("synaptic", "zero", detach=False, smooth=True, surrogate=0, slope=True),
        Case("alpha", detach=False, smooth=True, surrogate=2, learned="each", started=True),
        *(
            Case(kind, reset, detach=False, smooth=True, surrogate=1, learned="each", started=True)
            for kind in ("alif", "adlif")
            for reset in ("subtract", "zero")
        ),
    ]


def layer(case: Case, engine: str, dtype: torch.dtype, device: str) -> Any:
    """The case's layer; the same numbers for every engine."""
    torch.manual_seed(case.seed)
    size = case.shape[-1]
    surrogate = None if case.readout else SURROGATES[case.surrogate]()
    if case.slope:
        surrogate.learn("slope")
    options = {"spike_grad": surrogate, "reset_mechanism": case.reset, "threshold": THETA}
    linear = {"linear_features": size} if case.kind.startswith("r") else {}
    threshold_step, a, b = 0.25, 0.0625, 0.125
    kinds = {
        "leaky": lambda: snntorch.Leaky(BETA, **options),
        "synaptic": lambda: snntorch.Synaptic(ALPHA, BETA, **options),
        "alpha": lambda: snntorch.Alpha(ALPHA, BETA, **options),
        "lapicque": lambda: snntorch.Lapicque(BETA, R=1.5, **options),
        "rleaky": lambda: snntorch.RLeaky(BETA, **linear, **options),
        "rsynaptic": lambda: snntorch.RSynaptic(ALPHA, BETA, **linear, **options),
        "alif": lambda: ALIF(BETA, RHO, threshold_step, **linear, **options),
        "adlif": lambda: AdLIF(BETA, RHO, a, b, **linear, **options),
    }
    kinds |= {f"r{kind}": kinds[kind] for kind in ("alif", "adlif")}
    neuron = kinds[case.kind]()
    if case.learned:
        wide = (size,) if case.learned == "each" else ()
        for name in LEARNED:
            if hasattr(neuron, name):
                value = getattr(neuron, name).detach() - 0.03 * torch.rand(wide)
                delattr(neuron, name)
                neuron.register_parameter(name, nn.Parameter(value))
    if case.readout:
        made: Any = Readout(neuron, engine)
    else:
        made = SpikingLayer(neuron, engine, case.detach, case.scale)
        made.fire = made.surrogate.smooth_step if case.smooth else None
    return made.to(dtype if dtype == torch.float64 else torch.float32).to(device)


def outcome(
    case: Case,
    engine: str,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    record: bool = True,
) -> dict[str, Tensor]:
    """Whatever the layer computes by that engine, and all gradients, by name."""
    made = layer(case, engine, dtype, device)
    choice = made.choice(dtype, torch.device(device))
    assert choice.name == engine, choice.why

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64).to(device)

    scale = 4.0 if case.kind == "lapicque" or case.scale == "one_minus_beta" else 0.6
    cur = ((0.5 + numbers(*case.shape)) * scale).to(dtype).requires_grad_()
    state = None
    if case.started:
        with torch.no_grad():
            rest = made(cur[:1]).state
        wide = dtype if dtype == torch.float64 else torch.float32
        state = type(rest)(*(numbers(*cur.shape[1:]).to(wide) for _ in rest))
        if hasattr(state, "spk"):
            level = made.prepare(cur)[1].level(state)
            state = state._replace(spk=(state.mem > level).to(dtype))
        for value in state:
            value.requires_grad_()
    found = made(cur, state, record=record, steps=case.steps)
    assert not made._failed, made._failed
    # The recurrent neurons count their last spikes as state.
    final = {n: v for n, v in found.state._asdict().items() if n != "spk"}
    loss = (found.out * numbers(*found.out.shape).to(dtype)).sum().double()
    for value in final.values():
        loss = loss + (value * numbers(*value.shape).to(value.dtype)).sum()
    loss.backward()
    values = {"out": found.out, **final}
    gradients = {"g_cur": cur.grad}
    if record:
        values["membrane"] = found.record.membrane
        gradients["g_membrane"] = found.record.gradient
    if state is not None:
        gradients |= {f"g_{name}": value.grad for name, value in state._asdict().items()}
    gradients |= {f"g_{name}": value.grad for name, value in made.named_parameters()}
    values |= {name: value for name, value in gradients.items() if value is not None}
    return {name: value.detach().cpu() for name, value in values.items()}


def compare(
    found: dict[str, Tensor], wanted: dict[str, Tensor], tolerance: float, exact: bool = True
) -> None:
    """Equal to the bit, the gradients to a tolerance in units of the largest.

    Args:
        exact: whether values that are no gradients have to be equal to the bit.
    """
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].shape == value.shape, name
        if exact and not name.startswith("g_"):
            assert torch.equal(found[name], value), name
            continue
        largest = float(value.abs().max())
        error = float((found[name].double() - value.double()).abs().max())
        # One number for all is a sum of terms that cancel, and so are Alpha's decays, which act
        # through tau too, and a step of the threshold, which delays a spike and lowers the reset:
        # what is left is small beside the error of each.
        cancels = value.numel() == 1 or name == "g_neuron.threshold_step"
        cancels |= "syn_exc" in wanted and name in DECAYS
        allowed = 100 * tolerance if cancels else tolerance
        assert error <= allowed * largest + 1e-30, f"{name}: {error / (largest or 1):.2e}"
