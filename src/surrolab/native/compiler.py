"""Compiles C text to a library, and keeps it for the next process.

The file's name is the hash of the text, the flags, and all that the compiler predefines for this
machine: its version and the processor's features. A cache folder that several machines share
therefore never hands one of them code that it cannot run. A library appears in the folder by a
rename, whole or not at all, so that two processes that compile the same do not meet. Behind its end
stands the hash of what is before it: to load a library that was cut off ends the process.
"""

import contextlib
import ctypes
import functools
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import platformdirs

log = logging.getLogger(__name__)

# Strict arithmetic, as torch does it: no fused multiply-add, NaN and infinities kept. Neither
# errno nor floating-point traps are looked at, which lets the loops be vectorised.
STRICT = ("-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# How much the compiler is to try: the loops of neurons, made anew for each surrogate, gain nothing
# from -O3 and compile a third longer with it; accumulators in registers want it.
QUICKLY = ("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic")
THOROUGHLY = ("-O3",)
# Each is left out where the compiler does not know it.
WANTED = ("-march=native", "-fopenmp")
LONGEST = 120.0  # seconds for one compilation


class CompilerError(RuntimeError):
    """There is no C compiler, it does not work, or the cache cannot be written; in one line."""


def cache_folder() -> Path:
    """Where libraries are kept: ``$SURROLAB_CACHE``, or the user's cache directory."""
    given = os.environ.get("SURROLAB_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("surrolab") / "kernels"


def available() -> str | None:
    """Why nothing can be compiled here, or None where it can: what is not known yet is tried."""
    return _available(os.environ.get("SURROLAB_CACHE"), os.environ.get("CC"))


@functools.lru_cache(maxsize=16)
def _available(cache: str | None, cc: str | None) -> str | None:
    try:
        library("int surrolab_works(void) { return 1; }\n")
    except CompilerError as error:
        return str(error)
    return None


def library(source: str, effort: tuple[str, ...] = QUICKLY) -> ctypes.CDLL:
    """The library made of C text, loaded; from this process, the disk, or the compiler.

    Args:
        source: the text.
        effort: how much the compiler is to try, :data:`QUICKLY` or :data:`THOROUGHLY`.

    Raises:
        CompilerError: it cannot be compiled or kept.
    """
    return _library(source, effort, str(cache_folder()), os.environ.get("CC", ""))


_LOCK = threading.Lock()
_LOADED: dict[tuple[str, tuple[str, ...], str, str], ctypes.CDLL | CompilerError] = {}


def _library(source: str, effort: tuple[str, ...], folder: str, cc: str) -> ctypes.CDLL:
    key = (source, effort, folder, cc)
    with _LOCK:
        found = _LOADED.get(key)
        if found is None:
            try:
                found = _load(source, effort, Path(folder), cc)
            except CompilerError as error:
                found = error
            _LOADED[key] = found
    if isinstance(found, CompilerError):
        raise found
    return found


def _load(source: str, effort: tuple[str, ...], folder: Path, cc: str) -> ctypes.CDLL:
    compiler, machine = _compiler(cc)
    text = "\0".join([source, *STRICT, *effort, *WANTED, machine, "sealed"])
    path = folder / f"{sha256(text.encode()).hexdigest()[:32]}.so"
    if path.exists():
        try:
            return _load_sealed(path)
        except OSError as error:
            log.warning("the compiled kernel %s cannot be loaded (%s): made anew", path, error)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _tidy(folder)
        # Built beside its place: only within a file system is a rename one step.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".compiling-") as scratch:
            made = _compile(compiler, source, effort, Path(scratch))
            try:
                loaded = ctypes.CDLL(str(made))  # a library that cannot be loaded is not kept
            except OSError as error:
                made_by = " ".join(compiler)
                raise CompilerError(
                    f"the compiler {made_by} made a library that cannot be loaded: {error}"
                ) from error
            _seal(made)
            made.replace(path)
            return loaded
    except OSError as error:
        raise CompilerError(f"the cache {folder} cannot be used: {error}") from error


def _tidy(folder: Path) -> None:
    """Remove what processes that were killed while they compiled have left."""
    for left in folder.glob(".compiling-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 10 * LONGEST:
                shutil.rmtree(left, ignore_errors=True)


def _seal(path: Path) -> None:
    digest = sha256(path.read_bytes()).digest()
    with path.open("ab") as file:
        file.write(digest)


def _load_sealed(path: Path) -> ctypes.CDLL:
    content = path.read_bytes()
    if sha256(content[:-32]).digest() != content[-32:]:
        raise OSError("it is damaged")
    return ctypes.CDLL(str(path))


def _compile(compiler: Sequence[str], source: str, effort: Sequence[str], scratch: Path) -> Path:
    text, made = scratch / "kernel.c", scratch / "kernel.so"
    text.write_text(source)
    complaint = ""
    for known in (WANTED, WANTED[:1], WANTED[1:], ()):
        flags = [*STRICT, *effort, *known, "-shared", "-fPIC"]
        done = _call(*compiler, *flags, "-o", str(made), str(text), "-lm")
        if done.returncode == 0 and made.exists():
            return made
        complaint = complaint or _first_line(done.stderr) or f"status {done.returncode}"
    raise CompilerError(f"the compiler {' '.join(compiler)} fails: {complaint}")


@functools.lru_cache(maxsize=8)
def _compiler(cc: str) -> tuple[tuple[str, ...], str]:
    """The words that start the compiler, and what it predefines for this machine."""
    for words in [shlex.split(cc)] if cc.strip() else [["cc"], ["gcc"], ["clang"]]:
        path = shutil.which(words[0])
        if path is None:
            continue
        start = (path, *words[1:])  # such as ccache gcc
        for flags in ([WANTED[0]], []):
            done = _call(*start, *flags, "-dM", "-E", "-x", "c", os.devnull)
            if done.returncode == 0 and done.stdout:
                return start, done.stdout
        raise CompilerError(f"the compiler {path} fails: {_first_line(done.stderr) or 'no output'}")
    raise CompilerError(f"there is no C compiler ({cc or 'cc, gcc or clang'})")


def _call(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CompilerError(f"the compiler {words[0]} takes more than {LONGEST:.0f} s") from error
    except OSError as error:
        raise CompilerError(f"the compiler {words[0]} cannot be started: {error}") from error


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "error" in line.lower()]
    return (wrong or lines or [""])[0][:300]
