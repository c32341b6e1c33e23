"""The callbacks of a run, as the configuration describes them."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from surrolab.callbacks.checkpoints import Checkpoints
from surrolab.callbacks.delays import Delays
from surrolab.callbacks.diagnostics import Diagnostics
from surrolab.callbacks.epoch_tests import EpochTests
from surrolab.callbacks.finite import FiniteGuard
from surrolab.callbacks.health import Health
from surrolab.callbacks.media import Media
from surrolab.callbacks.progress import EpochLines, ProgressBar
from surrolab.callbacks.seeds import Seeds
from surrolab.callbacks.slopes import Slopes
from surrolab.callbacks.timing import Timing


@dataclass(frozen=True)
class StandardCallbacks:
    """What every run has, and what can be switched.

    Args:
        progress: show a progress bar where the output is a terminal.
        health: report silent layers and gradients that are zero.
        early_stopping_patience: epochs without improvement on validation before the run stops;
            None never stops it.
        early_stopping_min_delta: what counts as an improvement.
        test_every_epoch: test after every epoch too, for the best figure over epochs.
    """

    progress: bool
    health: bool
    early_stopping_patience: int | None
    early_stopping_min_delta: float
    test_every_epoch: bool

    def build(
        self,
        seed: int,
        best: Path,
        last: Path,
        labelled: bool,
        slopes: Slopes | None = None,
        diagnostics: Diagnostics | None = None,
        health: Health | None = None,
        delays: Delays | None = None,
    ) -> list[pl.Callback]:
        """The callbacks, in the order in which they run; checkpoints hold the state of all.

        ``best`` and ``last`` are the checkpoints' files; ``labelled`` data have an accuracy;
        ``slopes`` moves the surrogates, where they are not constant; ``diagnostics`` looks at the
        gradient, and ``health`` says what is wrong, where that is not switched off; ``delays``
        narrows the kernels of delays, where some are learned.
        """
        callbacks: list[pl.Callback] = [Timing(), Seeds(seed), FiniteGuard(), EpochLines()]
        if slopes is not None:
            callbacks.append(slopes)
        if delays is not None and delays.any:
            callbacks.append(delays)
        if diagnostics is not None:
            callbacks += [diagnostics, Media(diagnostics)]
        if self.health:
            callbacks.append(Health() if health is None else health)
        if self.test_every_epoch:
            callbacks.append(EpochTests(seed))
        if self.early_stopping_patience is not None:
            callbacks.append(
                EarlyStopping(
                    monitor="val/accuracy" if labelled else "val/mse",
                    mode="max" if labelled else "min",
                    patience=self.early_stopping_patience,
                    min_delta=self.early_stopping_min_delta,
                    check_on_train_epoch_end=False,
                    check_finite=False,
                )
            )
        if self.progress and sys.stdout.isatty():
            callbacks.append(ProgressBar())
        callbacks.append(Checkpoints(best, last))
        return callbacks
