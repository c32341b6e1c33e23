"""The test after every epoch, for the figure that many papers print."""

import itertools
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn

from surrolab.seeding import torch_seed
from surrolab.stages import StageMetrics
from surrolab.task import Task

BEST = {"accuracy": "test/accuracy_max_over_epochs", "mse": "test/mse_min_over_epochs"}


class EpochTests(pl.Callback):
    """Tests every epoch, and keeps the best of the figures beside that of the chosen epoch.

    The best over epochs is chosen on the test itself, and so is no estimate of what the network
    does on new data: it is for comparison with papers that report it. Nothing else depends on it;
    ``test/accuracy`` stays that of the epoch chosen on validation, with the same random numbers.

    Args:
        seed: of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.best: dict[str, float] = {}

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        if trainer.state.fn != TrainerFn.FITTING:
            return
        name, values = pl_module.test_metrics.score_name, self._test(trainer, pl_module)
        best = self.best.get(BEST[name], values[name])
        choose = max if name == "accuracy" else min
        self.best = {BEST[name]: choose(best, values[name])}
        for logger in trainer.loggers:
            logger.log_metrics(
                {f"test_by_epoch/{key}": value for key, value in values.items()},
                trainer.global_step,
            )

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = dict(state_dict["best"])

    def _test(self, trainer: pl.Trainer, task: Task) -> dict[str, float]:
        """Loss, and accuracy or squared error, over the test samples of all processes."""
        labelled = task.test_metrics.score_name == "accuracy"
        metrics = StageMetrics(task.network, labelled).to(task.device)
        accelerators = [task.device] if task.device.type == "cuda" else []
        loader = trainer.datamodule.test_dataloader()  # type: ignore[attr-defined]
        most = trainer.limit_test_batches
        few = int(most * len(loader)) if isinstance(most, float) else most
        plugin = trainer.precision_plugin
        with torch.random.fork_rng(accelerators), plugin.val_step_context():
            torch.manual_seed(torch_seed(self.seed, "test", 0, trainer.global_rank))
            for batch in itertools.islice(loader, few):
                on_device = plugin.convert_input(trainer.strategy.batch_to_device(batch))
                metrics.update(task.evaluate(on_device), on_device.y, task.network)
        values = metrics.compute("test", task.network)
        return {key: float(values[f"test/{key}"]) for key in ("loss", metrics.score_name)}
