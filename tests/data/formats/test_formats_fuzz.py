"""Files damaged at random end in one line or are read; nothing else ever happens."""

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_formats import fuzz
from valid_files import FORMATS

COUNT = 1500


@pytest.mark.parametrize("key", [key for key in FORMATS if not key.startswith("shd")])
def test_a_few_damaged_files(key: str, tmp_path: Path) -> None:
    refused, _ = fuzz(key, 30, 1, tmp_path)
    assert refused


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in FORMATS if not key.startswith("shd")])
def test_many_damaged_files(key: str, tmp_path: Path) -> None:
    refused, read = fuzz(key, COUNT, 0, tmp_path)
    assert refused > COUNT // 10
    assert read


# The HDF5 library could take the process with it.
@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in FORMATS if key.startswith("shd")])
def test_many_damaged_hdf5_files(key: str) -> None:
    script = Path(__file__).parent / "fuzz_formats.py"
    done = subprocess.run(
        [sys.executable, script, key, str(COUNT), "0"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refused, read = map(int, done.stdout.split())
    assert refused > COUNT // 10
    assert read
