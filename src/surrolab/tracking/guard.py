"""The one place that keeps what goes wrong with W&B from ending a run."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from surrolab.errors import one_line

log = logging.getLogger(__name__)


class Guard:
    """Turns exceptions into one warning per run; the rest goes to the log file.

    Args:
        directory: what ``surrolab sync`` is to be given; None where nothing can be sent later.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self.told = False
        self.cut_off = False  # the server has not got everything

    def tell(self, what: str) -> None:
        """Say what went wrong, if nothing has been said yet."""
        if self.told:
            log.debug("W&B: %s", what)
            return
        self.told = True
        later = f"; `surrolab sync {self._directory}` sends it later" if self._directory else ""
        log.warning("W&B: %s; training is not affected%s", what, later)

    @contextlib.contextmanager
    def guarded(self, doing: str) -> Iterator[None]:
        """Do something with W&B whose failure is told and forgotten.

        Args:
            doing: what is being done, for the warning, such as ``sending a picture``.
        """
        try:
            yield
        except Exception as error:
            log.debug("W&B: %s failed", doing, exc_info=True)
            self.tell(f"{doing} failed ({type(error).__name__}: {one_line(error)})")
