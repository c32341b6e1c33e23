"""What the numbers were measured on."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("surrolab", "torch", "snntorch", "spikingjelly", "norse", "triton")


def facts(device: str, threads: int, spyx: str | None) -> dict[str, Any]:
    """Processor, cores, threads, versions."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if spyx:
        versions["spyx"] = spyx
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    return {
        "processor": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "simd": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "commit": commit,
        "versions": versions,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    wanted = ("model name", "cpu family", "model")
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines())
    found = {key.strip(): value.strip() for key, value in pairs if key.strip() in wanted}
    name = found.get("model name", platform.machine())
    return f"{name} (family {found.get('cpu family')}, model {found.get('model')})"
