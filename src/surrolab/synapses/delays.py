"""A linear layer whose synapses each have a delay, learned or not."""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SIGMA_END = 0.5
"""Steps: the narrowest Gaussian, of which a neighbouring tap still has enough to learn from."""


class DelayedLinear(nn.Linear):
    """``out[t, n] = bias[n] + sum_f sum_k K[k, n, f] x[t - k, f]``: a weight and a delay each.

    Learning delays by dilated convolution with learnable spacings (Hammouamri, Khalfaoui-Hassani &
    Masquelier 2023, arXiv:2306.17670; Khalfaoui-Hassani et al. 2021, arXiv:2112.03740). While it
    is trained, a synapse's kernel is its weight times a Gaussian over time around its delay, of
    standard deviation ``sigma``, normalised to sum 1 over the taps 0 to ``max_delay``: that is
    what a delay gets its gradient from. In evaluation, and where delays are not trained, it is one
    tap at the delay rounded to the nearest step (halves to the even one), as in the authors' code.

    Weights are ``[N, F]`` and so are the delays, in steps, uniform in [0, ``max_delay``] at first
    and kept in there by projection at the start of each forward pass. ``sigma`` is a buffer, so
    that checkpoints hold it: half of ``max_delay`` until told otherwise. What would arrive after
    the end of the sequence never does.

    Args:
        in_features, out_features, bias: as for ``nn.Linear``.
        max_delay: in steps, at least 1.
        learn: whether the delays are trained.
    """

    sigma: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        max_delay: int,
        learn: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        if max_delay < 1:
            raise ValueError(f"max_delay: {max_delay} is not allowed; allowed: at least 1 step")
        self.max_delay = max_delay
        delay_NF = torch.empty(out_features, in_features).uniform_(0, max_delay)
        self.delay = nn.Parameter(delay_NF, requires_grad=learn)
        self.register_buffer("sigma", torch.tensor(self.widest))

    @property
    def widest(self) -> float:
        """``sigma`` at the start of training, in steps."""
        return max(self.max_delay / 2, SIGMA_END)

    @property
    def whole_steps(self) -> bool:
        """Whether each synapse has a single tap now."""
        return not (self.training and self.delay.requires_grad)

    def kernel(self) -> Tensor:
        """``K``: ``[max_delay + 1, N, F]``; the sum over time is the weight."""
        self.delay.data.clamp_(0, self.max_delay)  # an earlier graph stays good for its backward
        delay_NF = self.delay
        taps_K = torch.arange(self.max_delay + 1, dtype=delay_NF.dtype, device=delay_NF.device)
        taps_K11 = taps_K[:, None, None]
        if self.whole_steps:
            return torch.where(taps_K11 == delay_NF.detach().round(), self.weight, 0)
        # The normalised Gaussian, whatever its width.
        return torch.softmax(-0.5 * ((taps_K11 - delay_NF) / self.sigma).square(), 0) * self.weight

    def forward(self, input: Tensor, past_DBF: Tensor | None = None) -> Tensor:
        """``x_TBF -> out_TBN``.

        ``past_DBF`` are the ``max_delay`` steps before the first one, nothing unless given.
        """
        kernel_KNF = self.kernel()
        x_SBF, lead = input, 0
        if past_DBF is not None:
            x_SBF, lead = torch.cat([past_DBF, input]), len(past_DBF)
        out_TBN = shifted_sum(x_SBF.to(kernel_KNF.dtype), kernel_KNF, lead)
        if self.bias is not None:
            out_TBN = out_TBN + self.bias
        device = input.device.type
        if torch.is_autocast_enabled(device):
            # Summed up in the kernel's own type: rounding after each tap would add up.
            out_TBN = out_TBN.to(torch.get_autocast_dtype(device))
        return out_TBN

    def remember(self, x_TBF: Tensor, past_DBF: Tensor | None = None) -> Tensor:
        """The ``past_DBF`` of what comes after a part."""
        if len(x_TBF) >= self.max_delay:
            return x_TBF[len(x_TBF) - self.max_delay :]
        if past_DBF is None:
            past_DBF = x_TBF.new_zeros(self.max_delay, *x_TBF.shape[1:])
        return torch.cat([past_DBF, x_TBF])[-self.max_delay :]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, max_delay={self.max_delay}"


def shifted_sum(x_SBF: Tensor, kernel_KNF: Tensor, lead: int = 0) -> Tensor:
    """``out[t] = sum_k x[t + lead - k] K[k]^T``, ``[T, B, N]`` with ``T = S - lead``.

    One matrix product for each tap, added in place to the rows that it moves to: rows of one step
    lie together. About as fast as ``conv1d`` (docs/models.md has the figures), it never looks
    ahead, and nothing in gives exactly nothing out. By Fourier transforms it would take half the
    time where delays are long, but for rounding errors in every step, those before the first
    spike included.

    Args:
        x_SBF: input, the first ``lead`` steps of which are past.
        kernel_KNF: of each tap, ``[K, N, F]``.
        lead: how many steps have no output.
    """
    return cast(Tensor, _ShiftedSum.apply(x_SBF, kernel_KNF, lead))  # type: ignore[no-untyped-call]


class _ShiftedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_SBF: Tensor, kernel_KNF: Tensor, lead: int) -> Tensor:
        ctx.save_for_backward(x_SBF, kernel_KNF)
        ctx.lead = lead
        steps, batch, features = x_SBF.shape
        x_MF = x_SBF.reshape(steps * batch, features)
        out_MN = x_MF.new_zeros((steps - lead) * batch, kernel_KNF.shape[1])
        for tap, source, out in _rows(len(kernel_KNF), steps, lead, batch):
            out_MN[out].addmm_(x_MF[source], kernel_KNF[tap].T)
        return out_MN.view(steps - lead, batch, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TBN: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x_SBF, kernel_KNF = ctx.saved_tensors
        steps, batch, features = x_SBF.shape
        x_MF = x_SBF.reshape(steps * batch, features)
        grad_MN = grad_TBN.reshape(-1, kernel_KNF.shape[1])
        needs_x, needs_kernel = ctx.needs_input_grad[:2]
        grad_x = torch.zeros_like(x_MF) if needs_x else None
        grad_kernel = torch.zeros_like(kernel_KNF) if needs_kernel else None
        for tap, source, out in _rows(len(kernel_KNF), steps, ctx.lead, batch):
            if grad_x is not None:
                grad_x[source].addmm_(grad_MN[out], kernel_KNF[tap])
            if grad_kernel is not None:
                torch.mm(grad_MN[out].T, x_MF[source], out=grad_kernel[tap])
        return None if grad_x is None else grad_x.view_as(x_SBF), grad_kernel, None


def _rows(taps: int, steps: int, lead: int, batch: int) -> Iterator[tuple[int, slice, slice]]:
    """For each tap the rows of the input and the rows of the output that they are added to."""
    for tap in range(taps):
        first = max(0, tap - lead)
        count = steps - lead - first
        if count <= 0:
            return
        source = first + lead - tap
        rows = slice(source * batch, (source + count) * batch)
        yield tap, rows, slice(first * batch, (first + count) * batch)
