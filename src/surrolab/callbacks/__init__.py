"""When what is measured is looked at, and what is moved in between."""

from surrolab.callbacks.checkpoints import AtomicCheckpointIO, Checkpoints, load_checkpoint
from surrolab.callbacks.delays import Delays
from surrolab.callbacks.diagnostics import Diagnostics, DiagnosticsSettings
from surrolab.callbacks.factory import StandardCallbacks
from surrolab.callbacks.finite import FiniteGuard
from surrolab.callbacks.health import Health
from surrolab.callbacks.media import Media
from surrolab.callbacks.progress import EpochLines, ProgressBar
from surrolab.callbacks.seeds import Seeds
from surrolab.callbacks.slopes import Slopes
from surrolab.callbacks.timing import Timing
from surrolab.callbacks.watching import Watch, Watching

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
    "Delays",
    "Diagnostics",
    "DiagnosticsSettings",
    "EpochLines",
    "FiniteGuard",
    "Health",
    "Media",
    "ProgressBar",
    "Seeds",
    "Slopes",
    "StandardCallbacks",
    "Timing",
    "Watch",
    "Watching",
    "load_checkpoint",
]
