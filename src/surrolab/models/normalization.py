"""Batch normalisation of the input current, in the three ways known for spiking networks."""

import math
from typing import cast

import torch
from torch import Tensor, nn

NORMS = ("none", "step", "tdbn", "bntt")


def _batch_norm(shape: tuple[int, ...], bias: bool = True) -> nn.BatchNorm1d | nn.BatchNorm2d:
    norm = (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0])
    if not bias:
        norm.register_parameter("bias", None)
    return norm


class TimeNorm(nn.Module):
    """Base: ``cur_TBN -> cur_TBN``, normalised per neuron, or per channel of a convolution.

    Steps beyond a sample's length, where ``lengths_B`` says that there are some, count in no mean
    and no variance, and their current is 0. A step that has one value left to normalise over, as
    the last step of the longest sample may, is normalised by the running statistics.
    """

    def forward(self, cur_TBN: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Normalise; all steps are valid unless ``lengths_B`` says how many of each sample are."""
        if lengths_B is None or int(lengths_B.min()) >= len(cur_TBN):
            return self.whole(cur_TBN)
        steps_T = torch.arange(len(cur_TBN), device=cur_TBN.device)
        return self.valid(cur_TBN, steps_T[:, None] < lengths_B)

    def whole(self, cur_TBN: Tensor) -> Tensor:
        """Normalise a batch without padding."""
        raise NotImplementedError

    def valid(self, cur_TBN: Tensor, valid_TB: Tensor) -> Tensor:
        """Normalise what is valid, and give 0 elsewhere."""
        raise NotImplementedError


class StepNorm(TimeNorm):
    """Every step by the statistics of that step's batch, one scale and shift for all steps.

    Ioffe & Szegedy 2015 (arXiv:1502.03167), applied step by step.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.norm = _batch_norm(shape)

    def whole(self, cur_TBN: Tensor) -> Tensor:
        return torch.stack([self.norm(cur) for cur in cur_TBN.unbind()])

    def valid(self, cur_TBN: Tensor, valid_TB: Tensor) -> Tensor:
        pairs = zip(cur_TBN.unbind(), valid_TB.unbind(), strict=True)
        return torch.stack([_selected(self.norm, cur, valid) for cur, valid in pairs])


class TdBN(TimeNorm):
    """Threshold-dependent batch norm: statistics over time and batch, variance ``theta ** 2``.

    Zheng, Wu, Deng, Hu & Li 2021 (doi:10.1609/aaai.v35i12.17320), with their alpha = 1.
    """

    def __init__(self, shape: tuple[int, ...], threshold: float) -> None:
        super().__init__()
        self.norm = _batch_norm(shape)
        nn.init.constant_(self.norm.weight, threshold)

    def whole(self, cur_TBN: Tensor) -> Tensor:
        normed: Tensor = self.norm(cur_TBN.flatten(0, 1))
        return normed.view_as(cur_TBN)

    def valid(self, cur_TBN: Tensor, valid_TB: Tensor) -> Tensor:
        normed = _selected(self.norm, cur_TBN.flatten(0, 1), valid_TB.flatten())
        return normed.view_as(cur_TBN)


class BNTT(TimeNorm):
    """Batch norm through time: statistics and scale of their own in every step, and no shift.

    Kim & Panda 2021 (doi:10.3389/fnins.2021.773954). Sequences may be shorter than ``steps``,
    not longer.
    """

    def __init__(self, shape: tuple[int, ...], steps: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_batch_norm(shape, bias=False) for _ in range(steps)])

    def forward(self, cur_TBN: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        if len(cur_TBN) > len(self.norms):
            raise ValueError(
                f"norm: bntt was built for {len(self.norms)} steps and got {len(cur_TBN)}"
            )
        normed = super().forward(cur_TBN, lengths_B)
        last = len(cur_TBN) if lengths_B is None else min(len(cur_TBN), int(lengths_B.max()))
        if not self.training or last >= len(self.norms):
            return normed
        # A gradient of nothing and not none at all, which processes would wait for.
        idle = [cast(Tensor, norm.weight).sum() for norm in self.norms[max(last, 0) :]]
        return normed + 0 * torch.stack(idle).sum()

    def whole(self, cur_TBN: Tensor) -> Tensor:
        return torch.stack(
            [norm(cur) for norm, cur in zip(self.norms, cur_TBN.unbind(), strict=False)]
        )

    def valid(self, cur_TBN: Tensor, valid_TB: Tensor) -> Tensor:
        pairs = zip(cur_TBN.unbind(), valid_TB.unbind(), strict=True)
        return torch.stack(
            [
                _selected(norm, cur, valid)
                for norm, (cur, valid) in zip(self.norms, pairs, strict=False)
            ]
        )


def _selected(norm: nn.Module, cur_RN: Tensor, valid_R: Tensor) -> Tensor:
    """The rows that are valid, normalised, and zeros in place of the others."""
    rows = cur_RN[valid_R]
    found = torch.zeros_like(cur_RN)
    # Where all processes share the statistics, they all have to ask, whatever each has left.
    if not isinstance(norm, nn.SyncBatchNorm):
        if not len(rows):
            return found
        if norm.training and len(rows) * math.prod(rows.shape[2:]) == 1:
            norm.eval()
            try:
                return _put(found, valid_R, norm(rows))
            finally:
                norm.train()
    return _put(found, valid_R, norm(rows))


def _put(found_RN: Tensor, valid_R: Tensor, rows: Tensor) -> Tensor:
    mask = valid_R.view(-1, *[1] * (found_RN.ndim - 1))
    return found_RN.masked_scatter(mask, rows)


def time_norm(name: str, shape: tuple[int, ...], threshold: float, steps: int) -> TimeNorm | None:
    """The normalisation called ``name``: ``none``, ``step``, ``tdbn`` or ``bntt``."""
    if name == "step":
        return StepNorm(shape)
    if name == "tdbn":
        return TdBN(shape, threshold)
    if name == "bntt":
        return BNTT(shape, steps)
    return None
