"""Processes that open the same events; they are forked from one that has done the imports."""

import logging
import multiprocessing
import multiprocessing.connection
from pathlib import Path
from typing import Any

from surrolab.data.events import cache, sources
from surrolab.data.formats.shd import ShdFile

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["surrolab.data.events.cache", "surrolab.data.events.sources"])
BINNING = cache.Binning(10.0, None, 1, "split")
HALF = 30


class Telling(logging.Handler):
    def __init__(self, pipe: Any) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        self._pipe.send(record.getMessage())


def work(pipe: Any, root: Path, path: Path) -> None:
    """Say what happens; stop half way through binning, and with the events open, until told."""
    logging.getLogger().addHandler(Telling(pipe))
    logging.getLogger().setLevel(logging.INFO)
    recordings = ShdFile.recordings

    def stopping(self: ShdFile, backwards: Any) -> Any:
        for at, one in enumerate(recordings(self, backwards)):
            if at == HALF:
                pipe.send("binning")
                pipe.recv()
            yield one

    ShdFile.recordings = stopping  # type: ignore[method-assign]
    source = sources.ShdRecordings({"": path}, "data.path", units=700)
    found = cache.EventCache(root).arrays(source, BINNING, "data.path")
    pipe.send(("opened", int(found.events.sum()), int(found.where.sum())))
    pipe.recv()


class Builder:
    """A process at work."""

    def __init__(self, root: Path, path: Path) -> None:
        self._pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=work, args=(theirs, root, path))
        self.process.start()
        theirs.close()

    def says(self) -> Any:
        assert self._pipe.poll(60)
        return self._pipe.recv()

    def go_on(self) -> None:
        self._pipe.send("")

    def end(self) -> None:
        """Join it, with nothing more to say, and its status 0."""
        self._pipe.send("")
        self.process.join(60)
        assert not self._pipe.poll() or not self.leftover()
        assert self.process.exitcode == 0
        self._pipe.close()
        self.process.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.join(60)
        self._pipe.close()
        self.process.close()

    def leftover(self) -> list[Any]:
        said = []
        try:
            while self._pipe.poll():
                said.append(self._pipe.recv())
        except EOFError:
            pass
        return said
