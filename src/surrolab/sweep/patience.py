"""What a sweep does when its database is away, or the disk is full."""

import errno
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import optuna

from surrolab.errors import one_line

log = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

T = TypeVar("T")


def persistently(do: Callable[[], T]) -> T:
    """Do something with the database, again and again while it cannot be reached."""
    from sqlalchemy.exc import DBAPIError

    wait = 0.5
    while True:
        try:
            return do()
        except (optuna.exceptions.StorageInternalError, DBAPIError) as error:
            if no_room(error):
                raise OSError(errno.ENOSPC, "the disk is full") from error
            log.warning("the storage does not answer (%s); trying again", why(error))
            time.sleep(wait)
            wait = min(2 * wait, 10.0)


def no_room(error: BaseException) -> bool:
    """Whether it comes from a disk that is full or may not be written to.

    Torch and Optuna put words of their own around the error of the system.
    """
    return any(
        (isinstance(cause, OSError) and cause.errno in _NO_ROOM)
        or "database or disk is full" in str(cause)
        for cause in _causes(error)
    )


def why(error: BaseException) -> str:
    """What the database or the system says, in place of Optuna's guess at what it may mean."""
    if isinstance(error, optuna.exceptions.StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    return one_line(error)[:200]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
