"""Says in plain words which layers are silent, saturated, or get no gradient, and what to try."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from surrolab.callbacks.diagnostics import Diagnostics
from surrolab.diagnostics.findings import (
    UNDERFLOW,
    Growth,
    LayerFacts,
    Said,
    of_growth,
    of_layer,
)
from surrolab.diagnostics.flow import Flow, free_membrane
from surrolab.diagnostics.remedies import gain_for_fluctuations, slope_for_reach
from surrolab.neurons import SpikingLayer
from surrolab.surrogates import NoSurrogate, Surrogate
from surrolab.task import Task

log = logging.getLogger(__name__)


@dataclass
class Finding:
    """Something wrong with a layer: what, since when, until when, and what to try."""

    layer: str
    kind: str
    message: str
    first_epoch: int
    last_epoch: int


class Health(pl.Callback):
    """Looks at every layer before the first step and at the end of every epoch.

    Each kind of finding is told once per layer, and again only after it was gone for a while. All
    end up in ``result.json``. Before the first step only layers are told that no gradient reaches
    on the probe batch: a silent layer that has one may learn.

    Args:
        diagnostics: for a look at the probe batch, from which the numbers in the remedies come;
            None, or on other processes than the first, the remedies have no numbers.
        init_gain: ``model.init_gain`` of the run, which a remedy multiplies.
        init_xi: ``model.init_xi``.
    """

    def __init__(
        self,
        diagnostics: Diagnostics | None = None,
        init_gain: float = 1.0,
        init_xi: float = 1.0,
    ) -> None:
        self.findings: list[Finding] = []
        self._diagnostics = diagnostics
        self._init_gain = init_gain
        self._init_xi = init_xi
        # What the weights would have to be multiplied by at the start, where that was of interest.
        self._gains: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        if trainer.global_step > 0:
            return
        flow = self._look(trainer, pl_module)
        if flow is None:
            return
        for facts in self._facts_of_probe(trainer, pl_module, flow):
            if facts.gradient is not None and facts.gradient < UNDERFLOW:
                for said in of_layer(facts):
                    if said.kind != "window":
                        self._tell(trainer, said, "before the first step")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        largest = pl_module.gradient_norms.largest()
        silent_before = False
        for name in pl_module.network.layers:
            facts = LayerFacts(
                name=name,
                silent=metrics.get(f"train/spikes/{name}/silent_fraction"),
                saturated=metrics.get(f"train/spikes/{name}/saturated_fraction"),
                gradient=largest.get(f"layers.{name}.synapse.weight"),
                window=metrics.get(f"gradients/{name}/window_fraction"),
                behind_silence=silent_before,
                **_surrogate_facts(pl_module, name),
            )
            said = of_layer(facts)
            if any(self._is_new(one, trainer.current_epoch) for one in said):
                # Only now: the numbers cost a look at the probe batch.
                said = of_layer(self._with_numbers(trainer, pl_module, facts))
            for one in said:
                self._tell(trainer, one, f"epoch {trainer.current_epoch + 1}")
            silent_before = silent_before or facts.silent == 1
        self._examine_growth(trainer, pl_module)

    def _examine_growth(self, trainer: pl.Trainer, task: Task) -> None:
        """Where the diagnostics looked at this epoch's end, whether gradients explode or vanish."""
        diagnostics = self._diagnostics
        if diagnostics is None or not diagnostics.settings.gradients:
            return
        flow = diagnostics.seen_at(trainer.global_step)
        if flow is None:
            return
        spiking = [
            layer.neurons
            for _, layer in task.network.named_layers()
            if isinstance(layer.neurons, SpikingLayer)
        ]
        surrogate = spiking[0].surrogate if spiking else None
        growth = Growth(
            per_step=flow.growth_per_step(),
            per_layer=flow.growth_per_layer(),
            steps=flow.norm_LT.shape[1],
            layers=len(flow.hidden),
            scale=_number(surrogate, "scale"),
            detach_reset=all(layer.detach_reset for layer in spiking),
            recurrent=any(hasattr(layer.neuron, "recurrent") for layer in spiking),
        )
        for said in of_growth(growth):
            self._tell(trainer, said, f"epoch {trainer.current_epoch + 1}")

    def _look(self, trainer: pl.Trainer, task: Task) -> Flow | None:
        return None if self._diagnostics is None else self._diagnostics.look(trainer, task)

    def _facts_of_probe(self, trainer: pl.Trainer, task: Task, flow: Flow) -> list[LayerFacts]:
        found = []
        silent_before = False
        layers = dict(task.network.named_layers())
        for name in flow.layers:
            silent = None
            if name in flow.hidden:
                quiet = ~flow.hidden[name].flatten(2).any(0).any(0)
                silent = float(quiet.double().mean())
            trained = layers[name].synapse.weight.requires_grad
            facts = LayerFacts(
                name=name,
                silent=silent,
                gradient=flow.largest[name] if trained else None,
                behind_silence=silent_before,
                **_surrogate_facts(task, name),
            )
            found.append(self._with_numbers(trainer, task, facts))
            silent_before = silent_before or silent == 1
        return found

    def _with_numbers(self, trainer: pl.Trainer, task: Task, facts: LayerFacts) -> LayerFacts:
        """The same with the numbers of its remedies, where they can be had."""
        flow = self._look(trainer, task)
        neurons = task.network.layers[facts.name].neurons
        if flow is None or self._diagnostics is None or not isinstance(neurons, SpikingLayer):
            return facts
        threshold = neurons.neuron.threshold.detach()
        surrogate = neurons.surrogate
        wider = None
        if isinstance(surrogate, Surrogate) and not facts.true_derivative:
            valid = torch.arange(len(flow.membrane[facts.name]), device=threshold.device)
            inside = valid[:, None] < flow.lengths_B.to(threshold.device)
            distance = (flow.membrane[facts.name] - threshold).abs()[inside]
            wider = slope_for_reach(surrogate, distance)
        if trainer.global_step == 0 and facts.silent == 1 and not facts.behind_silence:
            free: Tensor = free_membrane(task, self._diagnostics.batch(trainer), facts.name)
            gain = gain_for_fluctuations(free, threshold, self._init_xi)
            if gain is not None:
                self._gains[facts.name] = float(f"{self._init_gain * gain:.3g}")
        values = asdict(facts) | {"wider_slope": wider, "gain": self._gains.get(facts.name)}
        return LayerFacts(**values)

    def _is_new(self, said: Said, epoch: int) -> bool:
        return self._open(said, epoch) is None

    def _open(self, said: Said, epoch: int) -> Finding | None:
        for finding in self.findings:
            same = (finding.layer, finding.kind) == (said.layer, said.kind)
            if same and finding.last_epoch >= epoch - 1:
                return finding
        return None

    def _tell(self, trainer: pl.Trainer, said: Said, when: str) -> None:
        epoch = trainer.current_epoch
        finding = self._open(said, epoch)
        if finding is not None:
            finding.last_epoch = epoch
            return
        self.findings.append(Finding(said.layer, said.kind, said.message, epoch, epoch))
        if trainer.is_global_zero:
            log.warning("%s: %s", when, said.message)

    def state_dict(self) -> dict[str, Any]:
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "gains": dict(self._gains),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.findings = [Finding(**finding) for finding in state_dict["findings"]]
        self._gains = dict(state_dict["gains"])


def _surrogate_facts(task: Task, name: str) -> dict[str, Any]:
    """Whether the true derivative cuts the layer off, and the slope of its surrogate."""
    layers = task.network.layers
    names = list(layers)
    behind = [layers[other].neurons for other in names[names.index(name) :]]
    cut_off = any(
        isinstance(neurons, SpikingLayer) and isinstance(neurons.surrogate, NoSurrogate)
        for neurons in behind
    )
    own = layers[name].neurons
    slope = _number(own.surrogate, "slope") if isinstance(own, SpikingLayer) else None
    return {"true_derivative": cut_off, "slope": slope}


def _number(surrogate: Any, name: str) -> float | None:
    """A parameter of a surrogate, the mean over neurons; None where it has none."""
    if not isinstance(surrogate, Surrogate) or not surrogate.has(name):
        return None
    return float(torch.as_tensor(getattr(surrogate, name)).detach().mean())
