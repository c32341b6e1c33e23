"""Published sets of events, fetched in the archives that they are published in."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from http_files import Fault, HttpFiles, serving
from user_files import words_for

from surrolab.data import PublishedEvents
from surrolab.data.downloads import Remote, provide
from surrolab.data.events import published as events_published
from surrolab.data.formats.problem import DataFileError
from surrolab.data.sources import EVENT_SETS
from surrolab.errors import UserError


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpFiles]:
    with serving() as server:
        monkeypatch.setenv("SURROLAB_MIRROR", server.address)
        yield server


def packed(path: Path, remote: Remote) -> bytes:
    """A file or folder in the archive of its published name."""
    held = io.BytesIO()
    members = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    if remote.name.endswith(".zip"):
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("__MACOSX/._it", "what an archiver leaves")
            for one in members:
                zipped.write(one, one.relative_to(path.parent))
    elif remote.name.endswith(".tar.gz"):
        with tarfile.open(fileobj=held, mode="w:gz") as tar:
            tar.add(path, path.name)
    else:
        held.write(gzip.compress(path.read_bytes()))
    return held.getvalue()


def written(name: str, root: Path) -> list[str]:
    """A small set under ``root`` as it is published; the words that go with it."""
    words = words_for(name, root)
    if name == "dvs_gesture":
        for part in ("ibmGestureTrain", "ibmGestureTest"):
            (root / name / part).mkdir()
        for user in (root / name).glob("user*"):
            part = "ibmGestureTest" if user.name.startswith("user24") else "ibmGestureTrain"
            user.rename(root / name / part / user.name)
    return words


def serve(
    files: HttpFiles, monkeypatch: pytest.MonkeyPatch, name: str, root: Path, *faults: Fault
) -> None:
    """Serve what ``root`` has of a set, whose checksums become those of it."""
    remotes = []
    for remote in EVENT_SETS[name].files:
        content = packed(root / name / (remote.unpacked or remote.name), remote)
        files.add(f"{name}/{remote.name}", content, *faults)
        remotes.append(replace(remote, md5=hashlib.md5(content).hexdigest()))
    known = {**EVENT_SETS, name: replace(EVENT_SETS[name], files=tuple(remotes))}
    monkeypatch.setattr(events_published, "EVENT_SETS", known)


@pytest.mark.parametrize("name", EVENT_SETS)
def test_a_set_is_fetched_unpacked_and_trained(
    name: str, files: HttpFiles, here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = written(name, tmp_path / "own")
    serve(files, monkeypatch, name, tmp_path / "own", Fault(stop_after=300), Fault())
    root = tmp_path / "root"
    words += [f"data={name}", f"data.root={root}", "debug=smoke", "trainer.limit_train_batches=2"]
    status, out, err = here(*words)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    first = EVENT_SETS[name].files[0]
    assert err.startswith(
        f"surrolab: data.root: there is no {root / name / str(first.unpacked)}; allowed: a folder "
        f"with it, which {EVENT_SETS[name].address} has, or data.download=true"
    )
    assert not files.requests
    again = f"hydra.run.dir={tmp_path}/again"
    status, out, err = here(*words, again, "data.download=true", "model.hidden=[8]")
    assert status == 0, err
    # What came before the connection broke is not fetched again.
    remotes = EVENT_SETS[name].files
    wanted = [(f"{name}/{one.name}", at) for one in remotes for at in (None, "bytes=300-")]
    assert files.requests == wanted
    unpacked = {str(remote.unpacked) for remote in remotes}
    assert {path.name for path in (root / name).iterdir()} == {".lock", *unpacked}
    for path in (root / name).rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert path.read_bytes() == (tmp_path / "own" / path.relative_to(root)).read_bytes()
    there = PublishedEvents(name, root=root, val_fraction=0.4)
    own = PublishedEvents(name, root=tmp_path / "own", val_fraction=0.4)
    assert np.array_equal(there.arrays.where, own.arrays.where)
    assert len(files.requests) == len(wanted)


@pytest.mark.parametrize("name", EVENT_SETS)
def test_another_content_than_the_published_is_refused(
    name: str, files: HttpFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No published address is asked: all of them are replaced by the server's."""
    first = EVENT_SETS[name].files[0]
    url = files.add(f"{name}/{first.name}", b"other content")
    known = replace(EVENT_SETS[name], files=(replace(first, urls=(url,)),))
    monkeypatch.setattr(events_published, "EVENT_SETS", {name: known})
    with pytest.raises(DataFileError, match=f"its md5 is .* where {first.md5} is published"):
        PublishedEvents(name, root=tmp_path, download=True)
    assert not (tmp_path / name / str(first.unpacked)).exists()


def test_addresses_and_checksums_are_whole() -> None:
    for name, published in EVENT_SETS.items():
        stages = events_published.STAGES.get(name, ("train", "test"))
        assert len(published.files) == len(stages)
        for remote, stage in zip(published.files, stages, strict=True):
            assert len(bytes.fromhex(remote.md5 or "")) == 16
            assert all(url.startswith("https://") for url in remote.urls)
            assert {"val": "valid"}.get(stage, stage) in remote.name.lower()
    checksums = [remote.md5 for one in EVENT_SETS.values() for remote in one.files]
    assert len(set(checksums)) == len(checksums) == 9


def cut_off(content: bytes) -> bytes:
    return content[:-20]


def wrong_sum(content: bytes) -> bytes:
    return content[:-8] + bytes(4) + content[-4:]


@pytest.mark.parametrize("broken", [cut_off, wrong_sum])
def test_a_gzip_file_that_is_damaged_leaves_nothing(
    broken: Callable[[bytes], bytes], files: HttpFiles, tmp_path: Path
) -> None:
    content = broken(gzip.compress(np.random.default_rng(0).bytes(100_000)))
    url = files.add("x", content)
    remote = Remote("x.h5.gz", (url,), md5=hashlib.md5(content).hexdigest(), unpacked="x.h5")
    known = replace(EVENT_SETS["shd"], files=(remote,))
    with pytest.raises(UserError, match="compressed data are damaged"):
        provide(tmp_path, "shd", known, True)
    assert not list((tmp_path / "shd").glob("x*"))
    assert not list((tmp_path / "shd").glob(".unpacked*"))
