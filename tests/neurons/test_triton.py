"""The engine for GPUs, run by Triton's interpreter; tests/gpu runs the same on a GPU."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import snntorch
import torch
from engine_grid import Case, compare, grid, layer, outcome, special

from surrolab.neurons import SpikingLayer, engines
from surrolab.neurons.fused import firing, triton, triton_source
from surrolab.neurons.fused.buffers import Buffers
from surrolab.neurons.fused.expression import MEANING, TRUTH, Expression, Number, Operation
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import Scan
from surrolab.neurons.fused.triton import TritonEngine, block
from surrolab.surrogates import ATan, FastSigmoid, Sigmoid

pytest.importorskip("triton", reason="there is no Triton for this system")

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    # Triton looks at it when a kernel is made, so that it need not be set for other tests.
    monkeypatch.setenv("TRITON_INTERPRET", "1")


# A third of the grid in every run of the tests, in which each kind, reset, surrogate is there.
IN_TURN = [
    case if (number + number // 10) % 3 == 0 else pytest.param(case, marks=pytest.mark.slow)
    for number, case in enumerate(grid())
]


@pytest.mark.parametrize("case", [*IN_TURN, *special()], ids=str)
def test_it_computes_what_stepping_computes(case: Case) -> None:
    compare(outcome(case, "triton"), outcome(case, "stepwise"), 1e-6)


@pytest.mark.parametrize("case", [*grid()[1::4], *special()[-4:]], ids=str)
def test_so_it_does_in_double_precision(case: Case) -> None:
    found, wanted = (outcome(case, engine, torch.float64) for engine in ("triton", "stepwise"))
    compare(found, wanted, 1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["leaky", "rsynaptic", "alpha", "alif", "radlif"])
def test_half_precision_is_that_of_currents_and_spikes_alone(kind: str, dtype: torch.dtype) -> None:
    case = Case(kind, learned="each", started=True)
    found, wanted = (outcome(case, engine, dtype) for engine in ("triton", "torch"))
    # The interpreter cuts float32 off where a GPU rounds it, so that gradients differ.
    compare(found, wanted, 2**-7 if dtype == torch.bfloat16 else 2**-9, exact=kind != "alpha")


def test_a_readout_in_half_precision() -> None:
    case = Case("synaptic", "none", readout=True, started=True)
    found, wanted = (outcome(case, engine, torch.bfloat16) for engine in ("triton", "torch"))
    assert torch.equal(found["mem"], wanted["mem"])
    compare(found, wanted, 2**-7, exact=False)


class Looking(ATan):
    """A surrogate that looks at the values, and so cannot be printed."""

    def derivative(self, x: torch.Tensor) -> torch.Tensor:
        assert bool(x.isfinite().all())
        return super().derivative(x)


@pytest.mark.parametrize("kind", ["leaky", "alif"])
@pytest.mark.parametrize("started", [True, False])
def test_a_surrogate_that_cannot_be_printed_is_called(
    started: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "CHUNK", 4 * 15)  # 4 of the 11 steps at once
    case = Case(kind, detach=False, learned="one", slope=True, started=started)
    wanted = outcome(case, "triton")
    monkeypatch.setattr("engine_grid.SURROGATES", (Looking,))
    called: list[int] = []
    own = Looking.derivative
    monkeypatch.setattr(Looking, "derivative", lambda s, x: called.append(len(x)) or own(s, x))
    compare(outcome(case, "triton"), wanted, 1e-6)
    assert [size for size in called if size > 1][-3:] == [4, 4, 3]


@pytest.mark.parametrize("kind", ["leaky", "synaptic", "alpha", "alif", "adlif"])
def test_the_gradient_of_the_smooth_step_is_that_of_its_values(kind: str) -> None:
    case = Case(kind, detach=False, smooth=True, surrogate=1, learned="one", shape=(4, 1, 2))
    made = layer(case, "triton", torch.float64, "cpu")
    names, values = zip(*made.named_parameters(), strict=True)
    cur = torch.randn(4, 1, 2, dtype=torch.float64, requires_grad=True)

    def run(cur: torch.Tensor, *values: torch.Tensor) -> Any:
        found = torch.func.functional_call(made, dict(zip(names, values, strict=True)), (cur,))
        return found.out, found.state.mem

    assert torch.autograd.gradcheck(run, (cur, *values), check_undefined_grad=False)
    assert not made._failed


def _one_step(dtype: torch.dtype, derivative: Expression, x: torch.Tensor) -> torch.Tensor:
    """A derivative, as the kernel computes it; the threshold is 0 and the slope 0.75."""
    shown = Printed(None, derivative, ())
    scan = Scan("leaky", "none", dtype=str(dtype).removeprefix("torch."))
    buffers = Buffers(scan, 1, len(x), CPU)
    engine = TritonEngine()
    for name in ("g_mem", "mem", "r", "p_beta", "p_theta"):
        buffers[name] = torch.zeros(len(x), dtype=dtype)
    buffers.numbers["slope"] = 0.75
    buffers["cur"] = buffers["mem_rows"] = x
    buffers["g_spk"], buffers["g_cur"] = torch.ones_like(x), torch.zeros_like(x)
    engine.reverse(engine.prepare(scan, shown), buffers, 0, 1)
    return buffers["g_cur"]


@pytest.mark.parametrize("name", MEANING)
def test_every_operation_means_what_it_means_to_torch(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_source, "AHEAD", 1)
    both = (Operation("gt", ("x", Number(0.1))), Operation("le", ("x", "slope")))
    given: dict[str, tuple[Any, ...]] = {
        **dict.fromkeys(("and", "or"), (0, 1)),
        **dict.fromkeys(("not", "real"), (0,)),
        "where": (0, Number(0.1), "x"),
        "pow": ("slope", "x"),
    }
    arity = 2 if name in ("add", "sub", "mul", "div", "minimum", "maximum", *TRUTH[:6]) else 1
    operands = given.get(name, ("x", "slope")[:arity])
    # What is true or false takes part in a sum as 1 or 0.
    operations = (*both, Operation(name, operands), Operation("add", (2, Number(0.0))))
    expression = Expression(operations, (3,))
    x = torch.tensor([-2.0, -0.7, -0.0, 0.0, 0.1, 0.3, 0.75, 1.5, 40.0])
    if name in ("sign", "isnan", "minimum", "maximum", "abs"):
        x = torch.cat([x, torch.tensor([float("nan"), float("inf")])])
    if name in ("sqrt", "log", "log1p"):
        x = x.abs()
    for dtype in (torch.float32, torch.float64):
        wide = x.to(dtype)
        (wanted,) = expression({"x": wide, "slope": torch.tensor(0.75, dtype=dtype)})
        found = _one_step(dtype, expression, wide)
        nearly = 8 * torch.finfo(dtype).eps  # torch's own results differ with the place in memory
        torch.testing.assert_close(found, wanted, rtol=nearly, atol=0, equal_nan=True)


@pytest.mark.parametrize("value", [0.1, float("inf"), float("nan")])
def test_constants_keep_all_their_digits(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_source, "AHEAD", 1)
    expression = Expression((Operation("mul", (Number(1.0), Number(value))),), (0,))
    found = _one_step(torch.float64, expression, torch.zeros(3, dtype=torch.float64))
    wanted = torch.full((3,), value, dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0, equal_nan=True)


def test_no_parameter_is_read_from_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("synaptic", detach=False, learned="one", slope=True, started=True)
    made = layer(case, "triton", torch.float32, "cpu")
    cur = torch.randn(case.shape, requires_grad=True)

    def refuse(self: torch.Tensor) -> Any:
        raise AssertionError("a value was asked for")

    monkeypatch.setattr(torch.Tensor, "__float__", refuse)
    monkeypatch.setattr(torch.Tensor, "item", refuse)
    made(cur).out.sum().backward()


def test_backward_twice() -> None:
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid(5.0)), "triton")
    cur = torch.randn(9, 2, 3, requires_grad=True)
    out = layer(cur).out.sum()
    out.backward(retain_graph=True)
    once = cur.grad.clone()
    out.backward()
    assert torch.equal(cur.grad, 2 * once)


def test_no_steps() -> None:
    shape = (0, 2, 3)
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid(5.0)), "triton")
    cur = torch.randn(shape, requires_grad=True)
    found = layer(cur)
    (found.out.sum() + found.state.mem.sum()).backward()
    assert not layer._failed
    assert found.out.shape == cur.grad.shape == shape


def test_the_gradient_may_be_written_over_the_membrane() -> None:
    found = []
    for overwrite in (True, False):
        neuron = snntorch.Leaky(0.9, spike_grad=FastSigmoid(5.0))
        layer = SpikingLayer(neuron, "triton", overwrite_membrane=overwrite)
        torch.manual_seed(1)
        cur = torch.randn(21, 2, 19, requires_grad=True)
        layer(cur).out.square().sum().backward()
        found.append(cur.grad)
    assert torch.equal(*found)


def test_few_lanes_are_spread_over_all_multiprocessors() -> None:
    assert [block(lanes, 132) for lanes in (1, 8192, 32768, 70_000, 200_000)] == [
        *(32, 32, 32, 64, 128)
    ]
    assert -(-8192 // block(8192, 132)) >= 132


def test_where_it_does_not_run_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TritonEngine()
    assert engine.supports(torch.float32, CPU) is None
    assert engine.supports(torch.int32, CPU) == "triton kernels do not know int32"
    monkeypatch.delenv("TRITON_INTERPRET")
    layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid()), "triton")
    choice = layer.choice()
    assert choice.name == "native"
    assert choice.why == "triton kernels run on CUDA devices and not on cpu"
    assert layer.choice(torch.int32).name == "torch"
    layer.engine = "auto"
    assert layer.choice() == engines.Choice(choice.engine, None)


def test_a_gpu_is_given_triton_first() -> None:
    names = [engine.name for engine in engines._candidates("auto", torch.device("cuda"))]
    assert names == ["triton", "torch"]


@pytest.fixture
def _said_anew() -> Iterator[None]:
    engines.say.cache_clear()
    yield
    engines.say.cache_clear()


@pytest.mark.usefixtures("_said_anew")
@pytest.mark.parametrize("what", ["source", "_launch"])
def test_another_engine_takes_over_where_triton_fails(
    what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("no such thing\non this machine")

    monkeypatch.setattr(triton, what, fail)
    triton._kernels.cache_clear()
    neuron = snntorch.Leaky(0.9375, spike_grad=Sigmoid(normalize="peak"))  # as in no other test
    layer = SpikingLayer(neuron, "triton")
    with caplog.at_level(logging.WARNING):
        layer(torch.randn(3, 1, 2))
    assert layer._failed == {"triton"}
    (record,) = caplog.records
    wanted = "engine triton gives way: triton fails: RuntimeError: on this machine"
    assert record.getMessage() == wanted


def test_triton_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, surrolab.neurons; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_compiler_takes_the_kernels(tmp_path: Path) -> None:
    """All but the launch: Triton compiles for a GPU that need not be there."""
    variables = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("compile_for_a_gpu.py")), "90"],
        env=variables | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    assert {kernel["name"] for kernel in kernels} == {"forward", "reverse", "reverse_start"}
    for kernel in kernels:
        assert kernel["shared"] == 0  # state and ring are registers
        if kernel["name"] == "forward" and not kernel["smooth"]:
            # Spikes are those of torch to the bit.
            assert kernel["multiply_adds"] == kernel["flushed"] == kernel["approximate"] == 0
