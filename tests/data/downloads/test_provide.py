"""Files fetched from a real server that does what servers do."""

import hashlib
import io
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from http_files import Fault, HttpFiles, serving

from surrolab.data.downloads import Published, Remote, provide, transfer
from surrolab.data.downloads.transfer import less_safe
from surrolab.data.formats.problem import DataFileError
from surrolab.errors import UserError

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpFiles]:
    monkeypatch.setattr(transfer, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(transfer, "TIMEOUTS", (2.0, 0.5))
    with serving() as server:
        yield server


def fetch(root: Path, *remotes: Remote) -> None:
    provide(root, "own", Published("the page", "", remotes), True)


def whole(*urls: str, **options: str | int) -> Remote:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Remote("file.bin", urls, sha256=digest, **options)  # type: ignore[arg-type]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_file_comes_whole_and_alone(
    files: HttpFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = whole(files.add("file.bin", CONTENT))
    with pytest.raises(ValueError, match=r"^root: there is no .*own/file\.bin; allowed: .* page"):
        provide(tmp_path, "own", Published("the page", "", (remote,)), False)
    assert not files.requests
    fetch(tmp_path, remote)
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT
    assert names(tmp_path / "own") == {"file.bin"}
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "own: file.bin: 100 % of 0.3 MB"
    assert len(lines) <= 10
    fetch(tmp_path, remote)
    assert len(files.requests) == 1


@pytest.mark.parametrize("checksum", [True, False])
def test_a_connection_that_breaks_is_gone_on_with(
    files: HttpFiles, tmp_path: Path, checksum: bool
) -> None:
    breaks = [Fault(stop_after=size) for size in (100_000, 0, 0, 50_000, 0)]
    url = files.add("file.bin", CONTENT, *breaks, Fault())
    fetch(tmp_path, whole(url) if checksum else Remote("file.bin", (url,)))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT
    asked = [range_ for _, range_ in files.requests]
    assert asked[0] is None
    assert asked[1:] == [f"bytes={at}-" for at in (100_000, 100_000, 100_000, 150_000, 150_000)]
    assert files.sent == len(CONTENT)  # nothing twice


def test_without_ranges_it_starts_over(files: HttpFiles, tmp_path: Path) -> None:
    url = files.add("file.bin", CONTENT, Fault(stop_after=100_000), Fault(whole=True))
    fetch(tmp_path, whole(url))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT
    assert files.sent == 100_000 + len(CONTENT)


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("validators", [True, False])
def test_a_file_that_changes_on_the_server_starts_over(
    files: HttpFiles, tmp_path: Path, checksum: bool, validators: bool
) -> None:
    """Without an ETag the checksum tells, once the parts are put together."""
    files.validators = validators
    first = Fault(stop_after=100_000, body=OTHER)
    url = files.add("file.bin", CONTENT, first, Fault())
    fetch(tmp_path, whole(url) if checksum else Remote("file.bin", (url,)))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "fault",
    [
        Fault(shift=10),  # another part than was asked for
        Fault(headers={"Content-Range": "bytes 5-10/11"}),
    ],
)
def test_another_part_than_was_asked_for_is_not_put_in(
    files: HttpFiles, tmp_path: Path, fault: Fault
) -> None:
    url = files.add("file.bin", CONTENT, Fault(stop_after=100_000), fault, Fault())
    fetch(tmp_path, Remote("file.bin", (url,)))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


def test_a_file_that_has_become_shorter_starts_over(files: HttpFiles, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".part-file.bin").write_bytes(CONTENT * 2)
    files.validators = False
    fetch(tmp_path, whole(files.add("file.bin", CONTENT)))
    assert files.statuses == [416, 200]
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


def test_what_was_whole_when_it_was_killed_is_not_fetched_again(
    files: HttpFiles, tmp_path: Path
) -> None:
    remote = whole(files.add("file.bin", CONTENT))
    (tmp_path / "own").mkdir()
    part = tmp_path / "own" / ".part-file.bin"
    transfer.transfer(remote.urls[0], part, remote, transfer.Progress("own"))
    fetch(tmp_path, remote)
    assert len(files.requests) == 1
    assert names(tmp_path / "own") == {"file.bin"}


def test_the_next_address_is_tried_and_goes_on_with_what_the_first_sent(
    files: HttpFiles, tmp_path: Path
) -> None:
    urls = [
        files.add("absent.bin", b"", Fault(status=404)),
        files.add("breaks.bin", CONTENT, Fault(stop_after=100_000), Fault(stop_after=0)),
        files.add("good.bin", CONTENT),
    ]
    fetch(tmp_path, whole(*urls))
    assert files.requests[-1] == ("good.bin", "bytes=100000-")
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


def test_a_server_that_is_busy_is_asked_again(files: HttpFiles, tmp_path: Path) -> None:
    busy = [Fault(status=503, headers={"Retry-After": "0"}), Fault(status=429), Fault()]
    fetch(tmp_path, whole(files.add("file.bin", CONTENT, *busy)))
    assert files.statuses == [503, 429, 200]


