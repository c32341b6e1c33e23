"""Optimizers and learning rate schedules, as the configuration describes them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

_SYNAPTIC = ("synapse.weight", "recurrent.weight")
# From 0.1 to 100: a step is a share of where they start.
_RELATIVE = ("spike_grad.slope", "spike_grad.scale")
# Delays run over many steps; the factor is that of Hammouamri et al. 2023 (arXiv:2306.17670).
_DELAYS, _DELAYS_FACTOR = "synapse.delay", 100


@dataclass(frozen=True)
class OptimizerFactory:
    """What every optimizer has.

    Args:
        lr: learning rate; for a learned slope or scale of a surrogate, times its initial value;
            for delays, in steps, times 100.
        weight_decay: applied to synaptic weights; never to biases, decays, thresholds or delays.
        schedule: ``constant``, ``linear``, ``cosine`` or ``exponential``, over all steps.
        warmup_epochs: linear rise from 0, in epochs; may be a fraction.
        final_factor: learning rate at the end relative to ``lr``.
    """

    lr: float
    weight_decay: float
    schedule: str
    warmup_epochs: float
    final_factor: float

    def build(
        self, module: nn.Module, steps: int, steps_per_epoch: float
    ) -> tuple[torch.optim.Optimizer, LambdaLR]:
        """The optimizer, and its schedule, which is a function of the step and steps every step."""
        trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        weights = [p for name, p in trained if name.endswith(_SYNAPTIC)]
        delays = [p for name, p in trained if name.endswith(_DELAYS)]
        own = (*_SYNAPTIC, *_RELATIVE, _DELAYS)
        others = [p for name, p in trained if not name.endswith(own)]
        groups: list[dict[str, Any]] = [
            {"params": weights, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
            {"params": delays, "weight_decay": 0.0, "lr": _DELAYS_FACTOR * self.lr},
        ]
        for name, p in trained:
            if name.endswith(_RELATIVE):
                relative = self.lr * p.detach().mean().item()
                groups.append({"params": [p], "weight_decay": 0.0, "lr": relative})
        optimizer = self._optimizer([group for group in groups if group["params"]])
        return optimizer, LambdaLR(optimizer, self.factor(steps, steps_per_epoch))

    def factor(self, steps: int, steps_per_epoch: float) -> Callable[[int], float]:
        """Learning rate over ``lr``, by step."""
        warmup = self.warmup_epochs * steps_per_epoch

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            done = min(1.0, (step - warmup) / max(1.0, steps - warmup))
            if self.schedule == "linear":
                return 1 - (1 - self.final_factor) * done
            if self.schedule == "cosine":
                half = (1 + math.cos(math.pi * done)) / 2
                return self.final_factor + (1 - self.final_factor) * half
            if self.schedule == "exponential":
                return float(self.final_factor**done)
            return 1.0

        return factor

    def _optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        raise NotImplementedError


@dataclass(frozen=True)
class Adam(OptimizerFactory):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980)."""

    betas: tuple[float, float] = (0.9, 0.999)

    def _optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, lr=self.lr, betas=(self.betas[0], self.betas[1]))


@dataclass(frozen=True)
class AdamW(OptimizerFactory):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    betas: tuple[float, float] = (0.9, 0.999)

    def _optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=self.lr, betas=(self.betas[0], self.betas[1]))


@dataclass(frozen=True)
class SGD(OptimizerFactory):
    """Stochastic gradient descent with momentum."""

    momentum: float = 0.9

    def _optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum)
