"""What a fused pass knows beside its tensors."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from surrolab.neurons.fused.buffers import Buffers, Engine
from surrolab.neurons.fused.firing import Printed
from surrolab.neurons.fused.scan import Scan
from surrolab.neurons.record import Record
from surrolab.surrogates import Surrogate
from surrolab.surrogates.reach import Reach


@dataclass
class Pass:
    """What one forward pass needs to know beside its tensors.

    Args:
        scan, engine, kernel, printed: what is computed, and by what.
        surrogate: None in a readout.
        names: of the parameters among the tensors, in order.
        numbers: slope and scale where they are no tensors.
        shape: of the current without time, ``[B, N...]``.
        steps: number of time steps.
        cur_shape: of the current as it was given.
        device: of all tensors.
        keeps: whether a backward pass may follow.
        record: to be filled, or None.
        overwrite: whether the gradient of the current is written over the membrane.
        reach: of the spikes, filled in by a pass that may be followed by a backward pass.
    """

    scan: Scan
    engine: Engine
    kernel: Any
    printed: Printed
    surrogate: Surrogate | None
    names: tuple[str, ...]
    numbers: dict[str, float]
    shape: torch.Size
    steps: int
    cur_shape: torch.Size
    device: torch.device
    keeps: bool
    record: Record | None
    overwrite: bool
    reach: Reach | None = None

    @property
    def overwrites(self) -> bool:
        """Whether there is a membrane of the right size for the gradient to be written over."""
        scan = self.scan
        fits = "mem" in scan.saved and scan.dtype == scan.wide
        return self.overwrite and fits and (scan.recurrent or not scan.constant)

    @property
    def called(self) -> bool:
        """Whether the surrogate's derivative is computed by calling it."""
        return self.scan.spiking and (not self.engine.prints or self.printed.derivative is None)

    def reach_of(self, buffers: Buffers) -> Reach | None:
        """Where the spikes' gradient is not multiplied by 0, if that is the same for all."""
        scan, surrogate = self.scan, self.surrogate
        theta = buffers.numbers.get("theta")
        if self.device.type != "cpu" or scan.smooth or scan.dtype != scan.wide:
            return None
        if surrogate is None or surrogate._parameters:
            return None
        if scan.kind not in ("leaky", "synaptic", "alpha") or not isinstance(theta, float):
            return None
        if not surrogate.support < math.inf:
            return None
        return Reach(buffers["mem_rows"], theta, float(surrogate.support))
