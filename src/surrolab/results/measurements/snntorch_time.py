"""Time of a training step of ``train.py`` beside the same network in plain snnTorch."""

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytorch_lightning as pl
import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from surrolab.composition import compose_run
from surrolab.data import Batch
from surrolab.run.build import Parts, build_parts, build_trainer
from surrolab.run.directory import RunDirectory
from surrolab.run.reporting import quiet_lightning
from surrolab.task import judge


def measure(
    *, seed: int, words: Sequence[str], rounds: int = 60, warm_up: int = 10
) -> dict[str, Any]:
    """Train with Lightning, as ``train.py`` does, and after each batch snnTorch's network on it.

    Ours is the time from the end of snnTorch's step to the end of our next one: loading, hooks,
    metrics and callbacks are in it. SnnTorch's is forward pass, loss, backward pass and Adam alone.
    What the machine does meanwhile meets both.

    Args:
        seed: of the run.
        words: for ``train.py``: one hidden layer of ``neuron=synaptic`` with ``reset=zero`` and
            ``input_scale=one_minus_beta``, no bias, and ``surrogate=fast_sigmoid``.
        rounds: steps of each that count.
        warm_up: steps before them that do not.

    Returns:
        ``ours_step_s`` and ``snntorch_step_s`` (medians, seconds), ``ratio`` (snnTorch's over
        ours), ``ours_loss`` and ``snntorch_loss`` (of the first batch, before a step), and
        ``steps``.

    Raises:
        ValueError: another network than that.
    """
    given = [*words, f"seed={seed}", "callbacks.progress=false", "trainer.limit_val_batches=1"]
    config = compose_run(given, "time").config
    _check(config)
    quiet_lightning()
    with tempfile.TemporaryDirectory() as folder:
        parts = build_parts(config)
        parts.data.setup()
        per_epoch = math.ceil(parts.data.split_sizes["train"] / config["data"]["batch_size"])
        config["trainer"]["max_epochs"] = math.ceil((rounds + warm_up) / (per_epoch - 1))
        directory = RunDirectory.claim(Path(folder) / "run", must_be_new=True)
        trainer = build_trainer(config, parts, directory, [])
        turns = _Turns(parts, config, rounds + warm_up)
        # Lightning's Trainer gets this list from one of its connectors, which mypy does not see.
        trainer.callbacks.append(turns)  # type: ignore[attr-defined]
        trainer.fit(parts.task, datamodule=parts.data)
    ours, theirs = turns.ours[warm_up:], turns.theirs[warm_up:]
    return {
        "ours_step_s": median(ours),
        "snntorch_step_s": median(theirs),
        "ratio": median(theirs) / median(ours),
        "ours_loss": turns.losses[0],
        "snntorch_loss": turns.losses[1],
        "steps": len(ours),
    }


class PlainNetwork(nn.Module):
    """Two layers of snnTorch's ``Synaptic``, called step by step as its tutorials do.

    The same network as the run's but for one thing: where snnTorch's ``Synaptic`` resets to zero
    it drops the new input too.

    Args:
        parts: of the run, whose weights it takes over, times ``1 - beta``, by which surrolab's
            neurons scale their input.
        slope: of the surrogate.
    """

    def __init__(self, parts: Parts, slope: float) -> None:
        super().__init__()
        hidden, readout = (layer for _, layer in parts.task.network.named_layers())
        self.fc1, self.lif1 = _linear(hidden), _synaptic(hidden, "zero", slope)
        self.fc2, self.lif2 = _linear(readout), _synaptic(readout, "none", slope)

    def forward(self, x_TBF: Tensor) -> tuple[Tensor, Tensor]:
        """The readout's membrane ``y_TBC`` and the hidden spikes ``spk_TBN``."""
        syn1, mem1 = self.lif1.reset_mem()
        syn2, mem2 = self.lif2.reset_mem()
        spikes, membranes = [], []
        for step in range(len(x_TBF)):
            spk1, syn1, mem1 = self.lif1(self.fc1(x_TBF[step]), syn1, mem1)
            _, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spikes.append(spk1)
            membranes.append(mem2)
        return torch.stack(membranes), torch.stack(spikes)


class _Turns(pl.Callback):
    """After each of our steps one of snnTorch's, both timed."""

    def __init__(self, parts: Parts, config: dict[str, Any], steps: int) -> None:
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.losses: list[float] = []
        self._parts, self._steps = parts, steps
        self._network = PlainNetwork(parts, config["surrogate"]["slope"])
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=config["optimizer"]["lr"])
        self._resumed: float | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._resumed = None  # validation and a new iterator came before the epoch's first step

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if not self.losses:
            with torch.no_grad():
                self.losses = [float(self._parts.task.evaluate(batch).loss)]
                self.losses.append(float(self._loss(batch)))

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        ended = time.perf_counter()
        self._optimizer.zero_grad()
        torch.autograd.backward(self._loss(batch))
        self._optimizer.step()
        now = time.perf_counter()
        if self._resumed is not None:
            self.ours.append(ended - self._resumed)
            self.theirs.append(now - ended)
        if len(self.ours) == self._steps:
            trainer.should_stop = True
        self._resumed = time.perf_counter()

    def _loss(self, batch: Batch) -> Tensor:
        task = self._parts.task
        x_TBF, lengths_B = task.encoder(batch.x, batch.lengths, is_sequence=task.is_sequence)
        y_TBC, spk_TBN = self._network(x_TBF)
        hidden = {"hidden1": spk_TBN}
        return judge(task.objective, y_TBC, batch.y, lengths_B, hidden, task.classes).loss


def _linear(layer: Any) -> nn.Linear:
    weight = layer.synapse.weight.detach()
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        linear.weight.copy_(weight * (1 - layer.neurons.neuron.beta))
    return linear


def _synaptic(layer: Any, reset: str, slope: float) -> Any:
    ours = layer.neurons.neuron
    return snntorch.Synaptic(
        alpha=float(ours.alpha),
        beta=float(ours.beta),
        threshold=float(ours.threshold),
        reset_mechanism=reset,
        spike_grad=surrogate.fast_sigmoid(slope=slope),
    )


def _check(config: dict[str, Any]) -> None:
    neuron, model = config["neuron"], config["model"]
    same = (
        config["surrogate"]["_target_"].endswith(".FastSigmoid")
        and config["surrogate"]["normalize"] == "native"
        and config["surrogate"]["scale"] == 1
        and neuron["_target_"].endswith(".SynapticFactory")
        and (neuron["reset"], neuron["input_scale"]) == ("zero", "one_minus_beta")
        and model["_target_"].endswith(".MLPFactory")
        and (len(model["hidden"]), model["bias"], model["dropout"]) == (1, False, 0.0)
    )
    if not same:
        raise ValueError(
            "words: this network is not allowed; allowed: those of experiment=randman_zenke2021"
        )
