"""The arrays of one fused pass, and what an engine does with them."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import Scan


class Buffers:
    """Arrays by the names of the statements.

    ``cur``, ``spk`` (or ``out``, of a readout), ``g_cur`` and, from step ``given_first`` on, the
    incoming gradient ``g_spk``: ``[T, lanes]`` in the dtype of the current; ``<state>_rows``,
    ``g_mem_rows``: ``[T, lanes]``; ``h``, ``g_s_rows``: from step ``chunk`` on; ``fed``: from step
    ``fed_first`` on; the states, their gradients ``g_*`` and ``end_*`` and, where there is an
    initial state, ``start_*``: ``[lanes]``; a parameter ``p_*`` and its gradient ``d_*``:
    ``[lanes]``. All but the first are in the state's dtype. ``numbers`` are parameters that are the
    same for all neurons.

    A lane is a neuron of a sample: ``lanes = B * N``.
    """

    def __init__(self, scan: Scan, steps: int, lanes: int, device: torch.device) -> None:
        self.scan = scan
        self.steps = steps
        self.lanes = lanes
        self.device = device
        self.cur_stride = lanes
        self.chunk = 0
        self.fed_first = 0
        self.given_first = 0
        self.arrays: dict[str, Tensor | None] = {}
        self.numbers: dict[str, float] = {}
        self.changed: set[str] = set()
        self.step: Callable[[Tensor], Tensor] | None = None  # the smooth step, of x [lanes]
        self.native: Any = None  # what an engine made of the buffers

    @property
    def wide(self) -> torch.dtype:
        """The dtype of the state."""
        found: torch.dtype = getattr(torch, self.scan.wide)
        return found

    def __setitem__(self, name: str, value: Tensor | None) -> None:
        self.arrays[name] = value
        self.changed.add(name)

    def __getitem__(self, name: str) -> Tensor:
        value = self.arrays[name]
        assert value is not None
        return value

    def fired(self, x: Tensor) -> Tensor:
        """The spikes at ``x``, ``[lanes]``, for engines that do not print them."""
        return (x > 0).to(x.dtype) if self.step is None else self.step(x)

    def zeros(self, *names: str) -> None:
        """Make ``[lanes]`` arrays of zeros."""
        made = torch.zeros(len(names), self.lanes, dtype=self.wide, device=self.device)
        for name, array in zip(names, made, strict=True):
            self[name] = array

    def parameter(self, name: str) -> Tensor | float:
        """``[lanes]``, or one number, maybe ``[1]``, for all."""
        return self.numbers[name] if name in self.numbers else self[f"p_{name}"]


class Engine(Protocol):
    """Runs the statements of a :class:`Scan` over the arrays.

    ``forward`` goes from the states in the buffers through the steps ``first`` to ``end - 1``,
    ``reverse`` the same way back, the last step first; ``reverse_start`` is the step before the
    first of a given state. The states and gradients in the buffers go on from call to call.
    ``prints`` says whether the engine computes the surrogate itself where it can be printed; else
    ``h`` is given to it, and it leaves the spikes' gradients in ``g_s_rows``.
    ``loads_parameters`` says whether a parameter that all neurons share is wanted as an array
    ``p_*`` of one element, so that its value is never asked of the device.
    """

    name: str
    prints: bool
    loads_parameters: bool

    def supports(self, dtype: torch.dtype, device: torch.device) -> str | None: ...

    def prepare(self, scan: Scan, printed: Printed) -> Any: ...

    def forward(self, kernel: Any, buffers: Buffers, first: int, end: int) -> None: ...

    def reverse(self, kernel: Any, buffers: Buffers, first: int, end: int) -> None: ...

    def reverse_start(self, kernel: Any, buffers: Buffers) -> None: ...
