"""C compiled at run time: kept, shared, and never in the way when it cannot be."""

import contextlib
import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from surrolab.native import CompilerError, available, compiler, library

ANSWER = "int answer(void) { return 42; }\n"
REAL = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)

pytestmark = pytest.mark.skipif(REAL is None, reason="there is no C compiler here")

# A process that asks for one library and says what it computes. Torch is not imported.
ASKING = """
import os, sys, time
from surrolab.native import CompilerError, library
while len(sys.argv) > 2 and not os.path.exists(sys.argv[2]):
    time.sleep(0.002)
try:
    print(library(sys.argv[1]).answer())
except CompilerError as error:
    print("CompilerError:", error)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("SURROLAB_CACHE", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder


def script(path, body):
    """A compiler of our own; ``$out`` is where the library is to go, empty if it asks for none."""
    find = 'out=; before=; for word; do [ "$before" = -o ] && out=$word; before=$word; done\n'
    path.write_text(f'#!/bin/sh\necho "$@" >> {path}.log\n{find}{body}\n')
    path.chmod(0o755)
    return str(path)


def compilations(cc):
    """The calls that were to make a library; the others ask what is predefined."""
    return [line for line in Path(f"{cc}.log").read_text().splitlines() if "-shared" in line]


def start(source=ANSWER, *words, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", ASKING, source, *map(str, words)],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(source=ANSWER, **variables):
    """Standard output and standard error of a new process."""
    process = start(source, **variables)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (process.returncode, err)
    return out.strip(), err.strip()


def test_a_library_is_compiled_and_loaded_once_in_a_process(cache, tmp_path, monkeypatch):
    cc = script(tmp_path / "cc", f'exec {REAL} "$@"')
    monkeypatch.setenv("CC", cc)
    one = library(ANSWER)
    assert one.answer() == 42
    assert library(ANSWER) is one
    assert len(compilations(cc)) == 1
    assert [path.suffix for path in cache.iterdir()] == [".so"]
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_new_process_finds_it_on_the_disk(cache, tmp_path):
    cc = script(tmp_path / "cc", f'exec {REAL} "$@"')
    assert ask(CC=cc) == ("42", "")
    assert len(compilations(cc)) == 1
    (path,) = cache.iterdir()
    made = path.stat().st_mtime_ns
    assert ask(CC=cc) == ("42", "")
    assert len(compilations(cc)) == 1
    assert path.stat().st_mtime_ns == made


def test_text_flags_and_compiler_are_in_the_name(cache, tmp_path, monkeypatch):
    def made(**variables):
        before = set(cache.iterdir()) if cache.exists() else set()
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            assert library(ANSWER).answer() == 42
        return set(cache.iterdir()) - before

    assert len(made()) == 1
    assert library("int answer(void) { return 43; }\n").answer() == 43
    assert len(list(cache.iterdir())) == 2
    # The same compiler by another way: the same code, so that nothing is made.
    assert made(CC=script(tmp_path / "same", f'exec {REAL} "$@"')) == set()
    # Whatever it predefines is what tells one compiler, and one processor, from another.
    assert len(made(CC=script(tmp_path / "other", f'exec {REAL} -D__other__=1 "$@"'))) == 1
    monkeypatch.setattr(compiler, "STRICT", (*compiler.STRICT, "-O3"))
    assert len(made(CC=script(tmp_path / "again", f'exec {REAL} "$@"'))) == 1


def test_the_cache_of_the_user_is_taken_where_none_is_given(monkeypatch, tmp_path):
    monkeypatch.delenv("SURROLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert ask() == ("42", "")
    assert len(list((tmp_path / "home" / "surrolab" / "kernels").glob("*.so"))) == 1


def test_several_processes_at_once(cache, tmp_path):
    """All of them are in the compiler at the same time, and all get what they asked for."""
    cc = script(tmp_path / "cc", f'[ -n "$out" ] && sleep 0.5; exec {REAL} "$@"')
    go = tmp_path / "go"
    processes = [start(ANSWER, go, CC=cc) for _ in range(4)]
    time.sleep(0.3)
    go.touch()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.strip(), err) == (0, "42", "")
    assert len(compilations(cc)) > 1, "they did not meet"
    assert [path.suffix for path in cache.iterdir()] == [".so"], "something was left behind"
    assert ask(CC=cc) == ("42", "")


def test_several_threads_at_once_compile_once(tmp_path, monkeypatch):
    cc = script(tmp_path / "cc", f'[ -n "$out" ] && sleep 0.2; exec {REAL} "$@"')
    monkeypatch.setenv("CC", cc)
    found = []
    threads = [threading.Thread(target=lambda: found.append(library(ANSWER))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.answer() for one in found] == [42] * 6
    assert len(compilations(cc)) == 1


# What a crash of the machine, a full disk or a careless copy can make of a file.
BROKEN = {
    "empty": lambda whole: b"",
    "no library": lambda whole: b"garbage\n" * 500,
    "its head": lambda whole: whole[:100],
    "a quarter": lambda whole: whole[: len(whole) // 4],
    "half": lambda whole: whole[: len(whole) // 2],
    "three quarters": lambda whole: whole[: 3 * len(whole) // 4],
    "zeros at its end": lambda whole: whole[: len(whole) // 2].ljust(len(whole), b"\0"),
    "zeros": lambda whole: bytes(len(whole)),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_library_that_was_damaged_is_made_anew(cache, how):
    assert ask() == ("42", "")
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(BROKEN[how](whole))
    out, err = ask()
    assert out == "42"
    assert err.count("\n") == 0
    assert "cannot be loaded" in err
    assert "made anew" in err
    assert list(cache.iterdir()) == [path]
    assert ask() == ("42", "")


def test_what_stands_in_the_place_of_a_library_is_said(cache):
    assert ask() == ("42", "")
    (path,) = cache.iterdir()
    path.unlink()
    path.mkdir()
    (path / "file").touch()
    out, _ = ask()
    assert out.startswith(f"CompilerError: the cache {cache} cannot be used: ")
    assert list(cache.iterdir()) == [path]


def complaint(source=ANSWER):
    with pytest.raises(CompilerError) as error:
        library(source)
    line = str(error.value)
    assert line.count("\n") == 0
    with pytest.raises(CompilerError) as again:
        library(source)
    assert str(again.value) == line, "it was tried again"
    return line


def test_no_compiler(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert complaint() == "there is no C compiler (no-such-compiler)"
    assert available() == "there is no C compiler (no-such-compiler)"
    assert not cache.exists()
    (tmp_path / "empty").mkdir()
    out, err = ask(PATH=str(tmp_path / "empty"), CC="")
    assert out == "CompilerError: there is no C compiler (cc, gcc or clang)"
    assert err == ""


def test_a_compiler_that_cannot_be_started(monkeypatch, tmp_path):
    path = tmp_path / "cc"
    path.write_bytes(b"\x7fELF, or so it says")
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    assert complaint().startswith(f"the compiler {path} cannot be started: ")


def test_a_compiler_that_always_fails(cache, monkeypatch, tmp_path):
    cc = script(tmp_path / "cc", "echo 'licence error: expired' >&2; exit 1")
    monkeypatch.setenv("CC", cc)
    assert complaint() == f"the compiler {cc} fails: licence error: expired"
    assert available() == f"the compiler {cc} fails: licence error: expired"
    calls = len(Path(f"{cc}.log").read_text().splitlines())
    assert available() is not None
    assert len(Path(f"{cc}.log").read_text().splitlines()) == calls, "it was tried again"


# The compiler's answer to what it predefines is right; then comes the compilation.
FAILING = {
    "says nothing": ("exit 3", "status 3"),
    "complains": ("echo 'kernel.c:1: error: no'  >&2; exit 1", "kernel.c:1: error: no"),
    "makes nothing": ("exit 0", "status 0"),
    "makes garbage": ('echo garbage > "$out"', "cannot be loaded"),
    "makes an empty file": (': > "$out"', "cannot be loaded"),
    "dies half-way": (
        f'{REAL} "$@"; head -c 5000 "$out" > "$out.half"; mv "$out.half" "$out"; kill -KILL $$',
        "status -9",
    ),
}


@pytest.mark.parametrize("how", FAILING)
def test_a_compiler_that_fails_leaves_nothing(cache, monkeypatch, tmp_path, how):
    body, words = FAILING[how]
    cc = script(tmp_path / "cc", f'[ -n "$out" ] || exec {REAL} "$@"\n{body}')
    monkeypatch.setenv("CC", cc)
    line = complaint()
    assert line.startswith(f"the compiler {cc} ")
    assert words in line
    assert (available() or "").startswith(f"the compiler {cc} ")
    assert list(cache.iterdir()) == []
    # Whoever has a better compiler is not stopped by it.
    assert ask(CC=REAL) == ("42", "")


def test_a_compiler_that_hangs_is_given_up(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "LONGEST", 0.5)
    cc = script(tmp_path / "cc", f'[ -n "$out" ] || exec {REAL} "$@"\nexec sleep 60')
    monkeypatch.setenv("CC", cc)
    began = time.monotonic()
    assert complaint().startswith(f"the compiler {cc} takes more than ")
    assert time.monotonic() - began < 10
    assert list(cache.iterdir()) == []
    assert len(compilations(cc)) == 1, "it was tried again with other flags"


def test_flags_that_a_compiler_does_not_know_are_left_out(cache, monkeypatch, tmp_path):
    refuse = 'case "$*" in *{}*) echo "error: unknown option" >&2; exit 1;; esac\n'
    cc = script(tmp_path / "cc", refuse.format("-fopenmp") + f'exec {REAL} "$@"')
    monkeypatch.setenv("CC", cc)
    assert library(ANSWER).answer() == 42
    assert ["-march=native" in line for line in compilations(cc)] == [True, True]
    generic = script(tmp_path / "generic", refuse.format("-march") + f'exec {REAL} "$@"')
    monkeypatch.setenv("CC", generic)
    assert library("int answer(void) { return 6; }\n").answer() == 6
    assert "-fopenmp" in compilations(generic)[-1]
    bare = script(
        tmp_path / "bare", refuse.format("-march") + refuse.format("-fopenmp") + f'exec {REAL} "$@"'
    )
    monkeypatch.setenv("CC", bare)
    assert library("int answer(void) { return 7; }\n").answer() == 7
    assert "-march" not in compilations(bare)[-1]


def test_a_process_killed_while_it_compiles_leaves_no_library(cache, tmp_path):
    started = tmp_path / "started"
    slow = f'[ -n "$out" ] && {{ echo half > "$out"; touch {started}; sleep 1; }}; exec {REAL} "$@"'
    process = start(CC=script(tmp_path / "cc", slow))
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(cache.glob("*.so")) == []
    assert ask() == ("42", "")
    assert len(list(cache.glob("*.so"))) == 1


def test_a_cache_whose_parent_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SURROLAB_CACHE", str(tmp_path / "file" / "cache"))
    assert complaint().startswith(f"the cache {tmp_path}/file/cache cannot be used: ")
    assert available() is not None
    monkeypatch.setenv("SURROLAB_CACHE", str(tmp_path / "file"))
    assert complaint().startswith(f"the cache {tmp_path}/file cannot be used: ")


@pytest.fixture
def mounted(tmp_path):
    """A file system of its own, 64 kB large, which can be mounted again with other options."""
    place = tmp_path / "mounted"
    place.mkdir()

    def mount(options):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "surrolab-test", str(place)],
            capture_output=True,
            text=True,
        )
        return done.returncode == 0

    if shutil.which("mount") is None or not mount("size=64k"):
        pytest.skip("nothing can be mounted here (it takes root)")

    def again(options):
        assert mount(f"remount,{options}")

    yield place, again
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full(mounted, monkeypatch):
    place, _ = mounted
    with (place / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))
    monkeypatch.setenv("SURROLAB_CACHE", str(place / "cache"))
    assert "No space left on device" in complaint()
    # Room for the folder and the text, and not for the library.
    with (place / "filling").open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) - 8192)
    source = "static char large[200000] = {1};\nint answer(void) { return large[7]; }\n"
    complaint(source)
    left = [path for path in place.rglob("*") if path.suffix == ".so"]
    assert left == []
    (place / "filling").unlink()
    assert ask() == ("42", "")


def test_a_cache_that_can_only_be_read_is_read(mounted, monkeypatch):
    place, again = mounted
    monkeypatch.setenv("SURROLAB_CACHE", str(place))
    assert ask() == ("42", "")
    again("ro")
    assert ask() == ("42", "")
    out, _ = ask("int answer(void) { return 1; }\n")
    assert out.startswith(f"CompilerError: the cache {place} cannot be used: ")
    assert "Read-only" in out


def test_a_cache_from_which_nothing_may_be_run(mounted, monkeypatch):
    place, again = mounted
    monkeypatch.setenv("SURROLAB_CACHE", str(place))
    again("noexec")
    out, err = ask()
    assert out.startswith("CompilerError: ")
    assert "cannot be loaded" in out
    assert err == ""
    assert list(place.iterdir()) == []


def test_available_says_so_and_remembers(tmp_path, monkeypatch):
    cc = script(tmp_path / "cc", f'exec {REAL} "$@"')
    monkeypatch.setenv("CC", cc)
    assert available() is None
    assert available() is None
    assert len(compilations(cc)) == 1


def test_nothing_is_said_where_all_is_well(caplog):
    with caplog.at_level(logging.DEBUG):
        assert isinstance(library(ANSWER), ctypes.CDLL)
    assert caplog.records == []


def test_a_compiler_may_be_several_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURROLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", f"{shutil.which('env')} LC_ALL=C {shutil.which('cc')}")
    assert library("int seven(void) { return 7; }\n").seven() == 7


def test_what_a_killed_compilation_left_is_removed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURROLAB_CACHE", str(tmp_path))
    old, new = tmp_path / ".compiling-old", tmp_path / ".compiling-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "kernel.c").write_text("int unfinished")
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    library("int eight(void) { return 8; }\n")
    assert not old.exists()
    assert new.exists()
