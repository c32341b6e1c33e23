"""One file from one address, over a connection that may break."""

import contextlib
import errno
import json
import shutil
import time
from pathlib import Path
from typing import Any

import requests
import urllib3

from surrolab.data.downloads.progress import Progress, megabytes
from surrolab.data.downloads.published import Remote
from surrolab.files import open_file, write_json

TIMEOUTS = 10.0, 30.0  # seconds to connect, and between two pieces
TRIES = 4  # that bring nothing, one after another
MOST_TRIES = 100
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds
PIECE = 1 << 18
PASSING = (408, 425, 429, 500, 502, 503, 504)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UnavailableError(Exception):
    """An address that does not give the file; another one may."""


class NoRoomError(Exception):
    """The disk is full."""


class _BrokenError(Exception):
    """A connection that may be better the next time."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def transfer(url: str, part: Path, remote: Remote, progress: Progress) -> bool:
    """Fetch a file, or what is missing of it, into ``part``.

    What is in ``part`` is kept through kills and broken connections, and gone on with by an HTTP
    range request: at the address that it came from, if the server says that its file has not
    changed (If-Range); at others, where a published checksum will tell. Otherwise it starts over.
    ``<part>.json`` holds where it came from.

    Returns:
        Whether some of it came from an earlier attempt.

    Raises:
        UnavailableError: the address does not have it, or the connection broke too often.
        NoRoomError: the disk is full; what came is kept.
    """
    tries, resumed = 0, False
    for _ in range(MOST_TRIES):
        had = _size(part)
        try:
            return _attempt(url, part, remote, progress) or resumed
        except _BrokenError as error:
            resumed = _size(part) > 0
            tries = 0 if _size(part) > had else tries + 1
            if tries >= TRIES:
                raise UnavailableError(str(error)) from None
            wait = min(max(error.wait, FIRST_WAIT * 2**tries), LONGEST_WAIT)
            progress.end(f"{error}; trying again in {wait:g} s")
            time.sleep(wait)
    raise UnavailableError("the connection broke too often")


def discard(part: Path) -> None:
    """Forget what came."""
    for path in (part, _state_path(part)):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _attempt(url: str, part: Path, remote: Remote, progress: Progress) -> bool:
    state = _read_state(part)
    done = _size(part)
    same = state.get("url") == without_password(url)
    if done and state.get("total") == done and (same or remote.has_checksum):
        return True  # it was killed before it could be looked at
    headers = {"Accept-Encoding": "identity", "User-Agent": "surrolab"}
    if done and (remote.has_checksum or (same and state.get("validator"))):
        headers["Range"] = f"bytes={done}-"
        if same and state.get("validator"):
            headers["If-Range"] = state["validator"]
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
            done = _begin(response, url, part, remote, done if "Range" in headers else 0)
            total = _total(response, done)
            _check_size(total, remote)
            _check_room(part.parent, total, done)
            if not done:
                discard(part)
                write_json(_state_path(part), _state(response, url, total))
            _receive(response, part, done, total or remote.size, progress)
    except OSError as error:  # those of requests are some of these
        raise _judged(error) from None
    except urllib3.exceptions.HTTPError:
        raise _BrokenError("the connection broke") from None
    if total is not None and _size(part) != total:
        raise _BrokenError(f"the connection ended after {_size(part)} of {total} bytes")
    return done > 0


def _begin(response: requests.Response, url: str, part: Path, remote: Remote, done: int) -> int:
    """From which byte on the answer goes; an answer that is no file raises."""
    status = response.status_code
    if status == 416:
        discard(part)
        raise _BrokenError("the server's file is shorter than what came before")
    if status in PASSING:
        wait = response.headers.get("Retry-After", "")
        reason = f"the server says {status} {response.reason}"
        raise _BrokenError(reason, float(wait) if wait.isdecimal() else 0.0)
    if status not in (200, 206):
        raise UnavailableError(f"the server says {status} {response.reason}")
    hops = [*(answer.url for answer in response.history), response.url]
    if not remote.has_checksum:
        if less_safe(hops):
            raise UnavailableError("it leads from https to http, and no checksum is published")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise UnavailableError("the server sends a page, not the file")
    if status == 200:
        return 0
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if start != str(done):
        discard(part)
        raise _BrokenError("the server sends another part than was asked for")
    return done


def without_password(url: str) -> str:
    """An address as it may be shown and kept."""
    before, at, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{before}{at}{place.rpartition('@')[2]}{slash}{path}"


def less_safe(hops: list[str]) -> bool:
    """Whether a row of addresses leads from https to http."""
    schemes = [url.partition(":")[0].lower() for url in hops]
    return "https" in schemes and "http" in schemes[schemes.index("https") :]


def _receive(
    response: requests.Response, part: Path, done: int, total: int | None, progress: Progress
) -> None:
    with part.open("ab" if done else "wb") as file:
        # What has come, so that little is lost; as sent, as a server may call a .gz file an
        # encoding of what is in it.
        while piece := response.raw.read1(PIECE, decode_content=False):
            file.write(piece)
            done += len(piece)
            progress.at(done, total)
            if total is not None and done > total:
                raise UnavailableError(f"the server sends more than {total} bytes")


def _total(response: requests.Response, done: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return done + int(length) if length.isdecimal() else None


def _check_size(total: int | None, remote: Remote) -> None:
    if total is not None and remote.size is not None and total != remote.size:
        raise UnavailableError(f"it has {total} bytes where {remote.size} are published")


def _check_room(folder: Path, total: int | None, done: int) -> None:
    free = shutil.disk_usage(folder).free
    if total is not None and total - done > free:
        raise NoRoomError(f"{megabytes(total - done)} are to come and {megabytes(free)} are free")


def _judged(error: OSError) -> Exception:
    if error.errno in NO_ROOM:
        return NoRoomError(error.strerror)
    if not isinstance(error, requests.RequestException | ConnectionError | TimeoutError):
        return error
    if isinstance(error, requests.exceptions.SSLError):
        return UnavailableError("its certificate is not valid")
    if isinstance(error, requests.Timeout):
        return _BrokenError("the server does not answer")
    if isinstance(error, requests.exceptions.InvalidSchema):
        return UnavailableError("it leads to what is neither http nor https")
    if isinstance(error, requests.ConnectionError | ConnectionError | TimeoutError):
        return _BrokenError("there is no connection")
    return UnavailableError(f"the address cannot be used ({type(error).__name__})")


def _state(response: requests.Response, url: str, total: int | None) -> dict[str, Any]:
    # A weak ETag does not promise the same bytes (RFC 9110, 13.1.5).
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified")
    return {"url": without_password(url), "validator": validator, "total": total}


def _state_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_state(part: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError), open_file(_state_path(part)) as file:
        found = json.load(file)
        if isinstance(found, dict):
            return found
    return {}


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0
