"""What a surrogate that is cut off saves in the backward pass."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from surrolab.data import Batch
from surrolab.results.trained_networks import (
    build_network,
    first_batch,
    share_near_threshold,
    train,
    with_surrogate,
)
from surrolab.surrogates import FastSigmoid, SparseFastSigmoid
from surrolab.task import Task

BEFORE, LAYER = "hidden1", "hidden2"


def measure(
    *,
    seed: int,
    words: list[str],
    width: int,
    epochs: int,
    slope: float,
    cutoff: float,
    rounds: int,
) -> dict[str, float | list[float]]:
    """Time steps of one network with the whole surrogate and with the cut-off one.

    The network is trained with the cut-off one first. Both then have the same weights and hence
    the same spikes, so that the backward pass is all that differs. All times are processor
    time of one thread, in interleaved calls; ratios are medians of those of single rounds. Both is
    what other load on the machine moves least.

    Args:
        seed: of the network and its training.
        words: of ``surrolab train``, without surrogate and hidden layers.
        width: neurons in each of two hidden layers.
        epochs: of training.
        slope, cutoff: of both surrogates, and of the second.
        rounds: of timing, after one to warm up.

    Returns:
        ``ratio/step``, ``ratio/backward`` and ``ratio/layer``: how many times faster the cut-off
        surrogate is, in a training step (Adam's included), in its backward pass, and in the
        backward pass of the second hidden layer alone; ``ratio/saved``: what is kept for the
        backward pass with the whole surrogate over the same with the cut-off one, in bytes.
        With the whole surrogate: ``products``, time of the products with weights (for the
        gradients of weights and inputs) as a share of the backward pass, ``inputs``, that of the
        gradients of inputs alone, and ``backward``, the share of the step that is the backward
        pass. ``active/<layer>``: see :func:`share_near_threshold`;
        ``current/<layer>``: share of the elements of the gradient by the layer's input current that
        are not 0. ``step_ms``: median, cut off. ``accuracy`` on validation samples.

    Raises:
        UserError: words that ``surrolab train`` refuses.
    """
    torch.set_num_threads(1)
    parts = build_network(
        [
            *words,
            f"model.hidden=[{width},{width}]",
            "surrogate=sparse_fast_sigmoid",
            f"surrogate.slope={slope}",
            f"surrogate.cutoff={cutoff}",
        ],
        seed,
    )
    accuracy = train(parts, epochs, seed)
    batch = first_batch(parts)
    parts.task.train()
    tasks = {
        "whole": with_surrogate(parts.task, FastSigmoid(slope)),
        "cut": with_surrogate(parts.task, SparseFastSigmoid(slope, cutoff=cutoff)),
    }
    times = _times(tasks, batch, rounds)
    active = share_near_threshold(parts, batch, cutoff)
    currents = _current_gradients(tasks["cut"], batch)
    return {
        **{f"ratio/{what}": _ratio(times, what) for what in ("step", "backward", "layer")},
        "ratio/saved": _saved_bytes(tasks["whole"], batch) / _saved_bytes(tasks["cut"], batch),
        "products": _median_ratio(times["products", "whole"], times["backward", "whole"]),
        "inputs": _median_ratio(times["inputs", "whole"], times["backward", "whole"]),
        "backward": _median_ratio(times["backward", "whole"], times["step", "whole"]),
        **{f"active/{name}": share for name, share in active.items()},
        **{f"current/{name}": share for name, share in currents.items()},
        "step_ms": 1000 * statistics.median(times["step", "cut"]),
        "accuracy": accuracy,
    }


def _times(tasks: dict[str, Task], batch: Batch, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Seconds of every round, by what was timed and with which surrogate."""
    layers = {name: _LayerAlone(task, batch) for name, task in tasks.items()}
    products = _Products(tasks["whole"], batch)
    optimizers = {
        # Without a step the spikes stay the same.
        name: torch.optim.Adam(task.network.parameters(), lr=0.0)
        for name, task in tasks.items()
    }
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds + 1):
        for name in sorted(tasks, reverse=turn % 2 == 1):
            optimizers[name].zero_grad()
            start = time.thread_time()
            loss = tasks[name].evaluate(batch).loss
            middle = time.thread_time()
            torch.autograd.backward(loss)
            behind = time.thread_time()
            optimizers[name].step()
            end = time.thread_time()
            timed = {"step": end - start, "backward": behind - middle}
            timed["layer"] = layers[name].seconds()
            if name == "whole":
                timed["inputs"], timed["products"] = products.seconds()
            if turn:  # the first compiles
                for what, seconds in timed.items():
                    found.setdefault((what, name), []).append(seconds)
    return found


