"""The engine for the CPU: a fused pass as compiled C."""

import ctypes
from typing import Any

import torch

from surrolab.native import library
from surrolab.neurons.fused.buffers import Buffers
from surrolab.neurons.fused.c_prelude import DTYPES
from surrolab.neurons.fused.c_source import NUMBERS, PARAMETERS, POINTERS, source
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import Scan

BLOCK = 32768  # neurons of one block at most: its rows and state stay in the cache
ALONE = 16384  # neuron-steps that one thread does by itself sooner than several


class _Arguments(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in NUMBERS),
        *((name, ctypes.c_void_p) for names in POINTERS.values() for name in names),
        *((f"{part}_{name}", ctypes.c_void_p) for name in PARAMETERS for part in ("p", "d")),
        *((name, ctypes.c_double) for name in PARAMETERS),
    ]


class NativeEngine:
    """Runs compiled kernels; see :class:`~surrolab.neurons.fused.buffers.Engine`."""

    name = "native"
    prints = True
    loads_parameters = False

    def supports(self, dtype: torch.dtype, device: torch.device) -> str | None:
        """Why it does not, or None."""
        if device.type != "cpu":
            return f"native kernels run on the CPU and not on {device.type}"
        if str(dtype).removeprefix("torch.") not in DTYPES:
            return f"native kernels do not know {str(dtype).removeprefix('torch.')}"
        return None

    def prepare(self, scan: Scan, printed: Printed) -> Any:
        """The compiled kernel.

        Raises:
            CompilerError: it cannot be compiled or kept.
        """
        kernel = library(source(scan, printed))
        for name in ("forward", "reverse", *(["reverse_start"] if scan.started else [])):
            function = getattr(kernel, name)
            function.argtypes = (ctypes.POINTER(_Arguments), ctypes.c_int64, ctypes.c_int64)
            function.restype = None
        return kernel

    def forward(self, kernel: Any, buffers: Buffers, first: int, end: int) -> None:
        kernel.forward(_arguments(buffers), first, end)

    def reverse(self, kernel: Any, buffers: Buffers, first: int, end: int) -> None:
        kernel.reverse(_arguments(buffers), first, end)

    def reverse_start(self, kernel: Any, buffers: Buffers) -> None:
        kernel.reverse_start(_arguments(buffers), 0, 0)


def _arguments(buffers: Buffers) -> Any:
    """The C structure of the buffers; made once, and only changed pointers are set again."""
    arguments = buffers.native
    if arguments is None:
        arguments = buffers.native = _Arguments()
        threads = torch.get_num_threads() if buffers.lanes * buffers.steps > ALONE else 1
        share = -(-buffers.lanes // max(1, threads))
        arguments.lanes = buffers.lanes
        arguments.threads = threads
        arguments.block = max(64, min(BLOCK, -(-share // 64) * 64))
        arguments.cur_stride = buffers.cur_stride
        for name, value in buffers.numbers.items():
            setattr(arguments, name, value)
        buffers.changed = set(buffers.arrays)
    for name in buffers.changed:
        array = buffers.arrays[name]
        setattr(arguments, name, None if array is None else array.data_ptr())
    buffers.changed = set()
    arguments.chunk, arguments.fed_first = buffers.chunk, buffers.fed_first
    arguments.given_first = buffers.given_first
    return ctypes.byref(arguments)
