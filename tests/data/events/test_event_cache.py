"""Binned events on disk: kept, known by content, bounded, and safe against kills and damage."""

import json
import logging
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import Builder
from recorded import shd_file

from surrolab.data.events import cache as cache_module
from surrolab.data.events.binning import Binning
from surrolab.data.events.cache import EventCache
from surrolab.data.events.samples import EventSamples
from surrolab.data.events.sources import ShdRecordings
from surrolab.errors import RunError, UserError

BINNING = Binning(10.0, None, 1, "split")


def open_(root: Path, path: Path, binning: Binning = BINNING) -> cache_module.EventArrays:
    source = ShdRecordings({"": path}, "data.path", units=700)
    return EventCache(root).arrays(source, binning, "data.path")


def folders(root: Path) -> list[str]:
    others = ("digests",)  # there as soon as a source has lain unchanged for a while
    found = [p.name for p in (root / "events").iterdir() if p.is_dir() and p.name[0] != "."]
    return sorted(name for name in found if name not in others)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "own.h5"
    shd_file(path)
    return path


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often recordings were binned: one item each time."""
    counted: list[int] = []
    build = cache_module.build

    def counting(*arguments: object) -> object:
        counted.append(1)
        return build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cache_module, "build", counting)
    return counted


def same(one: cache_module.EventArrays, other: cache_module.EventArrays) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in cache_module.DTYPES
    ) and (one.classes, one.sensor, one.shape, one.steps) == (
        *(other.classes, other.sensor, other.shape, other.steps),
    )


def test_the_second_time_is_read_and_mapped(tmp_path: Path, file: Path, builds: list[int]) -> None:
    first, second = open_(tmp_path, file), open_(tmp_path, file)
    assert len(builds) == 1
    assert same(first, second)
    assert isinstance(second.where.base, np.memmap)
    assert isinstance(second.counts.base, np.memmap)
    assert not second.where.flags.writeable
    assert len(second) == 60


def test_options_and_content_have_folders_of_their_own(
    tmp_path: Path, file: Path, builds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for binning in (
        BINNING,
        Binning(5.0, None, 1, "split"),
        Binning(10.0, 50, 1, "split"),
        Binning(10.0, None, 2, "split"),
        Binning(10.0, None, 1, "merge"),
    ):
        open_(tmp_path, file, binning)
    assert len(builds) == len(folders(tmp_path)) == 5
    # The same content elsewhere is the same.
    shutil.copy(file, tmp_path / "copy.h5")
    open_(tmp_path, tmp_path / "copy.h5")
    assert len(builds) == 5
    # Other content under the same name, size and time of writing is not.
    before = file.stat()
    content = bytearray(file.read_bytes())
    at = content.index(np.array([0, 1, 2, 0, 1, 2], np.uint16).tobytes())
    content[at : at + 4] = np.array([1, 0], np.uint16).tobytes()
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert open_(tmp_path, file).labels[:3].tolist() == [1, 0, 2]
    assert len(builds) == 6
    # So does other code.
    monkeypatch.setattr(cache_module.inspect, "getsource", lambda module: "other")
    open_(tmp_path, file)
    assert len(builds) == 7


def test_a_digest_is_remembered_once_the_file_is_settled(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = tmp_path / "events" / "digests"
    open_(tmp_path, file)
    assert not digests.exists()  # it could be written again within its time stamp
    monkeypatch.setattr("surrolab.data.events.digest.SETTLED", -1.0)
    open_(tmp_path, file)
    assert len(list(digests.iterdir())) == 1

    def never(*arguments: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("surrolab.data.events.digest.hashlib.file_digest", never)
    open_(tmp_path, file)


def cut_short(folder: Path) -> None:
    path = folder / "where.npy"
    path.write_bytes(path.read_bytes()[:-4])


def empty(folder: Path) -> None:
    (folder / "counts.npy").write_bytes(b"")


def missing(folder: Path) -> None:
    (folder / "offsets.npy").unlink()


def of_another_shape(folder: Path) -> None:
    np.save(folder / "labels.npy", np.zeros((60, 1), np.int64))


def of_another_type(folder: Path) -> None:
    np.save(folder / "lengths.npy", np.load(folder / "lengths.npy").astype(np.float64))


def running_back(folder: Path) -> None:
    np.save(folder / "offsets.npy", np.load(folder / "offsets.npy")[::-1].copy())


def longer_than_all(folder: Path) -> None:
    np.save(folder / "lengths.npy", np.load(folder / "lengths.npy") + 1000)


def pickled(folder: Path) -> None:
    np.save(folder / "labels.npy", np.array([{}] * 60, dtype=object), allow_pickle=True)


def no_json(folder: Path) -> None:
    (folder / "meta.json").write_text("{")


def of_another_recipe(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    meta["recipe"]["pool"] = 7
    (folder / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize(
    "spoil",
    [
        *(cut_short, empty, missing, of_another_shape, of_another_type, running_back),
        *(longer_than_all, pickled, no_json, of_another_recipe),
    ],
)
def test_what_is_damaged_is_made_anew(
    spoil: Callable[[Path], None],
    tmp_path: Path,
    file: Path,
    builds: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = open_(tmp_path, file)  # stays mapped, which does not keep others from it
    (name,) = folders(tmp_path)
    spoil(shutil.copytree(tmp_path / "events" / name, tmp_path / "copy"))
    (tmp_path / "events" / name).rename(tmp_path / "old")
    (tmp_path / "copy").rename(tmp_path / "events" / name)
    again = open_(tmp_path, file)
    assert len(builds) == 2
    assert same(good, again)
    assert "damaged" in caplog.text
    caplog.clear()
    open_(tmp_path, file)
    assert len(builds) == 2
    assert not caplog.records


WAITING = "another process bins these events; waiting for it"


def test_two_processes_at_once_bin_once(tmp_path: Path, file: Path) -> None:
    first = Builder(tmp_path, file)
    assert first.says() == "binning"
    second = Builder(tmp_path, file)
    assert second.says() == WAITING
    first.go_on()
    opened = {first.says(), second.says()}
    reference = open_(tmp_path / "other", file)
    assert opened == {("opened", 3600, int(reference.where.sum()))}
    first.end()
    second.end()


def test_a_builder_is_killed_and_the_next_one_goes_on(tmp_path: Path, file: Path) -> None:
    first = Builder(tmp_path, file)
    assert first.says() == "binning"
    second = Builder(tmp_path, file)
    assert second.says() == WAITING
    (left,) = (tmp_path / "events").glob(".*.building")
    assert (left / "where.npy").exists()
    first.kill()
    assert second.says() == "binning"
    second.go_on()
    assert second.says()[:2] == ("opened", 3600)
    second.end()
    assert not list((tmp_path / "events").glob(".*.building"))
    assert same(open_(tmp_path / "other", file), open_(tmp_path, file))


def test_what_a_killed_builder_left_of_other_events_is_removed(tmp_path: Path, file: Path) -> None:
    (tmp_path / "events" / ".0123.building").mkdir(parents=True)
    open_(tmp_path, file)
    assert not list((tmp_path / "events").glob(".*.building"))


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_module.LIMIT, "0.00003")  # less than two of them


@pytest.mark.usefixtures("small_limit")
def test_the_least_recently_used_makes_room(tmp_path: Path, file: Path) -> None:
    for age, step in ((30, 5.0), (20, 10.0), (10, 20.0)):
        open_(tmp_path, file, Binning(step, None, 1, "split"))
        (newest,) = [
            one for one in EventCache(tmp_path).kept() if one.about.endswith(f"{step:g} ms")
        ]
        os.utime(newest.path, times=(time.time() - age,) * 2)
    assert [one.about.split()[-2] for one in EventCache(tmp_path).kept()] == ["20"]


@pytest.mark.usefixtures("small_limit")
def test_what_another_process_uses_is_never_removed(tmp_path: Path, file: Path) -> None:
    user = Builder(tmp_path, file)
    assert user.says() == "binning"
    user.go_on()
    assert user.says()[:2] == ("opened", 3600)
    (used,) = folders(tmp_path)
    for step in (5.0, 20.0, 40.0):
        open_(tmp_path, file, Binning(step, None, 1, "split"))
    assert used in folders(tmp_path)
    assert len(folders(tmp_path)) == 2
    assert EventCache(tmp_path).clear() == (1, 1)
    user.end()
    assert EventCache(tmp_path).clear() == (1, 0)
    assert [path.name for path in (tmp_path / "events").iterdir()] == []


@pytest.mark.parametrize("piece", [512, 1 << 20], ids=["while binning", "at the end"])
def test_where_nothing_can_be_written_events_stay_in_memory(
    piece: int,
    tmp_path: Path,
    file: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("surrolab.data.events.writing.PIECE", piece)
    on_disk = open_(tmp_path, file)
    (tmp_path / "full" / "events").mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        found = open_(tmp_path / "full", file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found.place is None
    assert same(found, on_disk)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "File too large" in record.getMessage()
    assert record.getMessage().endswith("they stay in memory")
    assert folders(tmp_path / "full") == []
    assert not list((tmp_path / "full" / "events").glob(".*.building"))


def test_where_they_fit_nowhere_it_is_said(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "events").write_text("in the way")
    assert open_(tmp_path, file).place is None
    monkeypatch.setattr(cache_module, "_free_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"^data\.root: .* do not fit into memory; allowed: "):
        open_(tmp_path, file)


def test_threads_of_one_process_do_not_wait_for_each_other(tmp_path: Path, file: Path) -> None:
    found: list[cache_module.EventArrays] = []
    threads = [threading.Thread(target=lambda: found.append(open_(tmp_path, file))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 2
    assert same(*found)


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_module.LIMIT, given)
    with pytest.raises(UserError, match=rf"^\${cache_module.LIMIT}: '{given}' is not allowed"):
        cache_module.limit()


def test_an_index_that_is_damaged_is_told_and_not_followed(tmp_path: Path, file: Path) -> None:
    found = open_(tmp_path, file)
    bad = replace(found, where=found.where + np.int32(found.steps * found.size))
    samples = EventSamples.of(bad, np.arange(60), binary=False)
    with pytest.raises(RunError, match=rf"events in {tmp_path}/events/.* are damaged; remove them"):
        samples.batch(torch.arange(4))
