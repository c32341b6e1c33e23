"""What a set needs is made sure to be there: found, fetched, or asked for in one line."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from surrolab.data.downloads.placing import check_free, place
from surrolab.data.downloads.progress import Progress
from surrolab.data.downloads.published import Published, Remote
from surrolab.data.formats.problem import Source
from surrolab.errors import UserError
from surrolab.locks import hold

OPTION = "data.root"
# Addresses that are tried first, each followed by "<set>/<file>".
MIRRORS = "SURROLAB_MIRROR"
ASKED_EVERY = 0.2  # seconds


def provide(root: Path, name: str, published: Published, download: bool, below: str = "") -> None:
    """Make sure that a set's files are there.

    A file is fetched beside its place and takes it whole, once its checksum is right; of an
    archive, what it holds. One process fetches, others wait for it. After a kill the next call
    goes on where the last one was.

    Args:
        root: the folder of all sets, ``data.root``.
        name: of the set, in words to the user and on mirrors.
        published: where it comes from.
        download: whether what is not there may be fetched.
        below: folder of the set below ``root``; unless given, ``name``. "." is ``root`` itself.

    Raises:
        ValueError: a file is not there and may not be fetched; says where it is to be had.
        DataFileError: it cannot be fetched, or its place is taken.
        UserError: the variable `MIRRORS` holds what is no address.
    """
    folder = root / (below or name)
    missing = [path for remote in published.files if (path := remote.absent(folder))]
    if not missing:
        return
    if not download:
        raise ValueError(
            f"root: there is no {missing[0]}; allowed: a folder with it, which "
            f"{published.address} has, or data.download=true"
        )
    mirrors = _mirrors()
    with _alone(folder, name):
        for remote in published.files:
            if remote.absent(folder):
                own = tuple(f"{mirror}{quote(name)}/{quote(remote.name)}" for mirror in mirrors)
                _fetch(folder, name, remote, published.address, own + remote.urls)


def _mirrors() -> list[str]:
    given = os.environ.get(MIRRORS, "").split()
    for url in given:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(
                f"{MIRRORS}: {url!r} is not allowed; allowed: addresses that begin with http:// or "
                "https://, separated by spaces"
            )
    return [f"{url.rstrip('/')}/" for url in given]


@contextlib.contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Wait until no other process fetches into the folder."""
    source = Source(OPTION, folder)
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / ".lock").open("a"))
        except OSError as error:
            raise source.error(
                f"cannot be written to ({error.strerror})", "choose another folder"
            ) from None
        told = False
        while True:
            try:
                hold(file)
                break
            except BlockingIOError:
                if not told:
                    told = True
                    print(f"{name}: waiting for another process that fetches it", file=sys.stderr)
                time.sleep(ASKED_EVERY)
            except OSError:  # a file system without locks
                break
        yield


def _fetch(folder: Path, name: str, remote: Remote, address: str, urls: Sequence[str]) -> None:
    # Only here, as it loads what speaks HTTP.
    from surrolab.data.downloads.transfer import NoRoomError, UnavailableError, without_password

    target = Source(OPTION, folder / (remote.unpacked or remote.name))
    check_free(target, remote)
    progress = Progress(f"{name}: {remote.name}")
    reasons = []
    try:
        for url in urls:
            try:
                wrong = _fetch_from(url, folder, remote, progress)
            except UnavailableError as error:
                wrong = str(error)
            if wrong is None:
                return
            progress.end()
            reasons.append(f"{without_password(url)}: {wrong}")
    except NoRoomError as error:
        raise target.error(
            f"the disk is full ({error})", "make room and try again: what has come is kept"
        ) from None
    except OSError as error:
        raise target.error(
            f"cannot be written ({error.strerror})", "choose another folder"
        ) from None
    finally:
        progress.end()
    raise target.error(
        f"cannot be fetched ({'; '.join(reasons)})",
        f"try again, or put it there from {address}",
    )


def _fetch_from(url: str, folder: Path, remote: Remote, progress: Progress) -> str | None:
    """What is wrong with the file of an address; None where it is in its place."""
    from surrolab.data.downloads.transfer import discard, transfer

    # Its last suffixes say what kind of archive it is.
    part = folder / f".part-{remote.name}"
    resumed = transfer(url, part, remote, progress)
    wrong = place(part, folder, remote)
    if wrong and resumed:  # perhaps its parts were of different files
        discard(part)
        transfer(url, part, remote, progress)
        wrong = place(part, folder, remote)
    discard(part)
    return wrong
