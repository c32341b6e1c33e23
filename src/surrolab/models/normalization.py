"""Batch normalisation of the input current, in the three ways known for spiking networks."""

import torch
from torch import Tensor, nn

NORMS = ("none", "step", "tdbn", "bntt")


def _batch_norm(shape: tuple[int, ...], bias: bool = True) -> nn.BatchNorm1d | nn.BatchNorm2d:
    norm = (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0])
    if not bias:
        norm.register_parameter("bias", None)
    return norm


class TimeNorm(nn.Module):
    """Base: ``cur_TBN -> cur_TBN``, normalised per neuron, or per channel of a convolution."""


class StepNorm(TimeNorm):
    """Every step by the statistics of that step's batch, one scale and shift for all steps.

    Ioffe & Szegedy 2015 (arXiv:1502.03167), applied step by step.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.norm = _batch_norm(shape)

    def forward(self, cur_TBN: Tensor) -> Tensor:
        return torch.stack([self.norm(cur) for cur in cur_TBN.unbind()])


class TdBN(TimeNorm):
    """Threshold-dependent batch norm: statistics over time and batch, variance ``theta ** 2``.

    Zheng, Wu, Deng, Hu & Li 2021 (doi:10.1609/aaai.v35i12.17320), with their alpha = 1.
    """

    def __init__(self, shape: tuple[int, ...], threshold: float) -> None:
        super().__init__()
        self.norm = _batch_norm(shape)
        nn.init.constant_(self.norm.weight, threshold)

    def forward(self, cur_TBN: Tensor) -> Tensor:
        normed: Tensor = self.norm(cur_TBN.flatten(0, 1))
        return normed.view_as(cur_TBN)


class BNTT(TimeNorm):
    """Batch norm through time: statistics and scale of their own in every step, and no shift.

    Kim & Panda 2021 (doi:10.3389/fnins.2021.773954). Sequences may be shorter than ``steps``,
    not longer.
    """

    def __init__(self, shape: tuple[int, ...], steps: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_batch_norm(shape, bias=False) for _ in range(steps)])

    def forward(self, cur_TBN: Tensor) -> Tensor:
        if len(cur_TBN) > len(self.norms):
            raise ValueError(
                f"norm: bntt was built for {len(self.norms)} steps and got {len(cur_TBN)}"
            )
        return torch.stack(
            [norm(cur) for norm, cur in zip(self.norms, cur_TBN.unbind(), strict=False)]
        )


def time_norm(name: str, shape: tuple[int, ...], threshold: float, steps: int) -> TimeNorm | None:
    """The normalisation called ``name``: ``none``, ``step``, ``tdbn`` or ``bntt``."""
    if name == "step":
        return StepNorm(shape)
    if name == "tdbn":
        return TdBN(shape, threshold)
    if name == "bntt":
        return BNTT(shape, steps)
    return None
