"""What is measured of a network; ``torchmetrics`` metrics, so that they add up over ranks."""

from surrolab.probes.gradients import GradientNorms, GradientSizes
from surrolab.probes.intervals import SpikeIntervals
from surrolab.probes.membrane import MembraneDistribution
from surrolab.probes.scores import Accuracy, Confusion, Mean
from surrolab.probes.spikes import SpikeStatistics
from surrolab.probes.synops import SynapticOperations, static_metrics
from surrolab.probes.window import WindowFraction

__all__ = [
    "Accuracy",
    "Confusion",
    "GradientNorms",
    "GradientSizes",
    "Mean",
    "MembraneDistribution",
    "SpikeIntervals",
    "SpikeStatistics",
    "SynapticOperations",
    "WindowFraction",
    "static_metrics",
]
