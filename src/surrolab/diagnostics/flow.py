"""Where the gradient goes: by time, by depth, and whether it arrives."""

import contextlib
import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surrolab.data import Batch
from surrolab.models import Network
from surrolab.neurons import SpikingLayer
from surrolab.task import Task, judge

# Steps that have a gradient, for a growth rate to mean anything.
ENOUGH_STEPS = 5


@dataclass(frozen=True)
class Flow:
    """One forward and backward pass of a probe batch, as training would make it.

    Attributes:
        layers: names, from the input side to the readout.
        norm_LT: norm of dL/dU over samples and neurons, ``[layers, T]``, float64; L is the mean
            loss over the samples.
        nonzero: share of each layer's synaptic weights (recurrent ones included) that have a
            gradient other than zero.
        largest: largest absolute element of it.
        reached: share of each layer's neurons that have any dL/dU other than zero.
        membrane: ``mem_TBN`` of each layer.
        threshold: what it has to exceed for a spike, which broadcasts over it.
        hidden: ``spk_TBN`` of each hidden layer.
        lengths_B: valid steps of each sample.
        target: of each sample, as the data have it.
        prediction: what the network says of each sample, or of each of its steps, ``[T, B, ...]``.
    """

    layers: list[str]
    norm_LT: Tensor
    nonzero: dict[str, float]
    largest: dict[str, float]
    reached: dict[str, float]
    membrane: dict[str, Tensor]
    threshold: dict[str, Tensor]
    hidden: dict[str, Tensor]
    lengths_B: Tensor
    target: Tensor
    prediction: Tensor

    def growth_per_step(self) -> dict[str, float]:
        """Factor by which the norm of dL/dU changes per step back in time, by layer.

        ``exp`` of minus the slope of a straight line through ``log norm`` over time, by least
        squares; above 1 the gradient explodes, below 1 it vanishes. The norm is taken per valid
        sample (divided by the root of their number in the step), steps in which it is zero or not
        finite are left out, and so is a layer with fewer than 5 steps left. Where the loss looks at
        several steps, what it injects in each is part of it: a gradient that is handed on
        unchanged then grows in proportion to the steps behind it, a factor near 1, and one that
        vanishes on its way shows as 1, because it is renewed.
        """
        found = {}
        valid_T = valid_steps(self.norm_LT.shape[1], self.lengths_B.cpu()).sum(1)
        for name, norm_T in zip(self.layers, self.norm_LT, strict=True):
            per_sample_T = norm_T.double() / valid_T.sqrt()
            steps = torch.nonzero((per_sample_T > 0) & per_sample_T.isfinite()).flatten()
            if len(steps) >= ENOUGH_STEPS:
                t = steps.double() - steps.double().mean()
                log = per_sample_T[steps].log()
                found[name] = math.exp(-float((t * log).sum() / t.square().sum()))
        return found

    def growth_per_layer(self) -> float | None:
        """Factor by which the norm of dL/dU changes per hidden layer toward the input.

        The geometric mean from the last hidden layer to the first, each over all its steps; 0
        where nothing arrives at the first, None with fewer than two or with no gradient at all.
        """
        hidden = [i for i, name in enumerate(self.layers) if name != "readout"]
        if len(hidden) < 2:
            return None
        first, last = (float(self.norm_LT[i].double().norm()) for i in (hidden[0], hidden[-1]))
        if last == 0:
            return None
        return float((first / last) ** (1 / (len(hidden) - 1)))

    def metrics(self) -> dict[str, float]:
        """The scalars that are logged, by name; what cannot be said is left out."""
        found = {}
        growth = self.growth_per_step()
        for name, norm_T in zip(self.layers, self.norm_LT, strict=True):
            found[f"gradients/{name}/membrane_norm"] = float(norm_T.double().norm())
            found[f"gradients/{name}/nonzero_fraction"] = self.nonzero[name]
            found[f"gradients/{name}/reached_fraction"] = self.reached[name]
            if name in growth:
                found[f"gradients/{name}/growth_per_step"] = growth[name]
        depth = self.growth_per_layer()
        if depth is not None:
            found["gradients/growth_per_layer"] = depth
        return found


