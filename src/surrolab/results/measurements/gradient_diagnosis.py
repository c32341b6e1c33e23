"""What the instruments say of a run, before its first step or after some of its epochs."""

import contextlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from surrolab.composition import compose_run
from surrolab.data import Batch
from surrolab.diagnostics import Flow, gradient_flow, probe_batch
from surrolab.diagnostics.diagnosis import Diagnosis, diagnose
from surrolab.diagnostics.reading import scalars
from surrolab.neurons import SpikingLayer
from surrolab.results.cases import HIGH, LOW, WIDTH
from surrolab.run.directory import RunDirectory
from surrolab.run.execute import execute
from surrolab.run.load import load_run
from surrolab.run.reporting import quiet_lightning
from surrolab.task import Task

REFERENCE_SLOPE = 4.0


def measure(
    *,
    seed: int,
    words: Sequence[str],
    more: Sequence[str] = (),
    cases: Mapping[str, str],
    case: str,
    epochs: int,
    samples: int = 32,
    draws: int = 0,
) -> dict[str, Any]:
    """Train for some epochs as ``train.py`` would, and diagnose as ``surrolab diagnose`` does.

    Args:
        seed: of the run.
        words: for ``train.py``, of all cases; ``trainer.max_epochs`` sets the learning rate's
            course, not when the look is taken.
        more: behind those.
        cases: more words, separated by blanks, by the case's name.
        case: which of them.
        epochs: after how many of them; 0 is before the first step.
        samples: of the probe batch.
        draws: of the escape-noise references, a multiple of 16; 0 leaves them out.

    Returns:
        The flow's metrics (``gradients/<layer>/...``) and the alignment's cosines; by hidden layer
        ``silent_fraction``, ``window_fraction``, ``window`` (half width in thresholds),
        ``gradient_norm`` (of dL/dU, a list over time), ``membrane_share`` (a list, share of
        neuron-steps by bin, see `surrolab.results.cases`) and ``through_reset`` (norm of dL/dU
        over what it would be at the same weights with the reset detached; None where that is
        zero); ``val/accuracy`` of that epoch; and in words ``findings``.

    Raises:
        ValueError: there is no such case, or the run has fewer epochs.
    """
    if case not in cases:
        raise ValueError(f"case: {case!r} is not allowed; allowed: {', '.join(cases)}")
    given = [*words, *more, *cases[case].split(), f"seed={seed}"]
    composed = compose_run(given, "diagnosis")
    most = composed.config["trainer"]["max_epochs"]
    if not 0 <= epochs <= most:
        raise ValueError(f"epochs: {epochs} is not allowed; allowed: 0 to {most}")
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory.claim(Path(folder) / "run", must_be_new=True)
        directory.write_config(composed.config, given, composed.choices)
        until = _Until(epochs)
        if epochs:
            with contextlib.redirect_stdout(io.StringIO()):
                execute(composed.config, directory, watch=until, notes=composed.notes)
        quiet_lightning()
        config, parts = load_run(directory, "last" if epochs else "initial")
        batch = probe_batch(parts.data, samples)
        found = diagnose(
            parts.task,
            batch,
            init_gain=None if epochs else config["model"]["init_gain"],
            init_xi=config["model"]["init_xi"],
            draws=draws,
            reference_slope=REFERENCE_SLOPE,
            seed=seed,
            loop=False,
        )
        cut = _with_reset_detached(parts.task, batch)
    return _figures(found, cut) | until.accuracy


class _Until:
    """Ends a run after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.about: dict[str, Any] = {}
        self.accuracy: dict[str, float] = {}
        self._epochs = epochs

    def epoch(self, epoch: int, metrics: dict[str, float]) -> bool:
        self.accuracy = {"val/accuracy": metrics["val/accuracy"]}
        return epoch + 1 >= self._epochs

    def tags(self, state: str, outcome: dict[str, Any]) -> list[str]:
        return []


def _with_reset_detached(task: Task, batch: Batch) -> Flow:
    """The flow at the same weights, were no gradient to pass through the reset."""
    for _, layer in task.network.named_layers():
        if isinstance(layer.neurons, SpikingLayer):
            layer.neurons.detach_reset = True
    return gradient_flow(task, batch)


def _figures(found: Diagnosis, cut: Flow) -> dict[str, Any]:
    cosines = {k: v for k, v in scalars(found.alignment).items() if k.endswith("_cosine")}
    figures: dict[str, Any] = {**found.flow.metrics(), **cosines}
    norms = dict(zip(found.flow.layers, found.flow.norm_LT, strict=True))
    cut_norms = dict(zip(cut.layers, cut.norm_LT, strict=True))
    for facts in found.layers:
        name = facts.name
        if name not in found.membranes:
            continue
        without = float(cut_norms[name].norm())
        figures |= {
            f"{name}/through_reset": float(norms[name].norm()) / without if without else None,
            f"{name}/silent_fraction": facts.silent,
            f"{name}/window_fraction": facts.window,
            f"{name}/window": found.windows[name],
            f"{name}/gradient_norm": _short(norms[name]),
            f"{name}/membrane_share": _short(_share(found.edges, found.membranes[name])),
        }
    words = [said.message for said in found.findings]
    return figures | {"findings": words}


def _share(edges: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Counts of fine bins as shares of those between LOW and HIGH."""
    middle = (edges[:-1] + edges[1:]) / 2
    bins = ((middle - LOW) / WIDTH).floor().long().clamp(0, round((HIGH - LOW) / WIDTH) - 1)
    total = torch.zeros(round((HIGH - LOW) / WIDTH), dtype=torch.float64)
    total.index_add_(0, bins, counts.double())
    return total / max(1.0, float(total.sum()))


def _short(values: torch.Tensor) -> list[float]:
    """With three digits: lists are what makes a record long."""
    return [float(f"{value:.3g}") for value in values.tolist()]
