"""A network, its loss and a few samples, held fixed so that gradients can be compared."""

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

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
    statistics, delays in whole steps), the input is encoded once, and activity regularisation is
    left out: it is no mean over samples.

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
        network.truncate_steps = None
        for _, layer in network.named_layers():
            layer.neurons.overwrite_membrane = False  # there may be several backward passes
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
    def firing(self, fire: Mapping[str, Fire], detach_reset: bool | None = None) -> Iterator[None]:
        """Put something in the place of the hard step, in the layers named.

        ``detach_reset`` says for all spiking layers whether the gradient through the reset is cut;
        each layer's own setting unless given.
        """
        layers = dict(self.spiking())
        before = {name: (layer.fire, layer.detach_reset) for name, layer in layers.items()}
        try:
            for name, step in fire.items():
                layers[name].fire = step
            for layer in layers.values():
                layer.detach_reset = layer.detach_reset if detach_reset is None else detach_reset
            yield
        finally:
            for name, layer in layers.items():
                layer.fire, layer.detach_reset = before[name]

    def run(self) -> NetworkOutput:
        """A forward pass."""
        output: NetworkOutput = self.network(self.x_TBF)
        return output

    def loss(self, output: NetworkOutput | None = None) -> Tensor:
        """The mean loss over the samples."""
        y_TBC = (self.run() if output is None else output).y
        return judge(self.objective, y_TBC, self.target, self.lengths_B, {}, self.classes).loss

    def sample_losses(self, output: NetworkOutput | None = None) -> Tensor:
        """The loss of each sample by itself, ``[B]``; :meth:`loss` is their mean."""
        y_TBC = (self.run() if output is None else output).y
        axis = self._batch_axis
        found, order = [], []
        for length in torch.unique(self.lengths_B):
            samples = (self.lengths_B == length).nonzero().flatten()
            loss = functools.partial(self._one_loss, length_1=length[None], axis=axis)
            targets = self.target.index_select(axis, samples)
            found.append(torch.vmap(loss, in_dims=(1, axis))(y_TBC[:, samples], targets))
            order.append(samples)
        return torch.cat(found)[torch.cat(order).argsort()]

    @property
    def _batch_axis(self) -> int:
        # Targets of single steps have time before the batch; those that are values, classes after.
        values = self.objective.task == "regression" and self.target.is_floating_point()
        return self.target.ndim - (2 if values else 1)

    def _one_loss(self, y_TC: Tensor, target: Tensor, length_1: Tensor, axis: int) -> Tensor:
        one = target.unsqueeze(axis)
        return judge(self.objective, y_TC[:, None], one, length_1, {}, self.classes).loss

    def repeated(self, times: int) -> "Problem":
        """The same network on the batch repeated: sample ``b`` again at ``d * B + b``."""
        return replace(
            self,
            x_TBF=_tile(self.x_TBF, 1, times),
            target=_tile(self.target, self._batch_axis, times),
            lengths_B=self.lengths_B.repeat(times),
        )

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


def _tile(values: Tensor, axis: int, times: int) -> Tensor:
    if axis == 1 and values.stride(0) == 0:
        # The same in all steps: that stays visible, and the first synapse is computed once.
        return torch.cat([values[:1]] * times, 1).expand(len(values), *[-1] * (values.ndim - 1))
    return torch.cat([values] * times, axis)
