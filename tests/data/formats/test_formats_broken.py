"""Broken files end in one line that names them, soon and without a large allocation."""

import os
import tracemalloc
from pathlib import Path

import pytest
from broken_files import BROKEN
from valid_files import FORMATS, OPTION, Format

from surrolab.data.formats.problem import DataFileError
from surrolab.errors import UserError

MOST = 64 << 20


def problem(broken: Format, path: Path) -> str:
    """The line that reading ends with; it names option and file and has a remedy."""
    tracemalloc.start()
    try:
        with pytest.raises(DataFileError) as caught:
            broken.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert isinstance(caught.value, UserError)
    assert len(line.splitlines()) == 1
    assert line.startswith(f"{OPTION}: {path}")
    assert "; " in line.removeprefix(f"{OPTION}: {path}")
    assert len(line) < len(str(path)) + 500
    assert peak < MOST
    return line


@pytest.mark.parametrize("key", BROKEN)
def test_one_line_says_what_is_wrong(key: str, tmp_path: Path) -> None:
    broken = BROKEN[key]
    path = tmp_path / broken.name
    path.write_bytes(broken.content)
    problem(broken, path)
    # Nor does an archive leave anything behind.
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("key", FORMATS)
def test_what_is_no_file_is_refused(key: str, tmp_path: Path) -> None:
    good = FORMATS[key]
    assert "no such file" in problem(good, tmp_path / good.name)
    path = tmp_path / good.name
    os.mkfifo(path)
    assert "pipe" in problem(good, path)
    path.unlink()
    path.mkdir()
    assert "is a folder" in problem(good, path)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("tsv not utf-8", ", row 10: is not UTF-8; save it as UTF-8"),
        ("tsv unknown split", ", row 10: 'dev' is no split; allowed: train, val, test"),
        ("tsv without label", ", row 1: there is no column 'label'; allowed: 'text', 'class'"),
        ("csv open quotation", ", row 18: is no CSV"),
        ("npz nan", ", row 1: x holds NaN or infinity"),
        ("npz length over", ", row 1: lengths is 6; allowed: 1 to 5"),
        ("npz objects", ": holds pickled objects"),
        ("ts missing", ", row 12: step 1 of channel 0 is missing (counted from 0)"),
        ("shd backwards", ", recording 0: event 2 (counted from 0) runs back in time"),
        ("shd unit outside", ", recording 0: event 1 (counted from 0) lies outside the sensor"),
        ("nmnist outside", ": event 4 (counted from 0) lies outside the sensor"),
        ("npy polarity -1", ": event 1 (counted from 0) has a polarity that is not 0 or 1"),
        ("idx huge count", ": ends after 99 of"),
        ("zip parent", ": the name '../outside' is no plain path within its folder"),
        ("tar soft link", ": 'a' is a link"),
    ],
)
def test_the_line_names_the_place(key: str, part: str, tmp_path: Path) -> None:
    broken = BROKEN[key]
    path = tmp_path / broken.name
    path.write_bytes(broken.content)
    assert part in problem(broken, path)


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 50
    assert len({(one.name, one.content, one.read) for one in BROKEN.values()}) == len(BROKEN)


def test_control_characters_of_a_path_do_not_reach_the_line(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"a\?\[31m b\.tsv"):
        FORMATS["tsv"].read(tmp_path / "a\x1b[31m\nb.tsv")
