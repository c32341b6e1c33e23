"""The gradient of the expected loss of a network that fires at random, by Monte Carlo."""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from surrolab.diagnostics.problem import Problem
from surrolab.diagnostics.references import Noise, escape_noise
from surrolab.diagnostics.student import student_quantile
from surrolab.surrogates import Sigmoid, Surrogate

# Spikes' effects on the loss, by layer and step: [B, N...].
Effects = dict[str, list[Tensor]]


@dataclass(frozen=True)
class Estimate:
    """A gradient by parameter name: its ``mean`` and, ``[G, ...]``, each independent ``groups``."""

    mean: dict[str, Tensor]
    groups: dict[str, Tensor]

    @property
    def standard_error(self) -> dict[str, Tensor]:
        """Of the mean, elementwise."""
        return {name: g.std(0) / len(g) ** 0.5 for name, g in self.groups.items()}

    def interval(self, confidence: float = 0.95) -> dict[str, tuple[Tensor, Tensor]]:
        """Elementwise two-sided confidence interval by Student's t over the groups."""
        freedom = len(next(iter(self.groups.values()))) - 1
        t = student_quantile(confidence, freedom)
        error = self.standard_error
        return {
            name: (mean - t * error[name], mean + t * error[name])
            for name, mean in self.mean.items()
        }


def expected_gradient(
    problem: Problem,
    noise: Noise = None,
    draws: int = 256,
    groups: int = 16,
    seed: int = 0,
    control_variate: bool = True,
) -> Estimate:
    """An unbiased estimate of the gradient of the expected loss under escape noise.

    Every neuron spikes with probability ``p = smooth_step(U - theta)``, independently given its
    membrane. With ``s`` all spikes of a sample and ``l`` its loss,

    ``grad E[l] = E[ (l - b) grad log P(s) + grad l ]``,

    where the second term is the direct path (the readout, given the spikes), and in both the
    membrane depends on the parameters through the dynamics with the spikes held constant: the
    whole gradient of the log likelihood, the reset's ``theta`` included (Williams 1992,
    doi:10.1007/BF00992696; for spiking neurons Pfister et al. 2006,
    doi:10.1162/neco.2006.18.6.1318). Whether the network detaches its reset has no influence.

    Two things take variance away and leave the mean: ``b`` is the mean of the other draws of the
    group (Kool et al. 2019), and what a spike does to the loss to first order is integrated in
    closed form: for effects ``e`` fixed beforehand, ``E[ sum_t e_t (s_t - p_t) grad log P(s) ] =
    E[ sum_t e_t grad p_t ]``, because ``s_t - p_t`` has mean zero given the past, and so has the
    score of every later spike (a control variate as in MuProp, Gu et al. 2016, arXiv:1511.05176).
    ``e`` is the gradient by the spikes of the smoothed network, times a factor per layer fitted on
    draws that are not used again. Spikes after a sample's end are left out.

    Log probabilities are never clamped: for logistic noise they are computed by ``logsigmoid``,
    for others as the logarithm of the probability of what was drawn, which is above 0 also where
    a compact shape makes ``p`` exactly 0 or 1.

    Args:
        problem: network, loss and probe batch.
        noise: whose ``smooth_step``; each layer's own surrogate unless given.
        draws: of all spikes of each sample, over all groups.
        groups: independent estimates, from which confidence intervals follow. The ``draws /
            groups`` of one group go through the network at once: more groups need less memory.
        seed: of the draws.
        control_variate: whether the first-order effects are integrated in closed form.

    Raises:
        ValueError: a surrogate is no escape noise, or too few draws or groups.
    """
    steps = escape_noise(problem, noise)
    if groups < 2:
        raise ValueError(f"groups: {groups} is not allowed; allowed: at least 2")
    if draws % groups or draws < 2 * groups:
        raise ValueError(
            f"draws: {draws} is not allowed; allowed: a multiple of groups, {groups}, at least "
            f"{2 * groups}"
        )
    generator = torch.Generator(problem.x_TBF.device).manual_seed(seed)
    each = draws // groups
    repeated = problem.repeated(each)
    effects = None
    if control_variate and steps:
        effects = _effects(problem, steps)
        _fit(repeated, steps, effects, each, generator)
    found = [_estimate(repeated, steps, effects, each, generator) for _ in range(groups)]
    stacked = {name: torch.stack([one[name] for one in found]) for name in problem.parameters}
    return Estimate({name: values.mean(0) for name, values in stacked.items()}, stacked)


