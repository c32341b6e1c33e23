"""What is measured over one pass of training, validation or test."""

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from surrolab.models import Network, NetworkOutput
from surrolab.probes import (
    Accuracy,
    Confusion,
    Mean,
    SpikeStatistics,
    SynapticOperations,
    static_metrics,
)
from surrolab.targets import UNASKED


class Evaluation(NamedTuple):
    """What a batch gave: loss, prediction, the network's output and input, and the lengths."""

    loss: Tensor
    prediction: Tensor
    output: NetworkOutput
    lengths: Tensor
    x: Tensor


class StageMetrics(nn.Module):
    """Loss, accuracy (or squared and absolute error) and spike statistics over a stage's pass.

    With ``synops`` also synaptic operations; the network is in evaluation mode then. With
    ``classes``, of labelled data, also which class is taken for which.
    """

    def __init__(
        self, network: Network, labelled: bool, synops: bool = False, classes: int | None = None
    ) -> None:
        super().__init__()
        self.loss = Mean()
        self.score: Metric = Accuracy() if labelled else Mean()
        self.score_name = "accuracy" if labelled else "mse"
        self.absolute = None if labelled else Mean()
        self.spikes = nn.ModuleDict(
            {name: SpikeStatistics(layer.shape) for name, layer in network.hidden_layers()}
        )
        self.synops = SynapticOperations(network) if synops else None
        self.confusion = None if classes is None or not labelled else Confusion(classes)

    def update(self, evaluation: Evaluation, target: Tensor, network: Network) -> None:
        """Take a batch into account; steps beyond a sample's length do not count."""
        loss, prediction, output, lengths, x_TBF = evaluation
        self.loss.update(loss, weight=len(lengths))
        if prediction.ndim > 1:  # a prediction for each step
            steps = torch.arange(len(prediction), device=prediction.device)
            valid = steps[:, None] < lengths
            target = target.expand_as(prediction) if target.ndim < prediction.ndim else target
            if not target.is_floating_point():
                valid = valid & (target != UNASKED)
            prediction, target = prediction[valid], target[valid]
        if self.score_name == "accuracy":
            self.score.update(prediction, target)
            if self.confusion is not None:
                self.confusion.update(prediction, target)
        elif self.absolute is not None:
            error = prediction - target
            self.score.update(error.square())
            self.absolute.update(error.abs())
        for name, statistics in self._statistics():
            if name in output.counts:  # the spikes themselves are not kept
                statistics.update(output.counts[name], lengths, counted=True)
            else:
                statistics.update(output.hidden[name], lengths)
        if self.synops is not None:
            spikes = {name: statistics.batch_count for name, statistics in self._statistics()}
            self.synops.update(network, x_TBF, output, lengths, spikes)

    def compute(self, stage: str, network: Network) -> dict[str, Tensor]:
        """Everything by its contract name; the spikes of validation carry no stage."""
        metrics = {f"{stage}/loss": self.loss.compute()}
        metrics[f"{stage}/{self.score_name}"] = self.score.compute()
        if self.absolute is not None:
            metrics[f"{stage}/mae"] = self.absolute.compute()
        prefix = "" if stage == "val" else f"{stage}/"
        rates = []
        for name, statistics in self._statistics():
            values = statistics.compute()
            rates.append(values["rate"])
            metrics |= {f"{prefix}spikes/{name}/{key}": value for key, value in values.items()}
        if rates:
            metrics[f"{prefix}spikes/mean_rate"] = torch.stack(rates).mean()
        if self.synops is not None:
            values = self.synops.compute() | static_metrics(network)
            metrics |= {f"{prefix}synops/{key}": value for key, value in values.items()}
        return metrics

    def reset(self) -> None:
        """Start a new pass."""
        for metric in (self.loss, self.score, *(metric for _, metric in self._statistics())):
            metric.reset()
        for more in (self.synops, self.confusion, self.absolute):
            if more is not None:
                more.reset()

    def _statistics(self) -> Iterator[tuple[str, SpikeStatistics]]:
        for name, metric in self.spikes.items():
            yield name, cast(SpikeStatistics, metric)
