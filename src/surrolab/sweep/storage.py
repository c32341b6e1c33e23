"""Where a study is kept: an SQLite file in the sweep directory, or a PostgreSQL server."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrolab.errors import UserError, one_line

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy import URL

FILE = "study.db"
ALLOWED = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
# The names under which psycopg takes secrets after the question mark.
_SECRETS = ("password", "sslpassword", "oauth_client_secret")
_TRIES = 50


def storage_url(text: str | None, directory: Path, option: str = "storage") -> str:
    """The URL in the form that :func:`open_storage` takes.

    Args:
        text: what the user typed; None for the file of the sweep directory.
        directory: the sweep directory.
        option: what an error names.

    Raises:
        UserError: no URL of a database that a study can be kept in.
    """
    from sqlalchemy import URL

    if text is None:
        return str(URL.create("sqlite", database=str(directory.absolute() / FILE)))
    url = _parsed(text)
    if url is None:
        raise UserError(f"{option}: {without_password(text)} is no URL; allowed: {ALLOWED}")
    if url.drivername == "sqlite":
        if not url.database or url.database.startswith((":memory:", "file:")) or url.host:
            raise UserError(f"{option}: {without_password(text)} names no file; allowed: {ALLOWED}")
        url = url.set(database=str(Path(url.database).absolute()))
    elif url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        if "@" in (url.host or ""):
            # A part of the password; it must not be shown.
            raise UserError(
                f"{option}: more than one @ in the URL; allowed: {ALLOWED}, where @ in a password "
                "is written %40"
            )
        if not url.database:
            raise UserError(
                f"{option}: {without_password(text)} names no database; allowed: {ALLOWED}"
            )
        url = url.set(drivername="postgresql+psycopg")
    else:
        raise UserError(
            f"{option}: {url.drivername} is no database for studies; allowed: {ALLOWED}"
        )
    return url.render_as_string(hide_password=False)


def without_password(url: str) -> str:
    """The URL as it may be shown and kept: without passwords."""
    parsed = _parsed(url)
    if parsed is None or "@" in (parsed.host or ""):
        scheme = re.match(r"[\w+]+://", url)
        return f"{scheme.group()}..." if scheme else ("..." if "@" in url else url)
    parsed = parsed.difference_update_query(_SECRETS)
    from sqlalchemy import URL

    shown = URL.create(
        parsed.drivername,
        parsed.username,
        None,
        parsed.host,
        parsed.port,
        parsed.database,
        parsed.query,
    )
    return shown.render_as_string()


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for a server's."""
    parsed = _parsed(url)
    if parsed is None or parsed.drivername != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def open_storage(url: str, make: bool = True, option: str = "storage") -> "RDBStorage":
    """Open a database, and make Optuna's tables in it where there are none.

    Several processes may do so at once.

    Args:
        url: as :func:`storage_url` gives it.
        make: False to open only what holds studies already.
        option: what an error names.

    Raises:
        UserError: it cannot be opened; one line, without the password.
    """
    path = sqlite_file(url)
    if not make and path is not None and not path.is_file():
        raise UserError(f"{option}: {path} is no file; allowed: a study's database, {ALLOWED}")
    for tries in range(1, _TRIES + 1):
        try:
            return _opened(url, make)
        except Exception as error:
            if tries < _TRIES and _made_by_another(error):
                time.sleep(0.1)
                continue
            # Not chained: the cause may hold the password.
            raise UserError(
                f"{option}: {without_password(url)} cannot be opened ({_why(error, url)}); "
                f"allowed: {ALLOWED}"
            ) from None
    raise AssertionError("the last try returns or raises")


def _opened(url: str, make: bool) -> "RDBStorage":
    from optuna.storages import RDBStorage

    storage = RDBStorage.__new__(RDBStorage)
    try:
        RDBStorage.__init__(
            storage,
            url.replace("{", "{{").replace("}", "}}"),  # Optuna calls `format` on it.
            engine_kwargs=_engine(url),
            skip_table_creation=not make,
        )
    except Exception:
        # What it has opened is not left to the garbage collector.
        if hasattr(storage, "scoped_session"):
            storage.remove_session()
            storage.engine.dispose()
        raise
    return storage


def _engine(url: str) -> dict[str, Any]:
    parsed = _parsed(url)
    if parsed is None or parsed.drivername == "sqlite":
        wanted: dict[str, Any] = {"timeout": 60}  # workers write by turns
        return {"connect_args": wanted}
    wanted = {
        "connect_timeout": 10,
        # A server that is gone without a word is noticed within a minute.
        "keepalives": 1,
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }
    return {
        "pool_pre_ping": True,
        "connect_args": {name: wanted[name] for name in wanted if name not in parsed.query},
    }


def _made_by_another(error: Exception) -> bool:
    from sqlalchemy.exc import IntegrityError

    cause = _cause(error)
    return isinstance(cause, IntegrityError) or "already exists" in str(cause)


def _why(error: Exception, url: str) -> str:
    from sqlalchemy.exc import DBAPIError

    cause: BaseException = _cause(error)
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    text = one_line(cause)
    if re.match(r"no such table|relation .* does not exist", text):
        return "there is no study in it"
    parsed = _parsed(url)
    if parsed is None:
        return text
    for secret in (parsed.password, *(parsed.query.get(name) for name in _SECRETS)):
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return text


def _cause(error: Exception) -> Exception:
    """What the database said, where Optuna has put words of its own around it."""
    from optuna.exceptions import StorageInternalError

    if isinstance(error, StorageInternalError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def _parsed(text: str) -> "URL | None":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        return None
