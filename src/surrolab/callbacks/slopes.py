"""Moves the slope and the scale of the surrogates as training goes on, and logs where they are."""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from surrolab.data import Batch
from surrolab.models import Network
from surrolab.neurons import SpikingLayer
from surrolab.surrogates import Surrogate
from surrolab.surrogates.schedules import Adaptive, Constant, Course, Learned, Schedule
from surrolab.task import Task


class Slopes(pl.Callback):
    """Sets what is scheduled before every epoch or step; what is learned moves by itself.

    A schedule is a function of the epoch or step, so that a resumed run goes on as the first would
    have. What an adaptive slope has measured, and all values in force, are in the checkpoint.

    Logs ``surrogate/<layer>/slope`` and ``surrogate/<layer>/scale`` with the epoch's other metrics,
    as they were in the epoch's last step: the mean, where there is one per neuron, and then also
    ``..._min`` and ``..._max``. What is constant is not logged.

    Args:
        network: its surrogates are set; what is learned is a parameter already.
        courses: how ``slope`` and ``scale`` move. Layers whose surrogate has none are left out.
    """

    def __init__(self, network: Network, courses: Mapping[str, Course]) -> None:
        self._layers = {
            name: layer.neurons
            for name, layer in network.named_layers()
            if isinstance(layer.neurons, SpikingLayer)
        }
        self._courses = {
            name: course for name, course in courses.items() if not isinstance(course, Constant)
        }
        self._start = {
            name: {
                layer: float(getattr(surrogate, name)) for layer, surrogate in self._having(name)
            }
            for name, course in self._courses.items()
            if not isinstance(course, Learned)
        }
        self._totals: dict[str, int] = {}
        # Standard deviation of the membrane, and its count, sum and sum of squares in this rank.
        self._spreads: dict[str, float] = {}
        self._moments: dict[str, Tensor] = {}
        self._hooks: list[Any] = []

    def values(self) -> dict[str, float]:
        """What is logged, as it stands now."""
        found: dict[str, float] = {}
        for name in self._courses:
            for layer, surrogate in self._having(name):
                value, metric = getattr(surrogate, name), f"surrogate/{layer}/{name}"
                if not isinstance(value, Tensor):
                    found[metric] = value
                    continue
                numbers = value.detach().double().cpu()
                found[metric] = numbers.mean().item()
                if numbers.ndim > 0:
                    found[f"{metric}_min"] = numbers.min().item()
                    found[f"{metric}_max"] = numbers.max().item()
        return found

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._totals = {
            "epochs": trainer.max_epochs or 1,
            "steps": int(trainer.estimated_stepping_batches),
        }

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._schedule("epochs", trainer.current_epoch)
        for name, course in self._courses.items():
            if isinstance(course, Adaptive) and trainer.current_epoch % course.every_epochs == 0:
                for layer, surrogate in self._having(name):
                    if layer in self._spreads:
                        surrogate.slope = course.slope(surrogate, self._spreads[layer])

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._schedule("steps", trainer.global_step)

    def on_validation_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if not self._adapts or batch_idx != 0:  # the batch whose membranes are recorded
            return
        assert isinstance(pl_module, Task)
        lengths = batch.lengths if pl_module.is_sequence else None
        self._hooks = [
            layer.register_forward_hook(partial(self._measure, name, lengths))
            for name, layer in self._layers.items()
        ]

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = self.values()
        if self._adapts:
            self._spread(trainer, pl_module.device)
        # As the task does it: to the epoch's row, and for those that read the trainer's metrics.
        pl_module.log_dict(values, logger=False, sync_dist=True)
        for logger in trainer.loggers:
            logger.log_metrics(values, trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        values = {
            name: {layer: getattr(surrogate, name) for layer, surrogate in self._having(name)}
            for name in self._start
        }
        return {"values": values, "spreads": dict(self._spreads)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in self._start:
            for layer, surrogate in self._having(name):
                setattr(surrogate, name, state_dict["values"][name][layer])
        self._spreads = dict(state_dict["spreads"])

    @property
    def _adapts(self) -> bool:
        return any(isinstance(course, Adaptive) for course in self._courses.values())

    def _having(self, name: str) -> Iterator[tuple[str, Surrogate]]:
        for layer, neurons in self._layers.items():
            surrogate = neurons.surrogate
            if isinstance(surrogate, Surrogate) and surrogate.has(name):
                yield layer, surrogate

    def _schedule(self, unit: str, now: int) -> None:
        for name, course in self._courses.items():
            if isinstance(course, Schedule) and course.unit == unit:
                for layer, surrogate in self._having(name):
                    start = self._start[name][layer]
                    setattr(surrogate, name, course.value(start, now, self._totals[unit]))

    def _measure(
        self, name: str, lengths: Tensor | None, neurons: nn.Module, args: Any, output: Any
    ) -> None:
        """Hook of a layer's forward pass: the membrane's moments; padded steps do not count."""
        if output.record is None:
            return
        x_TBN = output.record.membrane - output.record.threshold
        if lengths is not None:
            x_TBN = x_TBN[torch.arange(len(x_TBN), device=x_TBN.device)[:, None] < lengths]
        var, mean = (value.cpu().double() for value in torch.var_mean(x_TBN.float(), correction=0))
        count = x_TBN.numel()
        self._moments[name] = torch.stack([torch.ones(()), mean, var + mean.square()]) * count

    def _spread(self, trainer: pl.Trainer, device: torch.device) -> None:
        nothing = torch.zeros(3, dtype=torch.float64)  # a rank without a sample
        moments = torch.stack([self._moments.get(name, nothing) for name in self._layers])
        if trainer.world_size > 1:
            moments = trainer.strategy.reduce(moments.to(device), reduce_op="sum").cpu()
        self._moments = {}
        for name, (count, total, squares) in zip(self._layers, moments.tolist(), strict=True):
            if count > 0:
                variance = squares / count - (total / count) ** 2
                self._spreads[name] = math.sqrt(max(0.0, variance))
