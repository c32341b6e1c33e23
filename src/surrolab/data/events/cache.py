"""Binned events on disk: a folder for each source and way of binning, mapped by who uses it.

A folder appears by a rename, whole or not at all. Who builds it holds one lock alone, so that a
second process waits and then reads; who uses it shares another, which keeps it from being removed
to make room. (Removed all the same, a mapped file stays readable until it is let go: what is
damaged can be built anew while others use it.) Locks end with their process; what a killed builder
has left is removed by the next one.
"""

import contextlib
import hashlib
import inspect
import json
import logging
import os
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from surrolab.data.events.arrays import DTYPES, LONG, EventArrays
from surrolab.data.events.binning import Binning
from surrolab.data.events.digest import content_digest
from surrolab.data.events.recordings import CODE, Recordings, SinkError, build
from surrolab.data.events.writing import META, InMemory, OnDisk
from surrolab.errors import UserError
from surrolab.locks import take

log = logging.getLogger(__name__)

FORMAT = 1
LIMIT = "SURROLAB_EVENTS_GB"
DEFAULT_LIMIT = 20.0


@dataclass(frozen=True)
class Kept:
    """A folder of the cache.

    Attributes:
        path: where it lies.
        nbytes: its size.
        used: when it was last used, seconds since 1970.
        about: what it was made of, in words; empty where that cannot be read.
    """

    path: Path
    nbytes: int
    used: float
    about: str