def _ratio(times: dict[tuple[str, str], list[float]], what: str) -> float:
    return _median_ratio(times[what, "whole"], times[what, "cut"])


def _median_ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


class _Seen:
    """Inputs of the layers, and outputs of their synapses with gradients, of one training step."""

    def __init__(self, task: Task, batch: Batch) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.currents: dict[str, Tensor] = {}
        hooks = []
        for name, layer in task.network.named_layers():
            hooks.append(layer.synapse.register_forward_hook(self._keep(name)))
        evaluation = task.evaluate(batch)
        for hook in hooks:
            hook.remove()
        spikes = evaluation.output.hidden
        for spk_TBN in spikes.values():
            spk_TBN.retain_grad()
        torch.autograd.backward(evaluation.loss)
        self.spikes = spikes
        task.network.zero_grad()

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(module: Any, given: tuple[Tensor], cur_TBN: Tensor) -> None:
            cur_TBN.retain_grad()
            self.inputs[name], self.currents[name] = given[0].detach(), cur_TBN

        return hook

    def gradient(self, name: str) -> Tensor:
        """Of the loss by the current of a layer, ``[T, B, N]``."""
        grad = self.currents[name].grad
        assert grad is not None
        return grad


def _current_gradients(task: Task, batch: Batch) -> dict[str, float]:
    seen = _Seen(task, batch)
    return {
        name: float((seen.gradient(name) != 0).double().mean())
        for name, _ in task.network.hidden_layers()
    }


class _LayerAlone:
    """The backward pass of one hidden layer, from the gradient that its spikes had."""

    def __init__(self, task: Task, batch: Batch) -> None:
        seen = _Seen(task, batch)
        layers = dict(task.network.named_layers())
        self.before, self.layer = layers[BEFORE], layers[LAYER]
        self.x_TBF = seen.inputs[BEFORE]
        self.gradient = seen.spikes[LAYER].grad

    def seconds(self) -> float:
        x_TBF = self.before(self.x_TBF).out
        spk_TBN = self.layer(x_TBF).spk
        wanted = [x_TBF, *self.layer.synapse.parameters()]
        start = time.thread_time()
        torch.autograd.grad(spk_TBN, wanted, self.gradient)
        return time.thread_time() - start


class _Products:
    """The gradients of weights and inputs of all synapses, without the neurons between them.

    Those of inputs are dense products, whatever surrogate the neurons have.
    """

    def __init__(self, task: Task, batch: Batch) -> None:
        seen = _Seen(task, batch)
        self.parts = [
            (layer, seen.inputs[name], seen.gradient(name))
            for name, layer in task.network.named_layers()
        ]

    def seconds(self) -> tuple[float, float]:
        """Of the gradients of inputs, and of all."""
        of_inputs, of_weights = 0.0, 0.0
        for number, (layer, x_TBF, gradient) in enumerate(self.parts):
            cur_TBN = layer.synapse(x_TBF)
            start = time.thread_time()
            torch.autograd.grad(cur_TBN, [*layer.synapse.parameters()], gradient)
            middle = time.thread_time()
            if number:  # nobody asks for the gradient of the data
                torch.matmul(gradient, layer.synapse.weight.detach())
            of_weights += middle - start
            of_inputs += time.thread_time() - middle
        return of_inputs, of_inputs + of_weights


def _saved_bytes(task: Task, batch: Batch) -> int:
    """Of the arrays that autograd keeps for the backward pass, parameters aside."""
    parameters = {p.untyped_storage().data_ptr() for p in task.network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = task.evaluate(batch).loss
    del loss
    return sum(kept.values())
