"""Everything that the instruments say of one network, on one probe batch."""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from surrolab.data import Batch
from surrolab.diagnostics.alignment import Alignment, measure
from surrolab.diagnostics.examination import (
    growth,
    initial_gain,
    membrane_distributions,
    probe_facts,
    relative_window,
    with_slope,
)
from surrolab.diagnostics.findings import LayerFacts, Said, of_growth, of_layer
from surrolab.diagnostics.flow import Flow, gradient_flow, own_randomness
from surrolab.diagnostics.problem import Problem
from surrolab.diagnostics.reading import read
from surrolab.diagnostics.references import reference_noise
from surrolab.probes import MembraneDistribution
from surrolab.task import Task


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and what it means.

    Attributes:
        flow: where the gradient goes.
        layers: facts of each layer, from the input side.
        alignment: which way the surrogate gradient points.
        edges: of the bins of ``(U - theta) / theta``.
        membranes: neuron-steps per bin, by spiking layer.
        windows: half width of the surrogate's window in thresholds, by spiking layer.
        findings: what is wrong, with remedies.
        reading: all of it in a paragraph.
    """

    flow: Flow
    layers: list[LayerFacts]
    alignment: Alignment
    edges: Tensor
    membranes: dict[str, Tensor]
    windows: dict[str, float]
    findings: list[Said]
    reading: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON; arrays as lists."""
        return {
            "reading": self.reading,
            "findings": [vars(said) for said in self.findings],
            "layers": [vars(facts) for facts in self.layers],
            "gradients": self.flow.metrics(),
            "gradient_norm": dict(zip(self.flow.layers, self.flow.norm_LT.tolist(), strict=True)),
            "alignment": self.alignment.to_dict(),
            "membrane_edges": self.edges.tolist(),
            "membrane_counts": {name: c.tolist() for name, c in self.membranes.items()},
            "windows": self.windows,
        }


def diagnose(
    task: Task,
    batch: Batch,
    init_gain: float | None,
    init_xi: float,
    draws: int,
    reference_slope: float,
    seed: int,
    loop: bool,
) -> Diagnosis:
    """Look at a task's network through all instruments.

    Args:
        task: with the weights to be looked at.
        batch: the probe batch.
        init_gain: ``model.init_gain``; None where the weights are no longer the initial ones.
        init_xi: ``model.init_xi``.
        draws: of the escape-noise references, a multiple of 16; 0 leaves them out.
        reference_slope: of the fixed reference's logistic noise, times the threshold.
        seed: of draws and loop.
        loop: whether to make the closed-loop test.
    """
    flow = gradient_flow(task, batch)
    layers = []
    for facts in probe_facts(task, flow):
        known = with_slope(task, flow, facts)
        if init_gain is not None and facts.name in flow.hidden and not facts.behind_silence:
            gain = initial_gain(task, batch, facts.name, init_gain, init_xi)
            known = replace(known, gain=gain)
        layers.append(known)
    findings = [said for facts in layers for said in of_layer(facts)]
    findings += of_growth(growth(task, flow))
    with own_randomness(batch.x.device):
        problem = Problem.of(task, batch)
    fixed = reference_noise(problem, reference_slope)
    alignment = measure(problem, fixed, draws=draws, seed=seed, loop=loop)
    distributions = membrane_distributions(task, flow)
    membranes = {name: one.compute()["counts"] for name, one in distributions.items()}
    windows = {name: relative_window(task, flow, name) for name in distributions}
    reading = read(flow, layers, alignment, findings)
    edges = MembraneDistribution().edges
    return Diagnosis(flow, layers, alignment, edges, membranes, windows, findings, reading)