def test_a_server_that_falls_silent_is_asked_again(files: HttpFiles, tmp_path: Path) -> None:
    url = files.add("file.bin", CONTENT, Fault(wait=1.0), Fault(wait=0.001))
    fetch(tmp_path, whole(url))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


def test_an_encoding_is_not_undone(files: HttpFiles, tmp_path: Path) -> None:
    url = files.add("file.bin", CONTENT, Fault(headers={"Content-Encoding": "gzip"}))
    fetch(tmp_path, whole(url))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


WRONG = {
    "404": (Fault(status=404), "the server says 404 Not Found"),
    "503": (Fault(status=503), "the server says 503 Service Unavailable"),
    "content": (Fault(body=OTHER), "its sha256 is "),
    "size": (Fault(body=OTHER[:5]), "it has 5 bytes where 300000 are published"),
    "file": (
        Fault(status=302, headers={"Location": "file:///etc/passwd"}),
        "it leads to what is neither http nor https",
    ),
    "loop": (Fault(status=302, headers={"Location": "/file.bin"}), "(TooManyRedirects)"),
    "breaks": (Fault(stop_after=0), "the connection broke"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line_and_nothing_is_put_there(
    files: HttpFiles, tmp_path: Path, name: str
) -> None:
    fault, line = WRONG[name]
    remote = whole(files.add("file.bin", CONTENT, fault), size=len(CONTENT))
    with pytest.raises(DataFileError) as error:
        fetch(tmp_path, remote)
    text = str(error.value)
    assert text.startswith(f"data.root: {tmp_path / 'own' / 'file.bin'}: cannot be fetched (http")
    assert line in text
    assert text.endswith("; try again, or put it there from the page")
    assert "\n" not in text
    assert not names(tmp_path / "own") - {".part-file.bin", ".part-file.bin.json"}


def test_more_than_is_published_is_not_waited_for(files: HttpFiles, tmp_path: Path) -> None:
    big = Fault(chunked=True, body=CONTENT * 10)
    with pytest.raises(DataFileError, match="the server sends more than 300000 bytes"):
        fetch(tmp_path, whole(files.add("file.bin", CONTENT, big), size=len(CONTENT)))
    assert files.sent < 10 * len(CONTENT)


def test_a_password_is_not_told(files: HttpFiles, tmp_path: Path) -> None:
    files.add("file.bin", CONTENT, Fault(stop_after=10))
    address = files.address.replace("://", "://me:secret@")
    with pytest.raises(DataFileError) as error:
        fetch(tmp_path, whole(f"{address}file.bin"))
    assert f"({files.address}file.bin: " in str(error.value)
    state = (tmp_path / "own" / ".part-file.bin.json").read_text()
    assert "secret" not in f"{error.value} {state}"


def test_no_server_at_all(files: HttpFiles, tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="there is no connection"):
        fetch(tmp_path, whole("http://127.0.0.1:9/file.bin"))


def test_a_page_is_not_taken_for_a_file_of_unknown_content(
    files: HttpFiles, tmp_path: Path
) -> None:
    page = Fault(headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<html>sorry</html>")
    url = files.add("file.bin", CONTENT, page)
    with pytest.raises(DataFileError, match="a page, not the file"):
        fetch(tmp_path, Remote("file.bin", (url,)))


def test_without_a_published_checksum_another_content_is_told(
    files: HttpFiles, tmp_path: Path
) -> None:
    remote = Remote("file.bin", (files.add("file.bin", CONTENT),))
    fetch(tmp_path, remote)
    record = tmp_path / "own" / "file.bin.sha256"
    assert record.read_text() == f"{hashlib.sha256(CONTENT).hexdigest()}  file.bin\n"
    (tmp_path / "own" / "file.bin").unlink()
    files.files["file.bin"] = OTHER
    with pytest.raises(DataFileError, match=r"its sha256 is .* and was .* remove .*\.sha256"):
        fetch(tmp_path, remote)
    record.unlink()
    fetch(tmp_path, remote)
    assert (tmp_path / "own" / "file.bin").read_bytes() == OTHER


def test_leaving_https_is_seen() -> None:
    assert less_safe(["https://a/x", "http://b/x"])
    assert less_safe(["http://a/x", "https://b/x", "HTTP://c/x"])
    assert not less_safe(["http://a/x", "https://b/x"])
    assert not less_safe(["https://a/x", "https://b/x"])


def archive(names: list[str], kind: str) -> bytes:
    held = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(held, "w") as zipped:
            for name in names:
                zipped.writestr(name, f"content of {name}")
    else:
        with tarfile.open(fileobj=held, mode="w:gz") as tar:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = 5
                tar.addfile(info, io.BytesIO(b"bytes"))
    return held.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("inner", ["set/", ""], ids=["in a folder", "flat"])
def test_an_archive_becomes_its_folder(
    files: HttpFiles, tmp_path: Path, kind: str, inner: str
) -> None:
    content = archive([f"{inner}a.txt", f"{inner}b/c.txt"], kind)
    url = files.add("x", content)
    remote = Remote(f"set.{kind}", (url,), unpacked="set", holds=("set/a.txt", "set/b/c.txt"))
    fetch(tmp_path, remote)
    assert names(tmp_path / "own") == {"set", f"set.{kind}.sha256"}
    assert names(tmp_path / "own" / "set") == {"a.txt", "b"}
    fetch(tmp_path, remote)
    assert len(files.requests) == 1


BAD_ARCHIVES = {
    "no archive": b"<html>",
    "cut off": archive(["set/a.txt"], "zip")[:-30],
    "leads outside": archive(["../a.txt"], "zip"),
    "other content": archive(["set/z.txt"], "zip"),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_an_archive_that_is_none_leaves_nothing(
    files: HttpFiles, tmp_path: Path, name: str
) -> None:
    urls = files.add("bad.zip", BAD_ARCHIVES[name]), files.add("x", archive(["a.txt"], "zip"))
    holds = ("set/a.txt",)
    with pytest.raises(DataFileError, match=r"no such archive|there is no a\.txt in it"):
        fetch(tmp_path, Remote("set.zip", urls[:1], unpacked="set", holds=holds))
    assert not names(tmp_path / "own")
    assert not (tmp_path / "a.txt").exists()
    fetch(tmp_path, Remote("set.zip", urls, unpacked="set", holds=holds))
    assert (tmp_path / "own" / "set" / "a.txt").exists()


def test_a_place_that_is_taken_is_told_before_anything_is_fetched(
    files: HttpFiles, tmp_path: Path
) -> None:
    (tmp_path / "own" / "set").mkdir(parents=True)
    (tmp_path / "own" / "set" / "mine.txt").write_text("mine")
    remote = Remote("set.zip", (files.add("x", b""),), unpacked="set", holds=("set/a.txt",))
    with pytest.raises(DataFileError, match="is there already and not whole"):
        fetch(tmp_path, remote)
    assert not files.requests


def test_two_at_once_fetch_it_once(files: HttpFiles, tmp_path: Path) -> None:
    remote = whole(files.add("file.bin", CONTENT, Fault(wait=0.02)))
    threads = [threading.Thread(target=fetch, args=(tmp_path, remote)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.sent == len(CONTENT)
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT


def test_mirrors_come_first(
    files: HttpFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.add("second/own/file.bin", CONTENT)
    monkeypatch.setenv("SURROLAB_MIRROR", f"{files.address}first {files.address}second/")
    fetch(tmp_path, whole(f"{files.address}published.bin"))
    asked = [path for path, _ in files.requests]
    assert asked == ["first/own/file.bin", "second/own/file.bin"]
    monkeypatch.setenv("SURROLAB_MIRROR", "file:///etc/")
    with pytest.raises(UserError, match=r"^SURROLAB_MIRROR: 'file:///etc/' is not allowed"):
        fetch(tmp_path / "elsewhere", whole("http://127.0.0.1:9/file.bin"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_is_told_and_nothing_is_lost(files: HttpFiles, disk: Path) -> None:
    big = CONTENT * 3
    remote = Remote("file.bin", (files.add("file.bin", big),))
    filler = disk / "filler"
    filler.write_bytes(bytes(400_000))
    with pytest.raises(DataFileError, match=r"the disk is full \(0\.9 MB are to come and 0\.6 MB"):
        fetch(disk, remote)
    assert files.sent < len(big)
    # A server that does not say how much is to come.
    length = Fault(headers={"Content-Length": ""})
    files.add("file.bin", big, length, Fault())
    with pytest.raises(DataFileError, match=r"the disk is full .*what has come is kept"):
        fetch(disk, remote)
    kept = (disk / "own" / ".part-file.bin").stat().st_size
    assert kept > 500_000
    filler.unlink()
    fetch(disk, remote)
    assert (disk / "own" / "file.bin").read_bytes() == big
    assert files.requests[-1] == ("file.bin", f"bytes={kept}-")
    assert files.statuses[-1] == 206


def test_a_disk_that_is_full_only_once_it_is_unpacked(files: HttpFiles, disk: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a.txt", bytes(2_000_000))
    url = files.add("x", held.getvalue())
    with pytest.raises(DataFileError, match="the disk is full"):
        fetch(disk, Remote("set.zip", (url,), unpacked="set"))
    assert names(disk / "own") == {".part-set.zip", ".part-set.zip.json"}
    shutil.rmtree(disk / "own")


def test_a_folder_that_cannot_be_made(files: HttpFiles, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file")
    with pytest.raises(DataFileError, match="cannot be written to"):
        fetch(tmp_path, whole(files.add("file.bin", CONTENT)))
    assert not files.requests


def test_a_body_in_chunks_of_unknown_length(files: HttpFiles, tmp_path: Path) -> None:
    url = files.add("file.bin", CONTENT, Fault(chunked=True, stop_after=100_000), Fault())
    fetch(tmp_path, whole(url))
    assert (tmp_path / "own" / "file.bin").read_bytes() == CONTENT
    assert files.requests[1] == ("file.bin", "bytes=100000-")
