"""Networks after some epochs, and what of them lies near the threshold."""

import copy
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch

from surrolab.composition import compose_run
from surrolab.data import Batch
from surrolab.neurons import SpikingLayer
from surrolab.run.build import Parts, build_parts
from surrolab.run.reporting import quiet_lightning
from surrolab.seeding import seed_all
from surrolab.surrogates import Surrogate
from surrolab.task import Task


def build_network(words: list[str], seed: int) -> Parts:
    """Data and network as ``surrolab train`` with these words would have them, untrained.

    Raises:
        UserError: words that ``surrolab train`` refuses.
    """
    parts = build_parts(compose_run([*words, f"seed={seed}"], "measurement").config)
    parts.data.setup()
    return parts


class _EachEpoch(pl.Callback):
    def __init__(self, look: Callable[[], None]) -> None:
        self.look = look

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.look()


def train(parts: Parts, epochs: int, seed: int, look: Callable[[], None] | None = None) -> float:
    """Fit for some epochs on the CPU; the accuracy on validation samples after the last.

    Args:
        parts: of the run.
        epochs: how many; 0 only validates.
        seed: of what is random in training.
        look: called after every epoch.
    """
    quiet_lightning()
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    callbacks: list[pl.Callback] = [] if look is None else [_EachEpoch(look)]
    trainer = pl.Trainer(max_epochs=epochs, callbacks=callbacks, **settings)
    seed_all(seed, "train")
    if epochs:
        trainer.fit(parts.task, datamodule=parts.data)
    else:
        trainer.validate(parts.task, datamodule=parts.data, verbose=False)
    return float(trainer.callback_metrics["val/accuracy"])


def first_batch(parts: Parts) -> Batch:
    """The first samples for validation, as many as a batch has."""
    batch: Batch = next(iter(parts.data.val_dataloader()))
    return batch


@torch.no_grad()
def share_near_threshold(parts: Parts, batch: Batch, cutoff: float) -> dict[str, float]:
    """By layer, the share of neuron-steps with ``|U - threshold| < cutoff``.

    Those in which a surrogate that is cut off there has a derivative. Steps beyond a sample's
    length do not count.
    """
    output = parts.task.evaluate(batch, record=True)
    valid_TB = torch.arange(len(output.output.y))[:, None] < output.lengths
    found = {}
    for name, record in output.output.records.items():
        if name == "readout":
            continue
        distance_TBN = (record.membrane - record.threshold).abs()
        found[name] = float((distance_TBN[valid_TB] < cutoff).double().mean())
    return found


def with_surrogate(task: Task, surrogate: Surrogate) -> Task:
    """A copy whose spiking layers have another surrogate each, and the same weights."""
    copied = copy.deepcopy(task)
    for _, layer in copied.network.named_layers():
        if isinstance(layer.neurons, SpikingLayer):
            layer.neurons.neuron.spike_grad = copy.deepcopy(surrogate)
    return copied
