"""Whether a surrogate gradient is any good: where it goes, and which way it points."""

from surrolab.diagnostics.problem import Problem

__all__ = ["Problem"]
