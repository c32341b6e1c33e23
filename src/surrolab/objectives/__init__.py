"""From the readout over time to a loss and a prediction."""

from surrolab.objectives.base import Objective, ObjectiveOutput
from surrolab.objectives.latency import CELatency
from surrolab.objectives.membrane import CELast, CEMax, CEMean
from surrolab.objectives.rate import CERate, MSECount
from surrolab.objectives.step import CEStep, MSEStep
from surrolab.objectives.steps import ValidSteps

__all__ = [
    "CELast",
    "CELatency",
    "CEMax",
    "CEMean",
    "CERate",
    "CEStep",
    "MSECount",
    "MSEStep",
    "Objective",
    "ObjectiveOutput",
    "ValidSteps",
]
