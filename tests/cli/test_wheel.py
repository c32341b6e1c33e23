"""The wheel carries the configuration, and works away from any checkout."""

import json
import os
import subprocess
import sys
import zipfile

import pytest
from conftest import CHECKOUT


@pytest.mark.slow
def test_an_installed_wheel_trains_from_any_directory(tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, CHECKOUT], check=True)
    (wheel,) = tmp_path.glob("surrolab-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("surrolab/conf/") for name in names if "/conf/" in name}
    conf = CHECKOUT / "conf"
    assert shipped == {str(path.relative_to(conf)) for path in conf.rglob("*.yaml")}
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "from surrolab.cli import main; main(['train', 'debug=smoke', 'hydra.run.dir=run'])"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    result = json.loads((elsewhere / "run" / "result.json").read_text())
    assert result["status"] == "completed"
    facts = json.loads((elsewhere / "run" / "provenance.json").read_text())
    assert facts["git"] is None
