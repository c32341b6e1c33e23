"""The cache of generated data: round trip, damage, rivals, unusable folders."""

import inspect
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surrolab.data import Randman
from surrolab.data.cache import cache_file, cached

SMALL: dict[str, Any] = {
    "manifold_classes": 2,
    "units": 3,
    "alpha": 2.0,
    "spectrum": "fzenke",
    "samples_per_class": 10,
}


def load(root: Path, **changes: Any) -> torch.Tensor:
    return Randman(root=root, **{**SMALL, **changes}).load().x


def only_file(root: Path) -> Path:
    (path,) = (root / "randman").iterdir()
    assert path.suffix == ".npz"
    return path


def test_second_load_reads_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "not" / "yet"
    first = load(root)
    path = only_file(root)
    # Proof that it is read: a file with other, valid times gives those times.
    with np.load(path) as file:
        changed = {**file, "array": file["array"][::-1]}
    np.savez(path, **changed)
    assert torch.equal(load(root), first.flip(0))
    assert not caplog.records


def test_each_parameter_has_its_own_file(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"manifold_classes": 3},
        {"units": 4},
        {"dim": 2},
        {"alpha": 3.0},
        {"window": 20},
        {"samples_per_class": 11},
        {"spectrum": "paper"},
        {"data_seed": 1},
    ]
    for change in changes:
        load(tmp_path, **change)
    assert len(list((tmp_path / "randman").iterdir())) == len(changes)
    # What does not change the times shares the file.
    load(tmp_path, steps=60)
    load(tmp_path, batch_size=3, split_seed=4, alpha=2)
    assert len(list((tmp_path / "randman").iterdir())) == len(changes)


def spoil_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_text(path: Path) -> None:
    path.write_text("not a zip file")


def spoil_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = content.index(b"array.npy") + 80
    content[middle : middle + 8] = bytes(255 - b for b in content[middle : middle + 8])
    path.write_bytes(content)


def spoil_keys(path: Path) -> None:
    np.savez(path, other=np.zeros(3))


def spoil_plain_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def spoil_pickle(path: Path) -> None:
    np.savez(path, array=np.array([{}], dtype=object), recipe=np.array("x"))


def spoil_shape(path: Path) -> None:
    with np.load(path) as file:
        changed = {**file, "array": file["array"][:-1]}
    np.savez(path, **changed)


def spoil_range(path: Path) -> None:
    with np.load(path) as file:
        changed = {**file, "array": file["array"] + 1}
    np.savez(path, **changed)


def spoil_recipe(path: Path) -> None:
    with np.load(path) as file:
        changed = {**file, "recipe": np.array("{}")}
    np.savez(path, **changed)


SPOILS = [f for name, f in sorted(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_file_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Any
) -> None:
    first = load(tmp_path)
    good = only_file(tmp_path).read_bytes()
    spoil(only_file(tmp_path))
    assert only_file(tmp_path).read_bytes() != good
    with caplog.at_level(logging.WARNING, logger="surrolab.data.cache"):
        assert torch.equal(load(tmp_path), first)
    (record,) = caplog.records
    assert "cannot use the cache file" in record.getMessage()
    with np.load(only_file(tmp_path)) as file:
        assert file["array"].shape == (20, 3)
    caplog.clear()
    assert torch.equal(load(tmp_path), first)
    assert not caplog.records


def test_a_folder_that_cannot_be_written_costs_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A file stands where the folder should be: no user, root included, can write there.
    (tmp_path / "randman").write_text("in the way")
    with caplog.at_level(logging.WARNING, logger="surrolab.data.cache"):
        blocked = load(tmp_path)
    assert "cannot keep generated data" in caplog.records[-1].getMessage()
    assert torch.equal(blocked, load(tmp_path / "elsewhere"))
    assert (tmp_path / "randman").read_text() == "in the way"


def test_a_failed_write_leaves_no_temporary_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = {"format": 1}
    path = cache_file(tmp_path, recipe)
    path.mkdir()
    (path / "child").write_text("")
    array = cached(tmp_path, recipe, lambda: np.arange(3, dtype=np.int32), lambda _: True)
    assert array.tolist() == [0, 1, 2]
    assert len(caplog.records) == 2
    assert list(tmp_path.iterdir()) == [path]


def contend(root: Path) -> int:
    """Make the file over and over, and remove it in between; return a sum of what was made."""
    module = Randman(root=root, units=8, spectrum="fzenke", alpha=2.0)
    for _ in range(25):
        for path in (root / "randman").glob("*.npz"):
            path.unlink(missing_ok=True)
        times = module.load().x.argmax(dim=1)
    return int((times * torch.arange(1, 9)).sum())


RIVAL = f"""
import sys
from pathlib import Path
import torch
from surrolab.data import Randman

{inspect.getsource(contend)}
print("ready", flush=True)
sys.stdin.readline()
print(contend(Path(sys.argv[1])))
"""


def test_two_processes_make_the_same_file_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = [sys.executable, "-c", RIVAL, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as rival:
        assert rival.stdout is not None
        assert rival.stdin is not None
        assert rival.stdout.readline() == "ready\n"
        rival.stdin.write("go\n")
        rival.stdin.flush()
        ours = contend(tmp_path)
        output, errors = rival.communicate(timeout=60)
    assert rival.returncode == 0, errors
    assert int(output) == ours
    # Neither ever met half a file, which would be logged.
    assert "cache file" not in errors
    assert not caplog.records
    only_file(tmp_path)
