"""From overrides to a configuration: Hydra composes, and its errors become one line."""

from surrolab.composition.compose import Composed, compose_run, override
from surrolab.composition.explain import check_flags, explain
from surrolab.composition.leftovers import without_leftovers

__all__ = ["Composed", "check_flags", "compose_run", "explain", "override", "without_leftovers"]
