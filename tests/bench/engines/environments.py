"""Environments with the peers: none of them is a dependency, nor shares one with surrolab."""

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
CONSTRAINTS = CHECKOUT / "constraints.txt"

# By environment, what pip is called with, in order; the second is the one that may fail.
STEPS = {
    "torch": [
        ["--constraint", str(CONSTRAINTS), "--editable", str(CHECKOUT)],
        ["--no-deps", "--requirement", str(HERE / "torch.txt")],
    ],
    "jax": [["--requirement", str(HERE / "jax.txt")]],
}


def environment(name: str, folder: Path) -> Path | None:
    """The interpreter of an environment, made where it is missing or out of date.

    None, and a line that says so, where it cannot be had.
    """
    python = folder / name / "bin" / "python"
    pinned = (HERE / f"{name}.txt").read_bytes()
    if name == "torch":
        pinned += CONSTRAINTS.read_bytes()
    key = hashlib.sha256(pinned).hexdigest()
    stamp = folder / name / "installed"
    if stamp.exists() and stamp.read_text() == key:
        return python
    print(f"installing the {name} environment into {folder / name}", file=sys.stderr)
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
        for arguments in STEPS[name]:
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *arguments], check=True, stdout=subprocess.DEVNULL)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"the {name} environment is not available: {error}", file=sys.stderr)
        return None
    stamp.write_text(key)  # last, so that an installation that was broken off is done again
    return python
