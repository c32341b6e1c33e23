"""The LightningModule: a step, its metrics, and the optimizer."""

from collections.abc import Mapping
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.utils.data import DataLoader

from surrolab.data import Batch, IndexBatches
from surrolab.errors import DivergedError
from surrolab.models import Network
from surrolab.objectives import Objective, ObjectiveOutput
from surrolab.optimization import OptimizerFactory
from surrolab.probes import GradientNorms, WindowFraction
from surrolab.stages import Evaluation, StageMetrics


class Task(pl.LightningModule):
    """Encode, run the network, reduce over time, measure.

    ``labelled`` data have classes as their targets and are scored by accuracy, others by squared
    error. ``synops`` counts the synaptic operations of validation and test. ``confusion`` holds
    which class was taken for which in the last whole pass over them, of labelled data.

    All metrics of an epoch, those of training included, are logged at the end of its validation:
    that is when the checkpoint is written, and a resumed run goes on right behind it.
    """

    def __init__(
        self,
        network: Network,
        encoder: nn.Module,
        objective: Objective,
        optimizer: OptimizerFactory,
        classes: int,
        is_sequence: bool,
        labelled: bool = True,
        synops: bool = True,
    ) -> None:
        super().__init__()
        self.network = network
        self.encoder = encoder
        self.objective = objective
        self.optimizer_factory = optimizer
        self.is_sequence = is_sequence
        self.classes = classes
        self.train_metrics = StageMetrics(network, labelled)
        self.val_metrics = StageMetrics(network, labelled, synops, classes)
        self.test_metrics = StageMetrics(network, labelled, synops, classes)
        self.confusion: Tensor | None = None
        self.window = nn.ModuleDict(
            {
                name: WindowFraction()
                for name, layer in network.hidden_layers()
                if hasattr(layer.neurons.surrogate, "window")
            }
        )
        self.gradient_norms = GradientNorms(network)
        self.evaluation: Evaluation | None = None

    def evaluate(self, batch: Batch, record: bool = False) -> Evaluation:
        """Loss and prediction for a batch."""
        x_TBF, lengths = self.encoder(batch.x, batch.lengths, is_sequence=self.is_sequence)
        output = self.network(x_TBF, record=record, lengths_B=lengths)
        loss, prediction = judge(
            self.objective, output.y, batch.y, lengths, output.hidden, self.classes, output.counts
        )
        return Evaluation(loss, prediction, output, lengths, x_TBF)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        evaluation = self.evaluate(batch)
        self.evaluation = evaluation
        loss = evaluation.loss
        if self.trainer.world_size > 1:
            # DDP takes the mean of the ranks' gradients, and their last batches may be uneven.
            loss = loss * self._batches().weight(batch_idx)
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if (self.global_step + 1) % every == 0:
            mean = self.trainer.strategy.reduce(loss.detach(), reduce_op="mean")
            self._to_loggers({"train/loss_step": mean}, self.global_step + 1)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        # Only now: a step whose numbers are not finite has ended the run before it counts.
        assert self.evaluation is not None
        self.train_metrics.update(self.evaluation, batch.y, self.network)
        self.evaluation = None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        evaluation = self.evaluate(batch, record=batch_idx == 0)
        self.val_metrics.update(evaluation, batch.y, self.network)
        for name, layer in self.network.hidden_layers():
            if name in self.window and name in evaluation.output.records:
                record = evaluation.output.records[name]
                cast(WindowFraction, self.window[name]).update(
                    record.membrane,
                    record.threshold,
                    layer.neurons.surrogate.window,
                    evaluation.lengths,
                )

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        record = batch_idx == 0 and self.test_metrics.synops is not None
        evaluation = self.evaluate(batch, record)
        self.test_metrics.update(evaluation, batch.y, self.network)

    def on_train_epoch_start(self) -> None:
        self.gradient_norms.reset()
        self.train_metrics.reset()

    def on_validation_epoch_end(self) -> None:
        training = self.trainer.state.fn == TrainerFn.FITTING
        metrics = self.train_metrics.compute("train", self.network) if training else {}
        metrics |= self.val_metrics.compute("val", self.network)
        norms = self.gradient_norms.mean()
        for name in self.network.layers:
            norm = norms.get(f"layers.{name}.synapse.weight")
            if norm is not None:
                metrics[f"gradients/{name}/norm"] = torch.tensor(norm, device=self.device)
        for name, module in self.window.items():
            window = cast(WindowFraction, module)
            metrics[f"gradients/{name}/window_fraction"] = window.compute()
            window.reset()
        self.confusion = self._confused(self.val_metrics)
        self.val_metrics.reset()
        if training:
            self._check(metrics["val/loss"], "validation")
        self._publish(metrics)
        self._to_loggers({"epoch": self.current_epoch, **metrics}, self.global_step)

    def on_test_epoch_end(self) -> None:
        metrics = self.test_metrics.compute("test", self.network)
        self.confusion = self._confused(self.test_metrics)
        self.test_metrics.reset()
        self._check(metrics["test/loss"], "test")
        self._publish(metrics)

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        epochs = self.trainer.max_epochs or 1
        optimizer, schedule = self.optimizer_factory.build(self.network, steps, steps / epochs)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def optimizer_zero_grad(
        self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer
    ) -> None:
        """The same as the optimizer's own, without its profiling."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Short for the name of the running hook, which Lightning sets some sixty times a step."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _batches(self) -> IndexBatches:
        loader = self.trainer.train_dataloader
        assert isinstance(loader, DataLoader)
        assert isinstance(loader.sampler, IndexBatches)
        return loader.sampler

    @staticmethod
    def _confused(metrics: StageMetrics) -> Tensor | None:
        if metrics.confusion is None:
            return None
        counts: Tensor = metrics.confusion.compute()
        return counts

    def _check(self, loss: Tensor, stage: str) -> None:
        """Stop all ranks together: the loss is that of all of them."""
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the {stage} loss is not finite after step {self.global_step} (epoch "
                f"{self.current_epoch + 1}); try a lower optimizer.lr or "
                "trainer.gradient_clip_val=1"
            )

    def _publish(self, metrics: dict[str, Tensor]) -> None:
        """Make the metrics known to callbacks and the progress bar; already over all ranks."""
        values = {name: value.float().to(self.device) for name, value in metrics.items()}
        on_bar = {name: value for name, value in values.items() if name in ON_BAR}
        self.log_dict(on_bar, prog_bar=True, logger=False, sync_dist=True)
        # Lightning takes a third of a millisecond for each, and asks all ranks once more.
        self.trainer.callback_metrics.update(values)

    def _to_loggers(self, metrics: dict[str, Any], step: int) -> None:
        values = {
            name: value.item() if isinstance(value, Tensor) else value
            for name, value in metrics.items()
        }
        for logger in self.loggers:
            logger.log_metrics(values, step)


def judge(
    objective: Objective,
    y_TBC: Tensor,
    target: Tensor,
    lengths_B: Tensor,
    hidden: Mapping[str, Tensor],
    classes: int,
    counts: Mapping[str, Tensor] | None = None,
) -> ObjectiveOutput:
    """Loss and prediction; labels of a regression are its one-hot targets."""
    if objective.task == "classification" or target.is_floating_point():
        judged: ObjectiveOutput = objective(y_TBC, target, lengths_B, hidden, counts)
        return judged
    one_hot = nn.functional.one_hot(target, classes).to(y_TBC.dtype)
    loss, values = objective(y_TBC, one_hot, lengths_B, hidden, counts)
    # The largest mean output is the prediction.
    return ObjectiveOutput(loss, masked_mean(values, lengths_B).argmax(-1))


def masked_mean(values_TBC: Tensor, lengths_B: Tensor) -> Tensor:
    """Mean over each sample's own steps: ``[B, C]``."""
    valid_TB = torch.arange(len(values_TBC), device=values_TBC.device)[:, None] < lengths_B
    return (values_TBC * valid_TB[..., None]).sum(0) / lengths_B[:, None]


ON_BAR = ("train/loss", "val/accuracy", "val/mse", "spikes/mean_rate", "test/accuracy")
