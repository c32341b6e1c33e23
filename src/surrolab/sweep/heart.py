"""The heartbeat of a worker: keeps its trial, and stops it when it is to stop."""

import _thread
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from surrolab.errors import one_line
from surrolab.sweep.places import BEAT, Place, Places

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
        self.orphaned = False
        self._places = places
        self._place = place
        self._worker = worker
        self._parent = parent
        self._progress: dict[str, Any] | None = None
        self._wake = threading.Event()
        self._over = threading.Event()

    def say(self, progress: dict[str, Any]) -> None:
        """Take what the next beat tells of the trial."""
        first = self._progress is None
        self._progress = progress
        if first:
            self._wake.set()

    def run(self) -> None:
        while not self._over.is_set():
            self._wake.wait(timeout=1.0 if self._parent is not None else BEAT)
            self._wake.clear()
            if self._over.is_set():
                return
            if self._parent is not None and os.getppid() != self._parent:
                self.orphaned = True
                _thread.interrupt_main()
                return
            try:
                mine = self._places.beat(self._place, self._worker, self._progress)
            except Exception as error:
                # The database is away or busy; training goes on meanwhile.
                log.warning("no heartbeat: %s", one_line(error))
                continue
            if not mine:
                self.lost = True
                _thread.interrupt_main()
                return

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._wake.set()
        self.join()


Say = Callable[[dict[str, Any]], None]
