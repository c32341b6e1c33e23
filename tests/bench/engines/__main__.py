"""How fast the engines are, and how much memory they take, beside snnTorch and other libraries.

``python tests/bench/engines`` measures everything and writes ``benchmark.json`` (raw),
``benchmark.md`` and ``benchmark.svg`` to docs/engines/. ``--part`` measures some parts and leaves
the others as they were; ``--device cuda`` measures the neurons on a GPU. The peers are installed on
the first call, into environments outside the checkout (``--peers``).
"""

import os
import subprocess
import sys
from pathlib import Path

from environments import CHECKOUT, HERE, environment
from options import arguments


def main() -> int:
    """Start the measurement in the environment that has the peers."""
    given = arguments(__doc__)
    python, jax = Path(sys.executable), None
    if not (given.here or given.redraw):
        python = environment("torch", given.peers) or python
        jax = environment("jax", given.peers) if given.device == "cpu" else None
    command = [str(python), str(HERE / "measure.py"), *sys.argv[1:]]
    keeping = {"THP_MEM_ALLOC_ENABLE": "1"} if given.keep else {}
    around = (
        os.environ | keeping | {"PYTHONPATH": str(CHECKOUT / "src"), "BENCH_JAX": str(jax or "")}
    )
    return subprocess.run(command, env=around).returncode


if __name__ == "__main__":
    sys.exit(main())
