"""Says in plain words which layers are silent, saturated, or get no gradient, and what to try."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl

from surrolab.surrogates import NoSurrogate
from surrolab.task import Task

log = logging.getLogger(__name__)

# Far below what any optimizer's update can feel, and above float32's smallest numbers.
UNDERFLOW = 1e-30
FEW_IN_WINDOW = 0.01

_MORE_INPUT = (
    "try more input (encoding.gain, model.init_gain), a lower neuron.threshold, a longer "
    "neuron.tau, or a lower bound on activity (objective.lower_strength=100 "
    "objective.lower_rate=0.01)"
)


@dataclass
class Finding:
    """Something wrong with a layer: what, since when, until when, and what to try."""

    layer: str
    kind: str
    message: str
    first_epoch: int
    last_epoch: int


class Health(pl.Callback):
    """Looks at every layer at the end of every epoch.

    Each kind of finding is told once per layer, and again only after it was gone for a while. All
    end up in ``result.json``. That few neurons lie in the surrogate's window is a warning only: a
    heavy-tailed surrogate learns from silence.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Task)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        largest = pl_module.gradient_norms.largest()
        for layer in pl_module.network.layers:
            for kind, message in self._examine(pl_module, layer, metrics, largest):
                self._tell(trainer, layer, kind, message)

    def _examine(
        self,
        task: Task,
        layer: str,
        metrics: dict[str, float],
        largest: dict[str, float],
    ) -> list[tuple[str, str]]:
        found = []
        silent = metrics.get(f"train/spikes/{layer}/silent_fraction") == 1
        if silent:
            found.append(
                ("silent", f"{layer} is completely silent: no neuron spikes; {_MORE_INPUT}")
            )
        if metrics.get(f"train/spikes/{layer}/saturated_fraction") == 1:
            found.append(
                (
                    "saturated",
                    f"{layer} is saturated: every neuron spikes in nearly every step; try less "
                    "input (model.init_gain), a higher neuron.threshold, or an upper bound on "
                    "activity (objective.upper_strength=1 objective.upper_rate=0.3)",
                )
            )
        gradient = largest.get(f"layers.{layer}.synapse.weight")
        if gradient is not None and gradient < UNDERFLOW:
            kind = "no_gradient" if gradient == 0 else "underflow"
            found.append((kind, self._no_gradient(task, layer, gradient, silent)))
        window = metrics.get(f"gradients/{layer}/window_fraction")
        if window is not None and window < FEW_IN_WINDOW and not self._true_derivative(task):
            found.append(
                (
                    "window",
                    f"{layer}: only {window:.2%} of the neuron-steps lie inside the surrogate's "
                    "window (a warning: heavy-tailed surrogates learn all the same); a smaller "
                    "surrogate.slope widens it",
                )
            )
        return found

    def _no_gradient(self, task: Task, layer: str, gradient: float, silent: bool) -> str:
        if gradient == 0:
            what = f"the gradient of {layer} is exactly zero: its weights do not move"
        else:
            what = f"the gradient of {layer} underflows (largest element {gradient:.1e})"
        if self._true_derivative(task):
            return (
                f"{what}; surrogate=none is the true derivative, which is zero almost everywhere: "
                "try surrogate=fast_sigmoid"
            )
        if silent or layer == "readout":
            return f"{what}; the layer or those behind it are silent: {_MORE_INPUT}"
        return (
            f"{what}; try a smaller surrogate.slope, a heavy-tailed surrogate "
            f"(surrogate=fast_sigmoid), or {_MORE_INPUT.removeprefix('try ')}"
        )

    @staticmethod
    def _true_derivative(task: Task) -> bool:
        return any(
            isinstance(layer.neurons.surrogate, NoSurrogate)
            for _, layer in task.network.hidden_layers()
        )

    def _tell(self, trainer: pl.Trainer, layer: str, kind: str, message: str) -> None:
        epoch = trainer.current_epoch
        for finding in self.findings:
            same = (finding.layer, finding.kind) == (layer, kind)
            if same and finding.last_epoch >= epoch - 1:
                finding.last_epoch = epoch
                finding.message = message
                return
        self.findings.append(Finding(layer, kind, message, epoch, epoch))
        if trainer.is_global_zero:
            log.warning("epoch %d: %s", epoch + 1, message)

    def state_dict(self) -> dict[str, Any]:
        return {"findings": [asdict(finding) for finding in self.findings]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.findings = [Finding(**finding) for finding in state_dict["findings"]]
