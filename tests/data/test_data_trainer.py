"""Under a real Trainer: the order by epoch, and the same order after a resume."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from surrolab.data import Batch, Digits

pytestmark = [
    # How many loader workers Lightning wants depends on the machine's cores.
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:GPU available but not used.*"),
]


class Listener(pl.LightningModule):
    """Writes down the labels it is shown, by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
        self.shown: dict[int, list[int]] = {}
        self.tested = 0

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        assert isinstance(batch, Batch)
        self.shown.setdefault(self.current_epoch, []).extend(batch.y.tolist())
        return torch.nn.functional.cross_entropy(self.layer(batch.x.flatten(1)), batch.y)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.layer(batch.x.flatten(1))

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self.tested += len(batch.y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(folder: Path, epochs: int) -> pl.Trainer:
    return pl.Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[ModelCheckpoint(folder, save_last=True, save_top_k=0)],
    )


def data() -> Digits:
    module = Digits(batch_size=200)
    module.seed = 11
    return module


def test_order_changes_by_epoch_and_survives_a_resume(tmp_path: Path) -> None:
    through, first, second = Listener(), Listener(), Listener()
    trainer(tmp_path / "through", 3).fit(through, data())
    trainer(tmp_path / "resumed", 1).fit(first, data())
    last = tmp_path / "resumed" / "last.ckpt"
    trainer(tmp_path / "resumed", 3).fit(second, data(), ckpt_path=str(last))

    assert list(through.shown) == [0, 1, 2]
    assert all(len(labels) == 1258 for labels in through.shown.values())
    assert len({tuple(labels) for labels in through.shown.values()}) == 3
    assert {**first.shown, **second.shown} == through.shown
    assert list(second.shown) == [1, 2]


def test_test_loader_shows_every_sample_once(tmp_path: Path) -> None:
    model, module = Listener(), data()
    trainer(tmp_path, 1).test(model, module, verbose=False)
    assert model.tested == module.split_sizes["test"]
