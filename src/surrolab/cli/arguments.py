"""What the commands beside ``train`` share: their arguments, and where they write."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from surrolab.errors import UserError


class Parser(argparse.ArgumentParser):
    """argparse, whose errors are one line that ends in what is allowed.

    Args:
        allowed: what that is.
        prog, description, epilog: of :class:`argparse.ArgumentParser`.
    """

    def __init__(self, allowed: str, prog: str, description: str, epilog: str) -> None:
        super().__init__(prog, description=description, epilog=epilog, allow_abbrev=False)
        self._allowed = allowed

    def error(self, message: str) -> NoReturn:
        raise UserError(
            message if "allowed: " in message else f"{message}; allowed: {self._allowed}"
        )


@contextlib.contextmanager
def writing_to(folder: Path, option: str = "--output") -> Iterator[None]:
    """Make the folder of an option, and say in one line that it cannot be written.

    Raises:
        UserError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(
            f"{option}: {folder} cannot be written ({error.strerror}); allowed: a directory that "
            "can"
        ) from error


def whole_number(at_least: int) -> Callable[[str], int]:
    """For ``type=``: whole numbers from ``at_least``."""

    def convert(text: str) -> int:
        value = int(text)
        if value < at_least:
            raise argparse.ArgumentTypeError(
                f"{value} is not allowed; allowed: a whole number of at least {at_least}"
            )
        return value

    convert.__name__ = "whole number"  # argparse names it where it is none
    return convert


def positive(text: str) -> float:
    """For ``type=``: finite numbers above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not allowed; allowed: a number above 0")
    return value


positive.__name__ = "number"
