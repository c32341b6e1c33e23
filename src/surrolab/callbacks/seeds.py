"""Seeds every epoch by itself, so that a resumed run draws what the first one drew."""

import pytorch_lightning as pl

from surrolab.seeding import seed_all


class Seeds(pl.Callback):
    """Every pass starts from generators seeded by (seed, purpose, epoch, rank)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        seed_all(self.seed, "train", trainer.current_epoch, trainer.global_rank)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        seed_all(self.seed, "validate", trainer.current_epoch, trainer.global_rank)

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        seed_all(self.seed, "test", 0, trainer.global_rank)
