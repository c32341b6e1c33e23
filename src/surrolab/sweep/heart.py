"""The heartbeat of a worker: keeps its trial, and stops it when it is to stop."""

import _thread
import logging
import os
import threading
import time
from typing import Any

from surrolab.errors import one_line
from surrolab.sweep.places import BEAT, Place, Places

# Seconds between beats that tell of a new epoch.
NEWS = 1.0
# And until a trial that does not stop is told so again.
AGAIN = 5.0

log = logging.getLogger(__name__)


class Heart(threading.Thread):
    """Beats until :meth:`stop`.

    Stops the trial, as Ctrl-C would, when the place has been taken by another worker, or when the
    process that started the worker is gone.

    Args:
        places: of the study.
        place: the worker's.
        worker: its name.
        parent: process number of who started it; None where that does not matter.
    """

    def __init__(self, places: Places, place: Place, worker: str, parent: int | None) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.lost = False
        self._places = places
        self._place = place
        self._worker = worker
        self._parent = parent
        self._progress: dict[str, Any] | None = None
        self._over = threading.Event()

    def say(self, progress: dict[str, Any]) -> None:
        """Take what the next beat tells of the trial."""
        self._progress = progress

    def run(self) -> None:
        last = 0.0
        told: dict[str, Any] | None = None
        while not self._over.wait(timeout=0.5):
            if self._parent is not None and os.getppid() != self._parent:
                self._insist()
                return
            news = self._progress is not told and time.monotonic() - last >= NEWS
            if not news and time.monotonic() - last < BEAT:
                continue
            last, told = time.monotonic(), self._progress
            try:
                mine = self._places.beat(self._place, self._worker, self._progress)
            except Exception as error:
                # The database is away or busy; training goes on meanwhile.
                log.warning("no heartbeat: %s", one_line(error))
                continue
            if not mine:
                self.lost = True
                self._insist()
                return

    def _insist(self) -> None:
        # Where it strikes in a callback of the interpreter it is printed and forgotten.
        _thread.interrupt_main()
        while not self._over.wait(timeout=AGAIN):
            _thread.interrupt_main()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self.join()
