"""The C kernel of `spikes.c`, called on tensors."""

import ctypes
import functools
from importlib.resources import files
from typing import NamedTuple

import torch
from torch import Tensor

from surrolab.native import THOROUGHLY, library
from surrolab.surrogates.reach import ROUNDING, Reach

REALS = {torch.float32: "float", torch.float64: "double"}
BLOCK = 192  # rows, and features, of a tile; as in spikes.c
VECTOR = 256  # bytes of a row of a tile
PACKED = 1 << 24  # bytes of turned weight that are kept at a time, or one panel

POINTER, LONG, INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_int


class Spikes(NamedTuple):
    """Where ``x_MF`` is not 0: a byte each, and two for every row and 192 features.

    ``counts`` (int16) is how many there are in the rows of each tile, ``starts`` (int64) where
    each block of rows starts in ``places`` (uint8). All of them are ``value``.
    """

    counts: Tensor
    starts: Tensor
    places: Tensor
    value: float
    rows: int
    features: int


class Kernel:
    """The functions for one type of number, on contiguous tensors of it.

    Raises:
        CompilerError: there is no compiler, or it does not work.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._c = _typed(library(_source(dtype), THOROUGHLY), dtype)

    def find_spikes(self, x_MF: Tensor, most: int) -> Spikes | None:
        """The spikes of a matrix.

        None where there are more than ``most``, or where it holds other numbers than 0 and one
        finite value; both are found out before all has been read.
        """
        threads = torch.get_num_threads()
        rows, features = x_MF.shape
        value = float(self._c.first_spike(x_MF.data_ptr(), x_MF.numel()))
        if not abs(value) < float("inf"):
            return None
        blocks, tiles = -(-rows // BLOCK), -(-features // BLOCK)
        marks = torch.empty(rows * tiles * (BLOCK // 8), dtype=torch.uint8)
        counts = torch.empty(blocks * tiles * BLOCK, dtype=torch.int16)
        starts = torch.empty(blocks + 1, dtype=torch.int64)
        found = self._c.mark_spikes(
            x_MF.data_ptr(), rows, features, value, most, *_at(marks, counts, starts), threads
        )
        if found < 0:
            return None
        places = torch.empty(found, dtype=torch.uint8)
        self._c.list_spikes(rows, features, *_at(marks, counts, starts, places), threads)
        return Spikes(counts, starts, places, value, rows, features)

    def product(self, spikes: Spikes, weight_NF: Tensor, bias_N: Tensor | None) -> Tensor:
        """``x_MF @ weight_NF.T + bias_N``."""
        counts, starts, places, value, rows, features = spikes
        outputs = weight_NF.shape[0]
        width = VECTOR // weight_NF.element_size()
        group = min(-(-outputs // width), max(1, PACKED // (features * VECTOR)))
        packed = weight_NF.new_empty(group * features * width)
        out_MN = weight_NF.new_empty(rows, outputs)
        self._c.forward(
            *(rows, features, outputs),
            *_at(counts, starts, places),
            value,
            *_at(weight_NF, bias_N, out_MN, packed),
            *(group, torch.get_num_threads()),
        )
        return out_MN

    def weight_gradient(
        self, spikes: Spikes, grad_MN: Tensor, bias: bool
    ) -> tuple[Tensor, Tensor | None]:
        """``grad_MN.T @ x_MF``, and ``grad_MN.sum(0)`` where the bias needs it."""
        counts, starts, places, value, rows, features = spikes
        threads = torch.get_num_threads()
        outputs = grad_MN.shape[1]
        blocks = -(-rows // BLOCK)
        counts_of = torch.empty(blocks * features, dtype=torch.int16)
        scratch = torch.empty(blocks * features, dtype=torch.int32)
        rows_of = torch.empty_like(places)
        self._c.turn_lists(
            *(rows, features),
            *_at(counts, starts, places, counts_of, rows_of, scratch),
            threads,
        )
        grad_NF = grad_MN.new_empty(outputs, features)
        grad_N = grad_MN.new_empty(outputs) if bias else None
        self._c.weight_gradient(
            *(rows, features, outputs),
            *_at(counts_of, starts, rows_of),
            value,
            *_at(grad_MN, grad_NF, grad_N),
            threads,
        )
        return grad_NF, grad_N

    def input_gradient(
        self, grad_MN: Tensor, weight_NF: Tensor, reach: Reach, most: int
    ) -> Tensor | None:
        """``grad_MN @ weight_NF`` where the membrane is within reach, and 0 elsewhere.

        None where there are more than ``most`` such places.
        """
        mem = reach.mem
        if mem is None:
            return None
        rows, outputs = grad_MN.shape
        features = weight_NF.shape[1]
        width = reach.support * (1 + ROUNDING)
        width += 4 * torch.finfo(grad_MN.dtype).eps * abs(reach.threshold)  # that of its edges
        near = (reach.threshold - width, reach.threshold + width)
        threads = torch.get_num_threads()
        if self._c.count_within(mem.data_ptr(), mem.numel(), *near, threads) > most:
            return None
        turned_FN = weight_NF.t().contiguous()
        grad_MF = grad_MN.new_empty(rows, features)
        self._c.input_gradient(
            *(rows, features, outputs),
            *_at(mem),
            *near,
            *_at(grad_MN, turned_FN, grad_MF),
            threads,
        )
        return grad_MF


@functools.cache
def load(dtype: torch.dtype) -> Kernel:
    """The kernel for numbers of this type, once it could be made; else as `Kernel`."""
    return Kernel(dtype)


def _at(*tensors: Tensor | None) -> list[int | None]:
    return [None if tensor is None else tensor.data_ptr() for tensor in tensors]


@functools.cache
def _source(dtype: torch.dtype) -> str:
    text = files(__package__).joinpath("spikes.c").read_text()
    return f"#define REAL {REALS[dtype]}\n{text}"


@functools.cache
def _typed(c: ctypes.CDLL, dtype: torch.dtype) -> ctypes.CDLL:
    real = ctypes.c_float if dtype == torch.float32 else ctypes.c_double
    shape = [LONG, LONG]
    c.first_spike.restype = real
    c.first_spike.argtypes = [POINTER, LONG]
    c.mark_spikes.restype = LONG
    c.mark_spikes.argtypes = [POINTER, *shape, real, LONG, *[POINTER] * 3, INT]
    c.list_spikes.argtypes = [*shape, *[POINTER] * 4, INT]
    c.turn_lists.argtypes = [*shape, *[POINTER] * 6, INT]
    c.forward.argtypes = [*shape, LONG, *[POINTER] * 3, real, *[POINTER] * 4, LONG, INT]
    c.weight_gradient.argtypes = [*shape, LONG, *[POINTER] * 3, real, *[POINTER] * 3, INT]
    c.count_within.restype = LONG
    c.count_within.argtypes = [POINTER, LONG, real, real, INT]
    c.input_gradient.argtypes = [*shape, LONG, POINTER, real, real, *[POINTER] * 3, INT]
    for name in ("list_spikes", "turn_lists", "forward", "weight_gradient", "input_gradient"):
        getattr(c, name).restype = None
    return c
