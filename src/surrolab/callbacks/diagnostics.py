"""When the gradient is looked at, and where what is seen goes."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from surrolab.data import Batch, DataModule
from surrolab.diagnostics import (
    Flow,
    Problem,
    gradient_flow,
    measure,
    probe_batch,
    shown_activity,
)
from surrolab.diagnostics.examination import membrane_distributions, relative_window
from surrolab.diagnostics.flow import own_randomness
from surrolab.diagnostics.reading import scalars
from surrolab.files import atomic
from surrolab.probes import MembraneDistribution, SpikeIntervals
from surrolab.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiagnosticsSettings:
    """What is looked at, how often, and on how many samples.

    Args:
        every_epochs: looks are made before the first step, after every so many epochs, and at the
            end of training.
        samples: of the probe batch, the first of the validation set.
        gradients: where the gradient goes, by time and depth.
        activity: distribution of the membrane potential, interspike intervals, and the spikes and
            membranes of some samples.
        shown: number of those samples, the first of the probe batch; 0 shows none.
        synops: synaptic operations per sample, over every validation pass and the test.
        alignment: which way the surrogate gradient points, see :mod:`surrolab.diagnostics`.
        alignment_draws: of the escape-noise references, a multiple of 16; 0 leaves them out.
        alignment_loop: with alignment, the closed-loop test too.
    """

    every_epochs: int
    samples: int
    gradients: bool
    activity: bool
    shown: int
    synops: bool
    alignment: bool
    alignment_draws: int
    alignment_loop: bool

    def __post_init__(self) -> None:
        if self.alignment_draws and (self.alignment_draws % 16 or self.alignment_draws < 32):
            raise ValueError(
                f"alignment_draws: {self.alignment_draws} is not allowed; allowed: 0, or a "
                "multiple of 16 from 32"
            )

    @property
    def looks(self) -> bool:
        """Whether there is anything that needs a probe batch."""
        return self.gradients or self.activity or self.alignment


@dataclass(frozen=True)
class Look:
    """What has been seen at a look.

    Args:
        epoch: how many had ended.
        step: optimizer steps until then.
        arrays: of the diagnostics' record.
        activity: of the activity's record; empty where none is kept.
    """

    epoch: int
    step: int
    arrays: dict[str, Any]
    activity: dict[str, Any]


class Diagnostics(pl.Callback):
    """Looks at a fixed probe batch now and then; on the first process only.

    Every so many epochs the numbers go into the epoch's row of ``metrics.csv`` and to the loggers.
    The look before the first step (epoch 0) and one at the end of another epoch leave a record
    only: a row is an epoch's, and the rows of a run that goes on later are those of one that went
    on at once. ``records/diagnostics-epoch<NNNN>.npz`` holds the numbers, ``metrics`` (names) and
    ``values``, and the arrays ``layers`` (names) and ``gradient_norm`` ``[layers, T]``; ``spiking``
    (names),
    ``membrane_edges`` ``[K + 1]`` and ``membrane_counts`` ``[spiking, K]`` of
    ``(U - theta) / theta``, what lies beyond the edges in the first and the last bin; ``windows``
    ``[spiking]``, the half width of the surrogate's window in the same unit; ``isi_counts``
    ``[spiking, T - 1]``, how many interspike intervals are 1, 2, ... steps long.
    ``activity-epoch<NNNN>.npz`` is what :func:`surrolab.diagnostics.shown_activity` says.

    At the looks after an epoch ``confusion-epoch<NNNN>.npz`` holds ``counts`` of the validation
    over all processes, how often each class (row) was taken for each class (column), and
    ``confusion-test.npz`` those of the test, where the data have classes.

    Args:
        settings: what, and how often.
        records: the folder for the arrays.
    """

    def __init__(self, settings: DiagnosticsSettings, records: Path) -> None:
        self.settings = settings
        self.records = records
        self._batch: Batch | None = None
        self._seen: tuple[int, Flow] | None = None
        self._ended = self._kept = 0  # epochs that have ended, and the one last written down
        self.last: Look | None = None
        self._warned = False

    def look(self, trainer: pl.Trainer, task: Task) -> Flow | None:
        """The flow of the gradient now; None where this is not the first process."""
        if not trainer.is_global_zero or not self.settings.looks:
            return None
        if self._seen is None or self._seen[0] != trainer.global_step:
            self._seen = (trainer.global_step, gradient_flow(task, self.batch(trainer)))
        return self._seen[1]

    def seen_at(self, step: int) -> Flow | None:
        """The flow, where a look has been made after so many steps."""
        return self._seen[1] if self._seen is not None and self._seen[0] == step else None

    def batch(self, trainer: pl.Trainer) -> Batch:
        """The probe batch, on the network's device and in its precision."""
        if self._batch is None:
            data = trainer.datamodule  # type: ignore[attr-defined]
            assert isinstance(data, DataModule)
            batch = trainer.strategy.batch_to_device(probe_batch(data, self.settings.samples))
            self._batch = trainer.precision_plugin.convert_input(batch)
        return self._batch

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        if not trainer.is_global_zero or not self.settings.looks:
            return
        self.batch(trainer)  # before the first pass, whose generators are seeded after this
        if trainer.global_step == 0:
            self._diagnose(trainer, pl_module, 0)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._ended = trainer.current_epoch + 1
        due = self._ended % self.settings.every_epochs == 0
        if due and self.settings.looks and trainer.is_global_zero:
            values = self._diagnose(trainer, pl_module, self._ended)
            for logger in trainer.loggers:
                logger.log_metrics(values, trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)  # by now it has counted, over all processes
        if self._ended == self._kept:
            self._keep_confusion(trainer, pl_module, f"epoch{self._ended:04}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        if self._ended != self._kept and self.settings.looks and trainer.is_global_zero:
            self._diagnose(trainer, pl_module, self._ended)
            self._keep_confusion(trainer, pl_module, f"epoch{self._ended:04}")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self._keep_confusion(trainer, pl_module, "test")

    def _diagnose(self, trainer: pl.Trainer, task: Task, epoch: int) -> dict[str, float]:
        flow = self.look(trainer, task)
        assert flow is not None
        values: dict[str, float] = flow.metrics() if self.settings.gradients else {}
        arrays: dict[str, Any] = {"layers": flow.layers, "gradient_norm": flow.norm_LT.numpy()}
        if self.settings.activity:
            found, distributions = self._activity(task, flow)
            values |= found
            arrays |= distributions
        if self.settings.alignment:
            values |= self._alignment(trainer, task)
        arrays |= {"metrics": list(values), "values": list(values.values())}
        self._kept = epoch
        self._keep(f"diagnostics-epoch{epoch:04}", arrays)
        activity = {}
        if self.settings.activity and self.settings.shown and flow.hidden:
            activity = shown_activity(task, flow, self.settings.shown)
            self._keep(f"activity-epoch{epoch:04}", activity)
        self.last = Look(epoch, trainer.global_step, arrays, activity)
        return values

    def _keep_confusion(self, trainer: pl.Trainer, task: Task, when: str) -> None:
        if trainer.is_global_zero and self.settings.looks and task.confusion is not None:
            self._keep(f"confusion-{when}", {"counts": task.confusion.numpy()})

    def _keep(self, name: str, arrays: dict[str, Any]) -> None:
        """Write a record; a disk that is full costs the records and nothing else."""
        try:
            self.records.mkdir(exist_ok=True)
            with atomic(self.records / f"{name}.npz", "wb") as file:
                np.savez_compressed(file, **arrays)
        except OSError as error:
            if not self._warned:
                self._warned = True
                log.warning("not all records are kept: %s.npz: %s", name, error.strerror)

    def _activity(self, task: Task, flow: Flow) -> tuple[dict[str, float], dict[str, Any]]:
        """Scalars, and arrays, of how the hidden layers fire."""
        values: dict[str, Tensor] = {}
        counts, isi = [], []
        distributions = membrane_distributions(task, flow)
        for name, distribution in distributions.items():
            spk_TBN = flow.hidden[name]
            # This process alone: the others do not look.
            intervals = SpikeIntervals(len(spk_TBN), sync_on_compute=False).to(spk_TBN.device)
            intervals.update(spk_TBN, flow.lengths_B)
            values |= {f"spikes/{name}/{key}": v for key, v in intervals.compute().items()}
            isi.append(intervals.counts.cpu().numpy())
            spread = distribution.compute()
            values |= {f"membrane/{name}/{key}": spread[key] for key in ("mean", "std")}
            counts.append(spread["counts"].numpy())
        if not distributions:
            return {}, {}
        arrays = {
            "spiking": list(distributions),
            "membrane_edges": MembraneDistribution().edges.numpy(),
            "membrane_counts": counts,
            "windows": [relative_window(task, flow, name) for name in distributions],
            "isi_counts": isi,
        }
        return {name: float(v) for name, v in values.items() if torch.isfinite(v)}, arrays

    def _alignment(self, trainer: pl.Trainer, task: Task) -> dict[str, float]:
        with torch.inference_mode(False), torch.enable_grad(), own_randomness(task.device):
            problem = Problem.of(task, self.batch(trainer))
            found = measure(
                problem,
                draws=self.settings.alignment_draws,
                loop=self.settings.alignment_loop,
            )
        return scalars(found)
