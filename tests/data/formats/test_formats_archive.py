"""Archives: what was packed is unpacked, whole or not at all."""

import gzip
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from broken_files import BROKEN
from hypothesis import given, settings
from hypothesis import strategies as st
from valid_files import FORMATS, MEMBERS, NMNIST, OPTION, tarred, unpacked, zipped

from surrolab.data.formats.archive import unpack
from surrolab.data.formats.problem import DataFileError

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


@pytest.mark.parametrize("key", ["zip", "tar", "tar gz"])
def test_what_was_packed_is_unpacked(tmp_path: Path, key: str) -> None:
    path = tmp_path / FORMATS[key].name
    path.write_bytes(FORMATS[key].content)
    target = tmp_path / "deep" / "target"
    assert unpack(path, target, OPTION) == target
    found = {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == MEMBERS
    assert os.listdir(target.parent) == ["target"]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert target.stat().st_mode == plain.stat().st_mode
    with pytest.raises(DataFileError, match="target is there already"):
        unpack(path, target, OPTION)
    assert unpack(path, plain, OPTION) == plain  # empty


def test_a_single_file(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(NMNIST))
    assert unpacked(path) == {"train-images-idx3-ubyte": NMNIST}


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(NAMES, st.binary(max_size=3000), min_size=1, max_size=4))
def test_any_names_and_content(folder: Path, members: dict[str, bytes]) -> None:
    for name, content in (("a.zip", zipped(members)), ("a.tar", tarred(dict(members)))):
        (folder / name).write_bytes(content)
        assert unpacked(folder / name) == members


def test_folders_and_their_order(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("./a/b/")
    folder.type = tarfile.DIRTYPE
    root = tarfile.TarInfo("./")
    root.type = tarfile.DIRTYPE
    content = tarred({"./": root, "a/c": b"c", "./a/b/": folder, "./a/b/d": b"d"})
    (tmp_path / "a.tar").write_bytes(content)
    assert unpacked(tmp_path / "a.tar") == {"a/c": b"c", "a/b/d": b"d"}


@pytest.mark.parametrize("key", ["zip", "tar", "tar gz"])
def test_what_is_too_much(tmp_path: Path, key: str) -> None:
    path = tmp_path / FORMATS[key].name
    path.write_bytes(FORMATS[key].content)
    with pytest.raises(DataFileError, match="holds over 2 files"):
        unpack(path, tmp_path / "target", OPTION, most_files=2)
    with pytest.raises(DataFileError, match="holds over 1000 bytes"):
        unpack(path, tmp_path / "target", OPTION, most_bytes=1000)
    assert list(tmp_path.iterdir()) == [path]


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(1 << 22)))
    with pytest.raises(DataFileError, match="holds over 1000000 bytes"):
        unpack(path, tmp_path / "target", OPTION, most_bytes=1_000_000)
    content = zipped({"a": bytes(1 << 22)}).replace(
        (1 << 22).to_bytes(4, "little"), (99).to_bytes(4, "little")
    )
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(DataFileError):
        unpack(path, tmp_path / "target", OPTION, most_bytes=1_000_000)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("key", [key for key in BROKEN if key.startswith(("zip", "tar"))])
def test_nothing_is_written_outside(tmp_path: Path, key: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    path = place / BROKEN[key].name
    path.write_bytes(BROKEN[key].content)
    with pytest.raises(DataFileError):
        unpack(path, place / "deep" / "target", OPTION)
    assert list(tmp_path.iterdir()) == [place]
    assert not list(place.rglob("target"))
    assert not Path("/tmp/outside").exists()


def test_members_that_lie_over_each_other(tmp_path: Path) -> None:
    # One member named many times in the directory.
    content = zipped({"0": os.urandom(3000)})
    start = content.index(b"PK\1\2")
    end = content.index(b"PK\5\6")
    entry = content[start:end]
    tail = bytearray(content[end:])
    tail[8:10] = tail[10:12] = (9).to_bytes(2, "little")
    tail[12:16] = (9 * len(entry)).to_bytes(4, "little")
    path = tmp_path / "a.zip"
    path.write_bytes(content[:start] + entry * 9 + bytes(tail))
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 9
    with pytest.raises(DataFileError, match="lie over each other"):
        unpack(path, tmp_path / "target", OPTION)
