"""Sending W&B's files through ``wandb sync``, and finding out whether it worked."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from surrolab.tracking.segments import Segment

# By default a server that is gone is asked for many minutes.
RETRIES = {
    f"WANDB__{kind}_RETRY_{name}": value
    for kind in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
    for name, value in (("MAX", "4"), ("WAIT_MIN_SECONDS", "1"), ("WAIT_MAX_SECONDS", "8"))
}
AT_A_TIME = 4


def send(segments: Sequence[Segment]) -> dict[Path, str]:
    """Send files; those of one run go in order, whatever the order here.

    ``wandb sync`` ends with status 0 and marks files as sent also where it gave up on the server,
    so what counts is its log.

    Returns:
        Why, for each file that is not on the server as a whole.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            [
                *(sys.executable, "-m", "wandb", "sync", "--include-online", "--include-synced"),
                *("-n", str(AT_A_TIME)),
                *(str(segment.path) for segment in segments),
            ],
            env=RETRIES | os.environ | {"WANDB_DIR": folder, "WANDB_SILENT": "false"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        logs = sorted(Path(folder).rglob("debug-sync*.log"))
        entries = [entry for log in logs for entry in log_entries(log)]
    said = [line.partition("ERROR ")[2] for line in process.stderr.splitlines() if "ERROR " in line]
    failed = {}
    for segment in segments:
        own = [entry for entry in entries if entry.get("sync_path") == str(segment.path)]
        errors = [entry for entry in own if str(entry.get("level", "")).startswith("ERROR")]
        ended = any(entry.get("msg") == "sender: closed" for entry in own)
        if errors:
            failed[segment.path] = _in_words(errors[0])
        elif not ended:
            failed[segment.path] = said[0] if said else f"wandb sync: {_last(process.stderr)}"
    return failed


def log_entries(path: Path) -> list[dict[str, object]]:
    """The whole entries of a log of W&B's program; none where there is no log."""
    entries = []
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
    return entries


def _in_words(entry: dict[str, object]) -> str:
    return " ".join(f"{entry.get('msg')} {entry.get('error', '')}".split())[:300]


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].removeprefix("wandb: ") if lines else "ended without a word"
