"""One spike per input, the earlier the larger the input."""

import torch
from torch import Tensor

from surrolab.encoding.base import Encoder, positive


class Latency(Encoder):
    """Time to first spike: a single spike at ``t(x)``, rounded to a step.

    ``t(x) = tau ln(x / (x - threshold))``, the time at which a leaky integrate-and-fire neuron at
    rest, driven by the constant ``x``, reaches the threshold (Gerstner, Kistler, Naud & Paninski
    2014, doi:10.1017/CBO9781107447615, section 1.3); or, if ``linear``, ``t(x) = tau (1 - x)``.
    Times are limited to ``[0, steps - 1]``, so that each input above the threshold spikes once
    within the steps. Inputs at or below the threshold do not spike: the neuron never gets there.

    Not ``snntorch.spikegen.latency``: its normalisation divides by the latest spike of the batch,
    so that a sample's code depends on its neighbours (and on an epsilon, as soon as one input is
    dark), and ``tau`` cancels out of it. Without normalisation the times are the same as here.

    Args:
        steps: time steps.
        tau: time constant in steps, above 0.
        threshold: smallest input that does not spike is just below; between 0 and 1.
        linear: whether the time is linear in ``x`` instead of logarithmic.
    """

    def __init__(
        self, steps: int, tau: float = 5.0, threshold: float = 0.01, linear: bool = False
    ) -> None:
        super().__init__(steps)
        self.tau = positive("tau", tau)
        if not 0 < threshold < 1:
            raise ValueError(
                f"threshold: {threshold} is not allowed; allowed: a number between 0 and 1"
            )
        self.threshold = threshold
        self.linear = linear

    def static(self, x_BF: Tensor) -> Tensor:
        fires = x_BF > self.threshold
        step = self.times(x_BF).round().clamp(0, self.steps - 1)
        # What does not fire has no time: any step will do, for the value put there is 0.
        step = torch.where(fires, step, 0.0).long()
        spk_TBF = x_BF.new_zeros(self.steps, *x_BF.shape)
        return spk_TBF.scatter_(0, step.unsqueeze(0), fires.to(x_BF.dtype).unsqueeze(0))

    def times(self, x: Tensor) -> Tensor:
        """``t(x)`` in steps, before rounding and limits; meaningless where ``x`` does not spike."""
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        if self.linear:
            return self.tau * (1 - wide)
        return self.tau * torch.log(wide / (wide - self.threshold))