class _Draw:
    """Fires at random, and adds up what the estimator needs, per sample ``[D B]``.

    ``log``: log probability of what was drawn; ``linear``: effects times ``p``; ``residual``:
    effects times ``s - p``, without gradient.
    """

    def __init__(
        self,
        noise: Surrogate,
        problem: Problem,
        effects: list[Tensor] | None,
        draws: int,
        generator: torch.Generator,
    ) -> None:
        self.noise = noise
        self.lengths_B = problem.lengths_B
        self.effects = effects
        self.draws = draws
        self.generator = generator
        self.log = self.linear = self.residual = problem.x_TBF.new_zeros(len(problem.lengths_B))
        self.step = itertools.count()

    def __call__(self, x: Tensor) -> Tensor:
        t = next(self.step)
        p = self.noise.smooth_step(x)
        uniform = torch.rand(x.shape, generator=self.generator, dtype=x.dtype, device=x.device)
        spk = (uniform < p).to(x.dtype).detach()
        if isinstance(self.noise, Sigmoid):
            log = F.logsigmoid((2 * spk - 1) * self.noise.slope * x)
        else:
            log = torch.where(spk > 0, p, 1 - p).log()
        counts = t < self.lengths_B
        self.log = self.log + torch.where(counts, log.flatten(1).sum(1), 0)
        if self.effects is not None:
            effect = self.effects[t].repeat(self.draws, *[1] * (x.ndim - 1))
            self.linear = self.linear + (effect * p).flatten(1).sum(1)
            self.residual = self.residual + (effect * (spk - p.detach())).flatten(1).sum(1)
        return spk


def _run(
    repeated: Problem,
    steps: dict[str, Surrogate],
    effects: Effects | None,
    draws: int,
    generator: torch.Generator,
) -> tuple[Tensor, dict[str, _Draw]]:
    """Losses ``[D B]`` and what the layers drew."""
    fire = {
        name: _Draw(noise, repeated, None if effects is None else effects[name], draws, generator)
        for name, noise in steps.items()
    }
    with repeated.firing(fire):
        return repeated.sample_losses(), fire


def _estimate(
    repeated: Problem,
    steps: dict[str, Surrogate],
    effects: Effects | None,
    draws: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The estimate of one group."""
    loss, fire = _run(repeated, steps, effects, draws, generator)
    value = loss
    if fire:
        rest_DB = loss.detach().view(draws, -1)
        for one in fire.values():
            rest_DB = rest_DB - one.residual.view(draws, -1)
        # Minus the mean of the others: the same as this factor on the deviation from the mean.
        weight = (rest_DB - rest_DB.mean(0)) * draws / (draws - 1)
        for one in fire.values():
            value = value + weight.flatten() * one.log + one.linear
    parameters = repeated.parameters
    found = torch.autograd.grad(value.mean(), list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(p) if grad is None else grad
        for (name, p), grad in zip(parameters.items(), found, strict=True)
    }


def _effects(problem: Problem, steps: dict[str, Surrogate]) -> Effects:
    """The gradient of each sample's loss by its spikes, in the smoothed network.

    The total one, through all that follows: the loss's deviation from its mean is to first order
    the sum over spikes of this times ``s - p``.
    """
    fired: Effects = {name: [] for name in steps}

    def smooth(name: str, noise: Surrogate, x: Tensor) -> Tensor:
        spk = noise.smooth_step(x)
        if not spk.requires_grad:
            spk.requires_grad_()
        fired[name].append(spk)
        return spk

    fire = {
        name: (lambda x, name=name, noise=noise: smooth(name, noise, x))
        for name, noise in steps.items()
    }
    with problem.firing(fire, detach_reset=False):
        losses = problem.sample_losses()
    spikes = [spk for layer in fired.values() for spk in layer]
    grads = torch.autograd.grad(losses.sum(), spikes, allow_unused=True)
    found = iter(grads)
    return {
        name: [
            torch.zeros_like(spk) if grad is None else torch.nan_to_num(grad, 0, 0, 0)
            for spk, grad in zip(layer, found, strict=False)
        ]
        for name, layer in fired.items()
    }


def _fit(
    repeated: Problem,
    steps: dict[str, Surrogate],
    effects: Effects,
    draws: int,
    generator: torch.Generator,
) -> None:
    """Scale the effects of each layer, in place, by what fits the losses of a pilot best.

    Least squares over draws and samples, each sample about its own mean. Any factor keeps the
    estimate unbiased, as long as it does not come from the draws that it is used on.
    """
    with torch.no_grad():
        loss, fire = _run(repeated, steps, effects, draws, generator)
    loss_DB = loss.view(draws, -1)
    residual_LDB = torch.stack([one.residual.view(draws, -1) for one in fire.values()])
    y = (loss_DB - loss_DB.mean(0)).flatten()
    x_L = (residual_LDB - residual_LDB.mean(1, keepdim=True)).flatten(1)
    factors = torch.linalg.pinv(x_L @ x_L.T, hermitian=True) @ (x_L @ y)
    if not factors.isfinite().all():
        factors = torch.zeros_like(factors)
    for factor, layer in zip(factors, effects.values(), strict=True):
        layer[:] = [factor * effect for effect in layer]
