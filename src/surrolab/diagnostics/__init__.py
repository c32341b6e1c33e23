"""Whether a surrogate gradient is any good: where it goes, and which way it points."""

from surrolab.diagnostics.agreement import Agreement, agreement
from surrolab.diagnostics.alignment import Alignment, measure
from surrolab.diagnostics.flow import Flow, gradient_flow
from surrolab.diagnostics.probe import probe_batch
from surrolab.diagnostics.problem import Problem
from surrolab.diagnostics.showing import shown_activity

__all__ = [
    "Agreement",
    "Alignment",
    "Flow",
    "Problem",
    "agreement",
    "gradient_flow",
    "measure",
    "probe_batch",
    "shown_activity",
]
