"""When what is measured is looked at: seeds, checkpoints, non-finite values, health, progress."""

from surrolab.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints, load_checkpoint
from surrolab.callbacks.factory import StandardCallbacks
from surrolab.callbacks.finite import FiniteGuard
from surrolab.callbacks.health import Health
from surrolab.callbacks.progress import EpochLines, ProgressBar
from surrolab.callbacks.seeds import Seeds

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
    "EpochLines",
    "FiniteGuard",
    "Health",
    "ProgressBar",
    "Seeds",
    "StandardCallbacks",
    "load_checkpoint",
]
