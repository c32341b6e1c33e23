"""Stops a run whose numbers are no longer finite, and says where it began."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from surrolab.errors import DivergedError
from surrolab.task import Task

# A float16 loss scaler finds its scale by trying: steps it skips are no failure, until this many
# follow one another.
MAX_SKIPPED = 20


class FiniteGuard(pl.Callback):
    """Checks loss, membranes and gradients in every step.

    Raises:
        DivergedError: names the layer and the step.
    """

    def __init__(self) -> None:
        self._skipped = 0

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        if trainer.world_size > 1:
            # All ranks see the averaged gradient, and stop together; a rank that stopped alone
            # would leave the others waiting.
            return
        assert isinstance(pl_module, Task)
        assert pl_module.evaluation is not None
        loss = pl_module.evaluation.loss.detach()
        # Not finite at the last step if it was not at any: NaN and inf survive the decay.
        last = pl_module.evaluation.output.last_mem
        sums = [mem.detach().sum(dtype=torch.float32) for mem in last.values()]
        total = sum(sums, loss)
        if math.isfinite(total):  # as nearly always; what it was that is not is looked at then
            return
        finite = torch.isfinite(torch.stack([*sums, loss.float()]))
        if not finite.all():
            self._stop(trainer, pl_module, finite[:-1], list(last))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any
    ) -> None:
        assert isinstance(pl_module, Task)
        norms = pl_module.gradient_norms
        sizes = norms.measure()
        if math.isfinite(sizes.largest.max()):
            self._skipped = 0
            norms.update(sizes)
            return
        finite = torch.isfinite(sizes.largest)
        self._skipped += 1
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            if self._skipped < MAX_SKIPPED:
                return
            self._fail(
                trainer,
                f"the gradients overflow float16 in {MAX_SKIPPED} steps in a row, first in "
                f"{_last_layer(norms.names, finite)}",
            )
        self._fail(trainer, f"the gradient of {_last_layer(norms.names, finite)} is not finite")

    def _stop(self, trainer: pl.Trainer, task: Task, mems_finite: Tensor, names: list[str]) -> None:
        broken = [n for n, fine in zip(names, mems_finite.tolist(), strict=True) if not fine]
        weights = [
            name for name, p in task.network.named_parameters() if not bool(torch.isfinite(p).all())
        ]
        if broken:
            what = f"the membrane potential of {broken[0]} is not finite"
        else:
            what = "the loss is not finite, though the readout's membrane potential is"
        if weights:
            what += f" (nor is {weights[0].removeprefix('layers.')})"
        self._fail(trainer, what)

    def _fail(self, trainer: pl.Trainer, what: str) -> None:
        raise DivergedError(
            f"{what} in step {trainer.global_step} (epoch {trainer.current_epoch + 1}); try a "
            "lower optimizer.lr, trainer.gradient_clip_val=1, or a smaller model.init_gain"
        )


def _last_layer(names: list[str], finite: Tensor) -> str:
    """Where a gradient went wrong: backward comes from the readout, so it is the last layer."""
    bad = [name for name, fine in zip(names, finite.tolist(), strict=True) if not fine]
    layer, _, parameter = bad[-1].removeprefix("layers.").partition(".")
    return f"{layer} ({parameter})"
