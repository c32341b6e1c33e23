"""What is measured of a network; ``torchmetrics`` metrics, so that they add up over ranks."""

from surrolab.probes.gradients import GradientNorms
from surrolab.probes.spikes import SpikeStatistics
from surrolab.probes.window import WindowFraction

__all__ = ["GradientNorms", "SpikeStatistics", "WindowFraction"]
