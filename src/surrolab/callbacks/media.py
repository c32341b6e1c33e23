"""What W&B gets of a run beside the numbers in ``metrics.csv``."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch

from surrolab.callbacks.diagnostics import Diagnostics, Look
from surrolab.surrogates import Surrogate
from surrolab.task import Task
from surrolab.tracking import WandbRun

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_CLASSES = 40
"""Of more classes there is the picture of the confusion matrix alone, and no chart."""


class Media(pl.Callback):
    """Sends pictures and histograms of each look to W&B, where it is on and wants them.

    - ``activity/<layer>``: spikes and membrane potentials of some samples;
    - ``histograms/membrane/<layer>``: ``(U - theta) / theta``, the ends holding what lies beyond;
    - ``confusion/val`` and ``confusion/test``: which class is taken for which, and at the end the
      same as a chart with its table, ``.._chart``;
    - ``surrogate``: the surrogates' derivatives, when slope or scale are not what they were.

    Those of the look before the first step wait for the end of the first epoch, which begins the
    sooner. With every epoch's row W&B also gets ``surrogate/<layer>/slope`` and ``scale`` of what
    is constant: in its charts such runs lie beside others, in which they move.

    Args:
        diagnostics: makes the looks, and comes before this in every hook.
    """

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._sent: Look | None = None
        self._drawn: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._drawn = surrogate_values(pl_module)  # of which the run has a picture

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._send_look(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        for run in _runs(trainer):
            run.log_metrics(surrogate_values(pl_module), trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._send_look(trainer, pl_module, "val")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._send_look(trainer, pl_module, "val")
        self._send_chart(trainer, pl_module, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._send_chart(trainer, pl_module, "test")

    def _send_chart(self, trainer: pl.Trainer, task: Task, stage: str) -> None:
        """Once a stage, with the picture where no look has sent it."""
        if task.confusion is None or not self._diagnostics.settings.looks:
            return
        counts = task.confusion.numpy()

        def media() -> dict[str, Any]:
            picture = confusion_picture(stage, counts) if stage == "test" else {}
            return picture | confusion_chart(stage, counts)

        for run in _runs(trainer):
            if run.media:
                run.log_media(media, trainer.global_step)

    def _send_look(self, trainer: pl.Trainer, task: Task, stage: str | None = None) -> None:
        look = self._diagnostics.last
        if look is None or look is self._sent:
            return
        self._sent = look
        values = surrogate_values(task)
        moved, self._drawn = values != self._drawn, values

        def media() -> dict[str, Any]:
            found = look_media(look)
            if stage is not None and task.confusion is not None:
                found |= confusion_picture(stage, task.confusion.numpy())
            if moved:
                found |= surrogate_media(task)
            return found

        for run in _runs(trainer):
            if run.media:
                run.log_media(media, look.step)


def surrogate_values(task: Task) -> dict[str, float]:
    """Slope and scale of every layer that has them, the mean where there is one per neuron."""
    found = {}
    for name, surrogate in _surrogates(task):
        for key in ("slope", "scale"):
            if surrogate.has(key):
                value = torch.as_tensor(getattr(surrogate, key)).detach().double()
                found[f"surrogate/{name}/{key}"] = value.mean().item()
    return found


def look_media(look: Look) -> dict[str, Any]:
    """Pictures and histograms of a look."""
    import wandb

    from surrolab.pictures.raster import draw_raster

    media: dict[str, Any] = {}
    for number, name in enumerate(look.activity.get("layers", [])):
        media[f"activity/{name}"] = picture(draw_raster(look.activity, number))
    for name, counts in zip(
        look.arrays.get("spiking", []), look.arrays.get("membrane_counts", []), strict=True
    ):
        histogram = counts, look.arrays["membrane_edges"]
        media[f"histograms/membrane/{name}"] = wandb.Histogram(np_histogram=histogram)
    return media


def confusion_picture(stage: str, counts: np.ndarray) -> dict[str, Any]:
    """The confusion matrix drawn."""
    from surrolab.pictures.confusion import draw_confusion

    return {f"confusion/{stage}": picture(draw_confusion(counts))}


def confusion_chart(stage: str, counts: np.ndarray) -> dict[str, Any]:
    """The confusion matrix as a chart of W&B's, with its table."""
    import wandb

    if len(counts) > MOST_CLASSES:
        return {}
    columns: list[str | int] = ["Actual", "Predicted", "nPredictions"]
    rows = [[str(i), str(j), int(n)] for (i, j), n in np.ndenumerate(counts)]
    chart = wandb.plot_table(
        "wandb/confusion_matrix/v1",
        wandb.Table(columns=columns, data=rows),
        {str(column): str(column) for column in columns},
        {"title": f"confusion matrix, {stage}"},
    )
    return {f"confusion/{stage}_chart": chart}


def picture(image: "Image") -> Any:
    """W&B's, written as PNG three times as fast as by itself, and somewhat larger."""
    import wandb

    # W&B calls this, and has no option for how it packs.
    image.save = partial(image.save, compress_level=1)  # type: ignore[method-assign]
    return wandb.Image(image)


def surrogate_media(task: Task) -> dict[str, Any]:
    """The surrogates' derivatives as they are now."""
    import wandb

    from surrolab.pictures.derivatives import draw_derivatives

    return {"surrogate": wandb.Image(draw_derivatives(dict(_surrogates(task))))}


def _surrogates(task: Task) -> Iterator[tuple[str, Surrogate]]:
    for name, layer in task.network.named_layers():
        surrogate = getattr(layer.neurons, "surrogate", None)
        if isinstance(surrogate, Surrogate):
            yield name, surrogate


def _runs(trainer: pl.Trainer) -> list[WandbRun]:
    return [logger for logger in trainer.loggers if isinstance(logger, WandbRun)]
