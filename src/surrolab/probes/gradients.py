"""The size of the gradients of a network's parameters over an epoch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class GradientSizes(NamedTuple):
    """Largest absolute element and norm of each parameter's gradient, on the CPU."""

    largest: Tensor
    norm: Tensor


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
        self._sum = torch.zeros(len(self.parameters))
        self._max = torch.zeros(len(self.parameters))

    @torch.no_grad()
    def measure(self) -> GradientSizes:
        """The gradients as they are now; NaN and inf show in ``largest``.

        ``norm`` may overflow where ``largest`` is finite.
        """
        present = [p.grad for p in self.parameters if p.grad is not None]
        if not present:
            nothing = torch.zeros(len(self.parameters))
            return GradientSizes(nothing, nothing)
        # All in one tensor: on a GPU each that is fetched is waited for.
        numbers = [*_extremes(present), *torch._foreach_norm(present)]
        least, most, norm = torch.stack([n.float() for n in numbers]).cpu().view(3, -1)
        sizes = torch.stack([torch.maximum(-least, most), norm])
        if len(present) < len(self.parameters):
            having = torch.tensor([p.grad is not None for p in self.parameters])
            found, sizes = sizes, torch.zeros(2, len(self.parameters))
            sizes[:, having] = found
        return GradientSizes(*sizes)

    def update(self, sizes: GradientSizes) -> None:
        """Take a finite step into account; ``sizes`` is what :meth:`measure` gave."""
        self._steps += 1
        self._sum += sizes.norm
        torch.maximum(self._max, sizes.largest, out=self._max)

    def mean(self) -> dict[str, float]:
        """Mean norm of each parameter's gradient, by the parameter's name."""
        if not self._steps:
            return {}
        return dict(zip(self.names, (self._sum / self._steps).tolist(), strict=True))

    def largest(self) -> dict[str, float]:
        """Largest absolute element that each parameter's gradient had."""
        if not self._steps:
            return {}
        return dict(zip(self.names, self._max.tolist(), strict=True))


def _extremes(tensors: list[Tensor]) -> list[Tensor]:
    """Least elements, then greatest; where that is faster, both of the absolute values."""
    if tensors[0].device.type != "cpu":
        return 2 * list(torch._foreach_norm(tensors, float("inf")))
    # Some twenty times as fast there: the norm of order infinity is not vectorised.
    least, most = zip(*(torch.aminmax(tensor) for tensor in tensors), strict=True)
    return [*least, *most]
