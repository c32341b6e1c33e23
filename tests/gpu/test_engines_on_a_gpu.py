"""Engines against stepping, on a GPU: ``pytest tests/gpu``. Without one there is nothing to run."""

from collections.abc import Iterator

import pytest
import snntorch
import torch
from engine_grid import Case, compare, grid, layer, outcome, special

from surrolab.neurons import SpikingLayer
from surrolab.surrogates import ATan, Sigmoid

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

ENGINES = ("triton", "torch")
# More lanes than one program for each multiprocessor takes, and a number that nothing divides.
LARGE = (53, 7, 33_331)


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Matrix products that do not differ between a step and many, as far as can be had."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", [*grid(), *special()], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_an_engine_computes_what_stepping_computes(
    engine: str, case: Case, dtype: torch.dtype
) -> None:
    found, wanted = (outcome(case, name, dtype, "cuda") for name in (engine, "stepwise"))
    tolerance = 2e-6 if dtype == torch.float32 else 1e-12
    # A smooth spike is a function's value, in which libraries differ by the last bit.
    compare(found, wanted, tolerance, exact=not case.smooth)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("case", [*grid(), *special()], ids=str)
def test_half_precision(case: Case, dtype: torch.dtype) -> None:
    found, wanted = (outcome(case, engine, dtype, "cuda") for engine in ENGINES)
    compare(found, wanted, 2**-7 if dtype == torch.bfloat16 else 2**-9, exact=not case.smooth)


@pytest.mark.parametrize("learned", ["", "one", "each"])
def test_many_lanes(learned: str) -> None:
    case = Case(shape=LARGE, learned=learned, started=True)
    found, wanted = (outcome(case, engine, device="cuda") for engine in ("triton", "stepwise"))
    compare(found, wanted, 1e-5)


def test_offsets_beyond_32_bits() -> None:
    steps, lanes = 33, 2**26 + 3
    if torch.cuda.mem_get_info()[0] < 40 * 2**30:
        pytest.skip("less than 40 GiB are free")
    made = SpikingLayer(snntorch.Leaky(0.9, spike_grad=ATan()), "triton").cuda()
    cur = torch.ones(steps, 1, lanes, dtype=torch.bfloat16, device="cuda", requires_grad=True)
    out = made(cur).out
    assert torch.equal(out, out[:, :, :1].expand_as(out))
    out.backward(torch.ones_like(out))
    assert not made._failed
    assert torch.equal(cur.grad, cur.grad[:, :, :1].expand_as(cur.grad))


@pytest.mark.parametrize("kind", ["leaky", "synaptic", "alpha"])
def test_the_processor_never_waits_for_the_gpu(kind: str) -> None:
    case = Case(kind, detach=False, learned="one", slope=True, shape=(20, 8, 100))
    made = layer(case, "triton", torch.float32, "cuda")
    cur = torch.randn(case.shape, device="cuda", requires_grad=True)
    made(cur).out.sum().backward()  # compiles
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        made(cur).out.sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not made._failed


def test_a_gpu_is_given_triton() -> None:
    made = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid())).cuda()
    assert made.choice(torch.float32, torch.device("cuda")).name == "triton"


def test_another_number_of_steps_is_not_compiled_anew() -> None:
    from triton import knobs

    compiled: list[str] = []
    made = SpikingLayer(snntorch.Leaky(0.9, spike_grad=Sigmoid()), "triton").cuda()
    before = knobs.compilation.listener
    try:
        for steps in (5, 1, 8, 16, 25):
            cur = torch.randn(steps, 4, 16, device="cuda", requires_grad=True)
            made(cur).out.sum().backward()
            knobs.compilation.listener = lambda *, src, **_: compiled.append(src.name)
    finally:
        knobs.compilation.listener = before
    assert compiled == []
