"""The size of the gradients of a network's parameters over an epoch."""

import torch
from torch import Tensor, nn


class GradientNorms:
    """Norm and largest element of dL/dp for every trained parameter, each step.

    Under several processes gradients are averaged before they get here, so every rank has the
    same. ``mean`` is over the steps seen since :meth:`reset`.
    """

    def __init__(self, module: nn.Module) -> None:
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        self.parameters = [p for _, p in named]
        self.reset()

    def reset(self) -> None:
        """Forget the steps seen."""
        self._steps = 0
        self._sum: Tensor | None = None
        self._max: Tensor | None = None

    @torch.no_grad()
    def measure(self) -> Tensor:
        """Largest absolute element of each parameter's gradient now; NaN and inf show."""
        present = [p.grad for p in self.parameters if p.grad is not None]
        largest = torch.zeros(len(self.parameters))
        if present:
            found = torch.stack([g.float() for g in torch._foreach_norm(present, float("inf"))])
            has = torch.tensor([p.grad is not None for p in self.parameters])
            largest[has] = found.cpu()
        return largest

    @torch.no_grad()
    def update(self, largest: Tensor) -> None:
        """Take a finite step into account; ``largest`` is what :meth:`measure` gave."""
        present = [(i, p.grad) for i, p in enumerate(self.parameters) if p.grad is not None]
        norms = torch.zeros(len(self.parameters))
        if present:
            found = torch._foreach_norm([grad for _, grad in present])
            norms[[i for i, _ in present]] = torch.stack([g.float() for g in found]).cpu()
        self._steps += 1
        self._sum = norms if self._sum is None else self._sum + norms
        self._max = largest if self._max is None else torch.maximum(self._max, largest)

    def mean(self) -> dict[str, float]:
        """Mean norm of each parameter's gradient, by the parameter's name."""
        if self._sum is None:
            return {}
        return dict(zip(self.names, (self._sum / self._steps).tolist(), strict=True))

    def largest(self) -> dict[str, float]:
        """Largest absolute element that each parameter's gradient had."""
        if self._max is None:
            return {}
        return dict(zip(self.names, self._max.tolist(), strict=True))
