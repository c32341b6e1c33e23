"""The engine for GPUs: a fused pass as Triton kernels."""

import functools
import importlib.util
import linecache
import os
import sys
from hashlib import sha256
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from surrolab.native import CompilerError
from surrolab.neurons.fused.buffers import Buffers
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import Scan
from surrolab.neurons.fused.triton_source import DTYPES, ITEMS, NUMBERS, SURROGATE, source

BLOCKS = (128, 64, 32)
"""Lanes, and threads, of one program; a warp has 32."""

PROGRAMS = 8
"""Of each multiprocessor at least, before programs are made larger."""

OLDEST = (8, 0)
"""Compute capability that Triton is made for."""


class Kernel(NamedTuple):
    """A function of Triton's, and the names of the arrays that it is given."""

    function: Any
    arrays: tuple[str, ...]


class Kernels(NamedTuple):
    """Those of one scan; ``compiled`` are the devices and blocks for which that is done."""

    forward: Kernel
    reverse: Kernel
    reverse_start: Kernel | None
    compiled: set[tuple[torch.device, int]]


class TritonEngine:
    """Runs Triton kernels; see :class:`~surrolab.neurons.fused.buffers.Engine`.

    With ``TRITON_INTERPRET=1`` they are run, slowly, by Triton's interpreter, on the CPU too.
    """

    name = "triton"
    prints = True
    loads_parameters = True

    def supports(self, dtype: torch.dtype, device: torch.device) -> str | None:
        """Why it does not, or None."""
        if device.type != "cuda" and not (device.type == "cpu" and interpreted()):
            return f"triton kernels run on CUDA devices and not on {device.type}"
        if str(dtype).removeprefix("torch.") not in DTYPES:
            return f"triton kernels do not know {str(dtype).removeprefix('torch.')}"
        if not _installed():
            return "triton is not installed"
        if device.type == "cuda" and not torch.cuda.is_available():
            return "there is no CUDA device"
        return None if interpreted() else _too_old(device)

    def prepare(self, scan: Scan, printed: Printed) -> Kernels:
        """The kernels, which Triton compiles when they are called first.

        Raises:
            CompilerError: Triton does not work.
        """
        return _kernels(scan, printed, interpreted())

    def forward(self, kernel: Kernels, buffers: Buffers, first: int, end: int) -> None:
        """Also compiles the way back, while another engine can still take over.

        Raises:
            CompilerError: Triton fails.
        """
        try:
            compile_reverse(kernel, buffers)
            _launch(kernel.forward, buffers, first, end)
        except Exception as error:
            raise CompilerError(f"triton fails: {_in_words(error)}") from error

    def reverse(self, kernel: Kernels, buffers: Buffers, first: int, end: int) -> None:
        _launch(kernel.reverse, buffers, first, end)

    def reverse_start(self, kernel: Kernels, buffers: Buffers) -> None:
        assert kernel.reverse_start is not None
        _launch(kernel.reverse_start, buffers, 0, 0)


def interpreted() -> bool:
    """Whether Triton's interpreter runs what is made from now on."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


def block(lanes: int, multiprocessors: int) -> int:
    """Lanes of one program, so that there is work for all multiprocessors."""
    enough = (size for size in BLOCKS if lanes >= size * PROGRAMS * multiprocessors)
    return next(enough, BLOCKS[-1])


@functools.lru_cache(maxsize=1024)
def _kernels(scan: Scan, printed: Printed, interpreted: bool) -> Kernels:
    try:
        module = _module(source(scan, printed, interpreted))
    except Exception as error:  # whatever a package that is not ours may raise on import
        raise CompilerError(f"triton fails: {_in_words(error)}") from error
    start = _kernel(module.reverse_start) if scan.started else None
    return Kernels(_kernel(module.forward), _kernel(module.reverse), start, set())


def _module(text: str) -> ModuleType:
    """A module of that text.

    Triton asks Python for the text of a kernel. Python finds it in ``linecache``, so that no file
    has to be written, and none that somebody else wrote is run.
    """
    name = f"surrolab_triton_{sha256(text.encode()).hexdigest()[:32]}"
    found = sys.modules.get(name)
    if found is None:
        path = f"{name}.py"
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        found = ModuleType(name)
        exec(compile(text, path, "exec"), found.__dict__)
        sys.modules[name] = found
    return found


def _kernel(function: Any) -> Kernel:
    names = [name for name in function.arg_names if name.startswith("q_")]
    return Kernel(function, tuple(name.removeprefix("q_") for name in names))


def _launch(kernel: Kernel, buffers: Buffers, first: int, end: int) -> None:
    if buffers.lanes == 0:
        return
    size = block(buffers.lanes, _multiprocessors(buffers.device))
    arrays = [buffers.arrays.get(name) for name in kernel.arrays]
    grid = (-(-buffers.lanes // size),)
    with _on(buffers.device):
        kernel.function[grid](*arrays, *numbers(buffers, first, end), size, **options(size))


def numbers(buffers: Buffers, first: int, end: int) -> list[float]:
    """What the kernels are given after their arrays."""
    found = {
        "lanes": buffers.lanes,
        "first": first,
        "end": end,
        "cur_stride": buffers.cur_stride,
        "fed_first": buffers.fed_first,
        "chunk": buffers.chunk,
        "given_first": buffers.given_first,
    }
    surrogate = [float(buffers.numbers.get(name, 0.0)) for name in SURROGATE]
    return [*surrogate, *(found[name] for name in NUMBERS)]


def options(size: int) -> dict[str, Any]:
    """How Triton is to compile for that many lanes."""
    # Without fused multiply-add, as torch computes: spikes are then the same to the bit.
    return {"num_warps": size // 32, "enable_fp_fusion": False}


def compile_reverse(kernels: Kernels, buffers: Buffers) -> None:
    """Compile the way back, where there will be one."""
    size = block(buffers.lanes, _multiprocessors(buffers.device))
    key = (buffers.device, size)
    rows = (buffers.arrays.get(f"{name}_rows") for name in buffers.scan.saved)
    if key in kernels.compiled or all(array is None for array in rows):
        return
    with _on(buffers.device):
        for kernel in (kernels.reverse, kernels.reverse_start):
            if kernel is not None:
                arrays = [stand_in(name, buffers) for name in kernel.arrays]
                rest = numbers(buffers, 0, 0)
                kernel.function.warmup(*arrays, *rest, size, grid=(1,), **options(size))
    kernels.compiled.add(key)


def stand_in(name: str, buffers: Buffers) -> Any:
    """An array that there is not yet, to Triton's compiler: its dtype."""
    if name.startswith(("p_", "end_")):
        return buffers.arrays.get(name)
    return getattr(torch, buffers.scan.dtype if name in ITEMS else buffers.scan.wide)


def _on(device: torch.device) -> Any:
    """Triton launches on the current device; under its interpreter, numbers may overflow."""
    return torch.cuda.device(device) if device.type == "cuda" else np.errstate(all="ignore")


@functools.cache
def _multiprocessors(device: torch.device) -> int:
    if device.type != "cuda":
        return 1
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _too_old(device: torch.device) -> str | None:
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) >= OLDEST:
        return None
    return f"triton has no kernels for {torch.cuda.get_device_name(device)}"


def _in_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no reason given'}"[:300]
