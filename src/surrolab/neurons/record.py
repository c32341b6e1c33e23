"""What a layer remembers of one forward pass, when asked to."""

import torch
from torch import Tensor


class Record:
    """The membrane potential of one forward pass and, after backward, its gradient.

    ``membrane`` is ``mem_TBN``, detached. ``threshold`` is what it had to exceed for a spike,
    detached: ``[T, B, N]`` of neurons whose threshold adapts, else the neuron's own, which
    broadcasts over it. ``gradient`` is dL/dU for every time step,
    ``[T, B, N]``: the whole derivative, through the spikes of its own step and through all later
    steps. It is None until ``backward`` has run. In the last layer a step may have no influence on
    the loss; its gradient is zero.
    """

    membrane: Tensor
    threshold: Tensor
    gradient: Tensor | None

    def __init__(self, threshold: Tensor) -> None:
        self.threshold = threshold.detach()
        self.gradient = None


class SteppedRecord(Record):
    """The same, put together from single time steps."""

    def __init__(self, threshold: Tensor) -> None:
        self._mems: list[Tensor] = []
        self._fixed = threshold
        self._levels: list[Tensor] = []

    def append(self, mem_BN: Tensor, level: Tensor) -> None:
        """Take membrane potential and threshold of the next time step, still on the graph."""
        if mem_BN.requires_grad:
            mem_BN.retain_grad()
        self._mems.append(mem_BN)
        if level is not self._fixed:
            self._levels.append(level.detach())

    @property
    def threshold(self) -> Tensor:  # type: ignore[override]
        return torch.stack(self._levels) if self._levels else self._fixed.detach()

    @property
    def membrane(self) -> Tensor:  # type: ignore[override]
        return torch.stack([mem.detach() for mem in self._mems])

    @property
    def gradient(self) -> Tensor | None:  # type: ignore[override]
        grads = [mem.grad if mem.requires_grad else None for mem in self._mems]
        if all(grad is None for grad in grads):
            return None
        return torch.stack(
            [
                torch.zeros_like(mem) if grad is None else grad
                for mem, grad in zip(self._mems, grads, strict=True)
            ]
        ).detach()
