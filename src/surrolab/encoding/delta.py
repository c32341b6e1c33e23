"""Spikes where the signal has moved."""

import torch
from torch import Tensor

from surrolab.encoding.base import Encoder, positive

# Float rounding must not delay the spike of a signal that meets the level; in thresholds.
TOLERANCE = 1e-4


class Delta(Encoder):
    """Send on delta: a spike whenever the signal has moved by ``threshold`` since the last one.

    A level starts at 0 and follows the signal. In each step in which the signal is at least one
    threshold above the level, +1 is emitted and the level rises by one threshold; where it is at
    least one threshold below, the level falls by one, and -1 is emitted if ``off_spikes``. With
    off spikes, ``threshold * cumsum(spikes)`` therefore follows the signal to within one threshold
    as long as it moves by at most one threshold per step; beyond that it catches up one threshold
    at a time. Asynchronous delta modulation: Corradi & Indiveri 2015,
    doi:10.1109/TBCAS.2015.2479256; send on delta: Miskowicz 2006, doi:10.3390/s6010049.

    A static sample is presented as a ramp from 0, ``x (t + 1) / steps`` in step ``t``, so that the
    number of its spikes is ``x / threshold``, rounded down, and at most ``steps``.

    Not ``snntorch.spikegen.delta``: it compares neighbouring steps only, and a signal that rises
    by less than the threshold per step never spikes, however far it goes.

    Args:
        steps: over how many time steps a static sample rises; without effect on sequences.
        threshold: how far the signal has to move, above 0, in its own unit.
        off_spikes: whether falling signals give spikes, of value -1.
    """

    def __init__(self, steps: int, threshold: float = 0.1, off_spikes: bool = False) -> None:
        super().__init__(steps)
        self.threshold = positive("threshold", threshold)
        self.off_spikes = off_spikes

    def static(self, x_BF: Tensor) -> Tensor:
        wide = _wide(x_BF)
        ramp_T = torch.arange(1, self.steps + 1, device=x_BF.device) / self.steps
        signal_TBF = ramp_T.to(wide.dtype).view(-1, *[1] * x_BF.ndim) * wide
        return self.sequence(signal_TBF).to(x_BF.dtype)

    def sequence(self, x_TBF: Tensor) -> Tensor:
        signal_TBF = _wide(x_TBF.detach()) / self.threshold
        level = torch.zeros_like(signal_TBF[0])
        spk_TBF = torch.empty_like(signal_TBF)
        for signal, spk in zip(signal_TBF.unbind(), spk_TBF.unbind(), strict=True):
            up = signal - level >= 1 - TOLERANCE
            down = level - signal >= 1 - TOLERANCE
            moved = up.to(signal.dtype) - down.to(signal.dtype)
            level = level + moved
            spk.copy_(moved)
        return (spk_TBF if self.off_spikes else spk_TBF.clamp(min=0)).to(x_TBF.dtype)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
