"""How far a download is: one line of a terminal, or a line for each tenth of a log."""

import sys
import time

SHOWN_EVERY = 0.1  # seconds


class Progress:
    """Tells on standard error how much of a file is there.

    Args:
        title: of the file.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._terminal = sys.stderr.isatty()
        self._shown = 0.0
        self._tenth = 0
        self._open = False

    def at(self, done: int, total: int | None) -> None:
        """So many bytes are there, of so many where that is known."""
        now = time.monotonic()
        if self._terminal and now - self._shown > SHOWN_EVERY:
            self._shown, self._open = now, True
            print(f"\r\033[K{self._line(done, total)}", end="", file=sys.stderr, flush=True)
        elif not self._terminal and total:
            tenth = 10 * done // total
            if tenth > self._tenth:
                self._tenth = tenth
                print(self._line(done, total), file=sys.stderr, flush=True)

    def end(self, word: str | None = None) -> None:
        """End the line, with a word about what comes next."""
        if self._open:
            print("\r\033[K", end="", file=sys.stderr)
        if word is not None:
            print(f"{self._title}: {word}", file=sys.stderr)
        self._open, self._shown = False, 0.0

    def _line(self, done: int, total: int | None) -> str:
        if total is None:
            return f"{self._title}: {megabytes(done)}"
        return f"{self._title}: {100 * done // max(1, total)} % of {megabytes(total)}"


def megabytes(size: int) -> str:
    """A size in words."""
    return f"{size / 1e6:.1f} MB" if size >= 50_000 else f"{size} bytes"
