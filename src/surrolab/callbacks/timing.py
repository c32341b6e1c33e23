"""How long an epoch takes, how many samples a second, and how much memory."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from surrolab.task import Task

_MIB = 2**20


class Timing(pl.Callback):
    """Logs time and memory with the epoch's other metrics, on the first process.

    - ``time/epoch_s``: seconds of training and validation, without looks and checkpoints, but in
      the first epoch with W&B's pictures of the look before training;
    - ``time/samples_per_s``: training samples of all processes over the time of the training part;
    - ``system/memory_mib``: the most that a process has; on CUDA the peak of its device's memory
      since training began, elsewhere its resident memory now;
    - ``system/rank<k>/memory_mib``: the same of each process, where there are several.

    They go to the loggers alone: what the callbacks and the checkpoints see of an epoch is the same
    in a run that is repeated. It should come first, so that it does not count what others do.
    """

    def __init__(self) -> None:
        self._began = self._trained = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = self._now(pl_module.device)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trained = self._now(pl_module.device)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        now, device = self._now(pl_module.device), pl_module.device
        # Those whose loss has been counted: each once, however uneven the batches.
        samples = float(pl_module.train_metrics.loss.count)
        memory = memory_mib(device)
        if trainer.world_size > 1:
            # Not every device has float64; whole numbers are exact to 2**24.
            table = torch.zeros(trainer.world_size, 2, dtype=torch.float32, device=device)
            table[trainer.global_rank] = torch.tensor([samples, memory])
            ranks = trainer.strategy.reduce(table, reduce_op="sum").tolist()
        else:
            ranks = [[samples, memory]]
        if not trainer.is_global_zero:
            return
        values: dict[str, Any] = {
            "time/epoch_s": now - self._began,
            "time/samples_per_s": sum(row[0] for row in ranks) / (self._trained - self._began),
            "system/memory_mib": max(row[1] for row in ranks),
        }
        if len(ranks) > 1:
            values |= {f"system/rank{k}/memory_mib": row[1] for k, row in enumerate(ranks)}
        for logger in trainer.loggers:
            logger.log_metrics(values, trainer.global_step)

    @staticmethod
    def _now(device: torch.device) -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # once an epoch: what was asked for is done by then
        return time.perf_counter()


def memory_mib(device: torch.device) -> float:
    """Peak memory of a CUDA device, else the resident memory of this process, in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        return resident * os.sysconf("SC_PAGE_SIZE") / _MIB
    except (OSError, ValueError):  # no Linux: the most there was
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (_MIB if sys.platform == "darwin" else 1024)
