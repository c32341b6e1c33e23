"""The one way in which reading a file of data ends badly."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from surrolab.errors import UserError


class DataFileError(UserError):
    """A file of data that cannot be used, in one line: what is wrong with it, and the remedy."""


@dataclass(frozen=True)
class Source:
    """What an error has to name: the option that gave the file, and the file.

    Attributes:
        option: the option, such as "data.path".
        path: the file or folder.
    """

    option: str
    path: str | os.PathLike[str]

    def error(
        self,
        wrong: str,
        remedy: str,
        *,
        row: int | None = None,
        recording: int | None = None,
    ) -> DataFileError:
        """Return ``<option>: <file>[, row N|recording N]: <wrong>; <remedy>``, to be raised.

        Args:
            wrong: what is wrong.
            remedy: what to do about it.
            row: of a text file its line, counted from 1 as editors do; of an array its index,
                counted from 0 as numpy does.
            recording: index of a recording within its file, counted from 0.
        """
        place = "" if row is None else f", row {row}"
        place += "" if recording is None else f", recording {recording}"
        line = f"{self.option}: {os.fsdecode(self.path)}{place}: {wrong}; {remedy}"
        return DataFileError(" ".join(_visible(line).split()))

    def at(self, path: str | os.PathLike[str]) -> "Source":
        """Return the same option with another file, such as one in its folder."""
        return Source(self.option, path)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn what the operating system, or a lack of memory, ends with into a `DataFileError`."""
        try:
            yield
        except FileNotFoundError:
            raise self.error("no such file", "give a path that exists") from None
        except PermissionError:
            raise self.error("may not be read", "change its permissions") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise self.error(f"cannot be read ({reason})", "check the disk and the path") from None
        except MemoryError:
            raise self.error("does not fit into memory", "give a smaller file") from None


def shown(value: object, longest: int = 40) -> str:
    """Return ``repr(value)`` for an error, cut where it is long."""
    text = repr(value[: longest + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= longest + 2 else f"{text[:longest]}..."


def _visible(line: str) -> str:
    return "".join(char if char.isprintable() or char.isspace() else "?" for char in line)
