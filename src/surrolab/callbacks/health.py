"""Says in plain words which layers are silent, saturated, or get no gradient, and what to try."""

import logging
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytorch_lightning as pl

from surrolab.callbacks.diagnostics import Diagnostics
from surrolab.diagnostics.examination import (
    growth,
    initial_gain,
    probe_facts,
    surrogate_facts,
    told_of_silence,
    with_slope,
)
from surrolab.diagnostics.findings import LayerFacts, Said, is_dead, of_growth, of_layer
from surrolab.diagnostics.flow import Flow
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
        for facts in probe_facts(pl_module, flow):
            if is_dead(facts):
                for said in of_layer(self._with_numbers(trainer, pl_module, facts)):
                    if said.kind != "window":
                        self._tell(trainer, said, "before the first step")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        largest = pl_module.gradient_norms.largest()
        measured = [
            LayerFacts(
                name=name,
                silent=metrics.get(f"train/spikes/{name}/silent_fraction"),
                saturated=metrics.get(f"train/spikes/{name}/saturated_fraction"),
                gradient=largest.get(f"layers.{name}.synapse.weight"),
                window=metrics.get(f"gradients/{name}/window_fraction"),
                **surrogate_facts(pl_module, name),
            )
            for name in pl_module.network.layers
        ]
        for facts in told_of_silence(pl_module, measured):
            said = of_layer(facts)
            if any(self._is_new(one, trainer.current_epoch) for one in said):
                # Only now: the numbers cost a look at the probe batch.
                said = of_layer(self._with_numbers(trainer, pl_module, facts))
            for one in said:
                self._tell(trainer, one, f"epoch {trainer.current_epoch + 1}")
        self._examine_growth(trainer, pl_module)

    def _examine_growth(self, trainer: pl.Trainer, task: Task) -> None:
        """Where the diagnostics looked at this epoch's end, whether gradients explode or vanish."""
        diagnostics = self._diagnostics
        if diagnostics is None or not diagnostics.settings.gradients:
            return
        flow = diagnostics.seen_at(trainer.global_step)
        if flow is None:
            return
        for said in of_growth(growth(task, flow)):
            when = f"epoch {trainer.current_epoch + 1}"
            self._tell(trainer, said, when, diagnostics.settings.every_epochs)

    def _look(self, trainer: pl.Trainer, task: Task) -> Flow | None:
        return None if self._diagnostics is None else self._diagnostics.look(trainer, task)

    def _with_numbers(self, trainer: pl.Trainer, task: Task, facts: LayerFacts) -> LayerFacts:
        """The same with the numbers of its remedies, where they can be had."""
        flow = self._look(trainer, task)
        if flow is None or self._diagnostics is None:
            return facts
        if trainer.global_step == 0 and facts.silent == 1 and not facts.behind_silence:
            batch = self._diagnostics.batch(trainer)
            gain = initial_gain(task, batch, facts.name, self._init_gain, self._init_xi)
            if gain is not None:
                self._gains[facts.name] = gain
        return replace(with_slope(task, flow, facts), gain=self._gains.get(facts.name))

    def _is_new(self, said: Said, epoch: int) -> bool:
        return self._open(said, epoch) is None

    def _open(self, said: Said, epoch: int, gap: int = 1) -> Finding | None:
        """The finding that goes on, if it was there ``gap`` epochs ago or later."""
        for finding in self.findings:
            same = (finding.layer, finding.kind) == (said.layer, said.kind)
            if same and finding.last_epoch >= epoch - gap:
                return finding
        return None

    def _tell(self, trainer: pl.Trainer, said: Said, when: str, gap: int = 1) -> None:
        epoch = trainer.current_epoch
        finding = self._open(said, epoch, gap)
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