class EventCache:
    """Binned events under ``root/events``.

    Args:
        root: the folder ``data.root``.

    Raises:
        UserError: the environment's limit is no number.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "events"
        self.limit = limit()

    def arrays(self, source: Recordings, binning: Binning, option: str) -> EventArrays:
        """Return a source's events, binned: from disk where they are there and good.

        Where they cannot be kept they stay in memory, if they fit: that is logged, and no error.

        Args:
            source: the recordings.
            binning: how they are binned.
            option: the option that gave the source, for errors.

        Raises:
            DataFileError: the source cannot be read.
            UserError: there is room for the events neither on disk nor in memory.
            ValueError: the source cannot be binned so.
        """
        recipe = self._recipe(source, binning, option)
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:24]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            used = take(self._lock(key, "used"), shared=True)
        except OSError as error:
            found = self._read(key, recipe)  # a folder that may be read and not written
            found = found or self._in_memory(source, binning, error)
            return replace(found, content=recipe["content"])
        assert used is not None
        try:
            found = self._read(key, recipe) or self._build(key, recipe, source, binning)
        except BaseException:
            used.close()
            raise
        found = replace(found, content=recipe["content"])
        # Shared as long as the arrays live.
        weakref.finalize(found, used.close)
        return found

    def kept(self) -> list[Kept]:
        """Return what is kept, the last used first."""
        found = []
        for path in self._folders():
            try:
                about, used = _about(path), path.stat().st_mtime
                found.append(Kept(path, _size(path), used, about))
            except OSError:
                continue  # removed at this moment
        return sorted(found, key=lambda one: -one.used)

    def clear(self) -> tuple[int, int]:
        """Remove all that no process uses; how many folders that were, and how many are in use."""
        before = self._folders()
        for path in before:
            self._remove(path.name)
        self._remove_leftovers()
        for path in self.folder.glob(".*.used"):
            with self._alone(path.name.split(".")[1]):
                pass  # which leaves no lock behind
        shutil.rmtree(self.folder / "digests", ignore_errors=True)
        left = len(self._folders())
        return len(before) - left, left

    def make_room(self, keep: str) -> None:
        """Remove what was used longest ago until all is within the limit, but for what is in use.

        Args:
            keep: a key that stays.
        """
        self._remove_leftovers()
        kept = self.kept()
        total = sum(one.nbytes for one in kept)
        for one in reversed(kept):
            if total <= self.limit:
                return
            if one.path.name != keep and self._remove(one.path.name):
                total -= one.nbytes

    def _recipe(self, source: Recordings, binning: Binning, option: str) -> dict[str, Any]:
        code = hashlib.sha256()
        for module in (*CODE, *source.modules):
            code.update(inspect.getsource(module).encode())
        files = source.files()
        content = content_digest(files, self.folder / "digests", option) if files else ""
        recipe = {
            "format": FORMAT,
            "source": type(source).__name__,
            "settings": source.settings(),
            "content": content,
            "time_step_us": binning.step_us,
            "steps": binning.steps,
            "pool": binning.pool,
            "polarity": binning.polarity,
            "start": binning.start,
            "code": code.hexdigest(),
        }
        found: dict[str, Any] = json.loads(json.dumps(recipe))  # as it will be read again
        return found

    def _build(
        self, key: str, recipe: dict[str, Any], source: Recordings, binning: Binning
    ) -> EventArrays:
        try:
            lock = take(self._lock(key, "lock"), wait=False)
            if lock is None:
                log.info("another process bins these events; waiting for it")
                lock = take(self._lock(key, "lock"))
            assert lock is not None
            with lock:
                found = self._read(key, recipe)
                if found is None:
                    self._write(key, recipe, source, binning)
                    found = self._read(key, recipe)
                if found is None:
                    raise OSError("what was written cannot be read")
        except OSError as error:
            return self._in_memory(source, binning, error)
        with contextlib.suppress(OSError):
            self.make_room(key)
        return found

    def _write(
        self, key: str, recipe: dict[str, Any], source: Recordings, binning: Binning
    ) -> None:
        place, final = self.folder / f".{key}.building", self.folder / key
        for old in (place, final):
            if old.exists():
                shutil.rmtree(old)
        place.mkdir()
        try:
            with contextlib.closing(OnDisk(place)) as sink:
                sink.finish(build(source, binning, sink), recipe)
            place.rename(final)
        except SinkError as error:
            raise error.reason from None
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _in_memory(self, source: Recordings, binning: Binning, error: OSError) -> EventArrays:
        reason = error.strerror or str(error)
        log.warning(
            "binned events cannot be kept in %s (%s): they stay in memory", self.folder, reason
        )
        sink = InMemory(_free_memory())
        try:
            return sink.arrays(build(source, binning, sink))
        except (SinkError, MemoryError):
            raise UserError(
                f"data.root: binned events cannot be kept in {self.folder} ({reason}) and do not "
                "fit into memory; allowed: a folder with room for them, or fewer steps"
            ) from None

    def _read(self, key: str, recipe: dict[str, Any]) -> EventArrays | None:
        path = self.folder / key
        if not path.exists():
            return None
        try:
            found = _load(path, recipe)
            with contextlib.suppress(OSError):
                os.utime(path)
            return found
        except (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("the binned events in %s are damaged (%s); binning anew", path, error)
            return None

    def _lock(self, key: str, what: str) -> Path:
        return self.folder / f".{key}.{what}"

    def _folders(self) -> list[Path]:
        try:
            return [
                path
                for path in self.folder.iterdir()
                if path.name[0] != "." and path.name != "digests" and path.is_dir()
            ]
        except OSError:
            return []

    def _remove(self, key: str) -> bool:
        with self._alone(key) as alone:
            if alone:
                # Renamed first: what is there is whole, or not there.
                place = self.folder / f".{key}.building"
                with contextlib.suppress(OSError):
                    (self.folder / key).rename(place)
                shutil.rmtree(place, ignore_errors=True)
                return not (self.folder / key).exists()
        return False

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[bool]:
        """Whether no process builds or uses a key; if so, none will in here."""
        with contextlib.ExitStack() as stack:
            alone = True
            for what in ("lock", "used"):
                path = self._lock(key, what)
                try:
                    lock = take(path, wait=False)
                except OSError:
                    lock = None
                if lock is None:
                    alone = False
                    break
                stack.enter_context(lock)
                # Removed while it is held; who waits for it looks for a new one.
                stack.callback(path.unlink, missing_ok=True)
            yield alone

    def _remove_leftovers(self) -> None:
        with contextlib.suppress(OSError):
            for path in list(self.folder.glob(".*.building")):
                with self._alone(path.name.split(".")[1]) as alone:
                    if alone:
                        shutil.rmtree(path, ignore_errors=True)


def limit() -> int:
    """How many bytes the cache may have, from ``$SURROLAB_EVENTS_GB`` or else 20 GB.

    Raises:
        UserError: that is no number from 0.
    """
    given = os.environ.get(LIMIT)
    try:
        most = float(given) if given else DEFAULT_LIMIT
        if not 0 <= most < float("inf"):
            raise ValueError
    except ValueError:
        raise UserError(
            f"${LIMIT}: {given!r} is not allowed; allowed: a number from 0, in GB"
        ) from None
    return int(most * 1e9)


def _load(path: Path, recipe: dict[str, Any]) -> EventArrays:
    meta = json.loads((path / META).read_bytes())
    if meta["recipe"] != recipe:
        raise ValueError("its content is not what its name says")
    arrays: dict[str, Any] = {}
    for name in DTYPES:
        length = meta["lengths"][name]
        # An array of no values cannot be mapped.
        mode: Any = "r" if name in LONG and length else None
        array = np.load(path / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
        if array.shape != (length,):
            raise ValueError(f"{name} has the shape {list(array.shape)}")
        # Seen as a plain array, as slices of mapped ones take microseconds each.
        arrays[name] = np.asarray(array)
    found = EventArrays(
        **arrays,
        classes=[str(name) for name in meta["classes"]],
        sensor=tuple(meta["sensor"]),
        shape=tuple(meta["shape"]),
        steps=meta["steps"],
        place=str(path),
    )
    flaw = found.flaw()
    if flaw is not None:
        raise ValueError(flaw)
    return found


def _about(path: Path) -> str:
    try:
        meta = json.loads((path / META).read_bytes())
        recipe = meta["recipe"]
        settings = " ".join(f"{key}={value}" for key, value in recipe["settings"].items())
        return (
            f"{recipe['source']} {settings}: {meta['lengths']['labels']} recordings, "
            f"{meta['steps']} steps of {recipe['time_step_us'] / 1000:g} ms"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())


def _free_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