def gradient_flow(task: Task, batch: Batch) -> Flow:
    """Run the probe batch forward and backward through a copy of the task's network.

    The copy normalises as in training, by the batch, but for ``SyncBatchNorm``, for which all
    processes would have to run; nothing is dropped out. The loss is that of training, activity
    regularisation included. Weights, their gradients and all random generators stay as they are.
    Works inside of validation, where gradients are switched off.
    """
    with torch.inference_mode(False), torch.enable_grad(), own_randomness(batch.x.device):
        network = _as_in_training(task.network, len(batch.lengths))
        x_TBF, lengths_B = task.encoder(batch.x, batch.lengths, is_sequence=task.is_sequence)
        output = network(x_TBF, record=True, lengths_B=lengths_B)
        loss, prediction = judge(
            task.objective, output.y, batch.y, lengths_B, output.hidden, task.classes
        )
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        layers = [name for name, _ in network.named_layers()]
        norms, nonzero, largest, reached, membrane, threshold = [], {}, {}, {}, {}, {}
        for name in layers:
            record = output.records[name]
            membrane[name], threshold[name] = record.membrane, record.threshold
            gradient = record.gradient
            if gradient is None:
                gradient = torch.zeros_like(record.membrane)
            # In float64: squares of small gradients are none in float32.
            wide = torch.float64
            norms.append(torch.linalg.vector_norm(gradient.cpu().flatten(1), dim=1, dtype=wide))
            reached[name] = float((gradient != 0).flatten(2).any(0).any(0).double().mean())
            nonzero[name], largest[name] = _weights(network, name)
        hidden = {name: spk.detach() for name, spk in output.hidden.items()}
        return Flow(
            layers,
            torch.stack(norms),
            nonzero,
            largest,
            reached,
            membrane,
            threshold,
            hidden,
            lengths_B,
            batch.y,
            prediction,
        )


def free_membrane(task: Task, batch: Batch, name: str) -> Tensor:
    """Membrane potential of a layer that is kept from firing, while the layers before it fire.

    Without its own spikes a layer's membrane is linear in its weights and biases, so that it says
    what other weights would do. Of the valid steps of all samples, ``[steps, N...]``.
    """
    with torch.inference_mode(False), torch.no_grad(), own_randomness(batch.x.device):
        network = _as_in_training(task.network, len(batch.lengths))
        neurons = network.layers[name].neurons
        assert isinstance(neurons, SpikingLayer)
        neurons.fire = torch.zeros_like
        x_TBF, lengths_B = task.encoder(batch.x, batch.lengths, is_sequence=task.is_sequence)
        output = network(x_TBF, record=True, lengths_B=lengths_B)
        membrane: Tensor = output.records[name].membrane
        return membrane[valid_steps(len(membrane), lengths_B)]


def valid_steps(steps: int, lengths_B: Tensor) -> Tensor:
    """``[T, B]``: which steps lie within a sample's length."""
    return torch.arange(steps, device=lengths_B.device)[:, None] < lengths_B


@contextlib.contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """The same random numbers at every look, and the generators afterwards as they were."""
    accelerators = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(accelerators):
        torch.manual_seed(0)
        yield


def _as_in_training(network: Network, samples: int) -> Network:
    """A copy without gradients that normalises by the batch, where there is more than a sample.

    Delays that are learned are as wide as in training.
    """
    found: Network = copy.deepcopy(network).eval()
    for parameter in found.parameters():
        parameter.grad = None
    for _, layer in found.named_layers():
        layer.synapse.train()
    if samples > 1 and not any(isinstance(m, nn.SyncBatchNorm) for m in found.modules()):
        for _, layer in found.named_layers():
            if layer.norm is not None:
                layer.norm.train()
    return found


def _weights(network: Network, name: str) -> tuple[float, float]:
    """Share of a layer's trained weights with a gradient, and the largest absolute element."""
    layer = network.layers[name]
    weights = [
        p
        for part, p in layer.named_parameters()
        if p.requires_grad and part.endswith(("synapse.weight", "recurrent.weight"))
    ]
    total = sum(p.numel() for p in weights)
    grads = [p.grad for p in weights if p.grad is not None]
    if not total or not grads:
        return 0.0, 0.0
    count = sum(int(torch.count_nonzero(grad)) for grad in grads)
    return count / total, max(float(grad.abs().max()) for grad in grads)
