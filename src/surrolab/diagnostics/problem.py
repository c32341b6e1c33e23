"""A network, its loss and a few samples, held fixed so that gradients can be compared."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from surrolab.data import Batch
from surrolab.models import Network, NetworkOutput
from surrolab.neurons import SpikingLayer
from surrolab.objectives import Objective
from surrolab.task import Task, judge

Fire = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """The loss of a network on a probe batch, as a function of its parameters alone.

    The network is a copy in float64 and in evaluation mode (no dropout, normalisation by running
    statistics), the input is encoded once, and activity regularisation is left out: it is no mean
    over samples.

    Args:
        network: the copy.
        objective: without activity regularisation.
        x_TBF: encoded input.
        target: what the objective asks for.
        lengths_B: valid steps of each sample.
        classes: number of outputs.
    """

    network: Network
    objective: Objective
    x_TBF: Tensor
    target: Tensor
    lengths_B: Tensor
    classes: int

    @classmethod
    def of(cls, task: Task, batch: Batch, dtype: torch.dtype = torch.float64) -> "Problem":
        """The problem that a training step would see, for a batch on the network's device."""
        network = copy.deepcopy(task.network).to(dtype).eval()
        objective = copy.deepcopy(task.objective)
        objective.lower_strength = objective.upper_strength = 0.0
        with torch.no_grad():
            x_TBF, lengths_B = task.encoder(batch.x, batch.lengths, is_sequence=task.is_sequence)
        target = batch.y.to(dtype) if batch.y.is_floating_point() else batch.y
        return cls(network, objective, x_TBF.to(dtype), target, lengths_B, task.classes)

    @property
    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """What is trained, by name: ``layers.hidden1.synapse.weight`` and so on."""
        return {name: p for name, p in self.network.named_parameters() if p.requires_grad}

    def spiking(self) -> Iterator[tuple[str, SpikingLayer]]:
        """The layers that fire, by name; the readout only where it does."""
        for name, layer in self.network.named_layers():
            if isinstance(layer.neurons, SpikingLayer):
                yield name, layer.neurons

    @contextlib.contextmanager
    def firing(self, fire: Mapping[str, Fire]) -> Iterator[None]:
        """Put something in the place of the hard step, in the layers named."""
        layers = dict(self.spiking())
        for name, step in fire.items():
            layers[name].fire = step
        try:
            yield
        finally:
            for name in fire:
                layers[name].fire = None

    def run(self) -> NetworkOutput:
        """A forward pass."""
        output: NetworkOutput = self.network(self.x_TBF)
        return output

    def loss(self, output: NetworkOutput | None = None) -> Tensor:
        """The mean loss over the samples."""
        y_TBC = (self.run() if output is None else output).y
        return judge(self.objective, y_TBC, self.target, self.lengths_B, {}, self.classes).loss

    def gradient(self) -> dict[str, Tensor]:
        """dL/dp as backpropagation gives it, zero where nothing arrives.

        Without anything in the place of the step that is the surrogate gradient.
        """
        parameters = self.parameters
        found = torch.autograd.grad(self.loss(), list(parameters.values()), allow_unused=True)
        return {
            name: torch.zeros_like(p) if grad is None else grad
            for (name, p), grad in zip(parameters.items(), found, strict=True)
        }
