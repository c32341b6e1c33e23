"""What code, packages and machine a run was made with."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import surrolab
from surrolab.models import Network

PACKAGES = (
    "surrolab",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "snntorch",
    "hydra-core",
    "omegaconf",
    "wandb",
    "numpy",
    "scikit-learn",
    "mlxtend",
)


# Of the currents, by the trainer's precision.
_DTYPES = {
    "32-true": torch.float32,
    "64-true": torch.float64,
    "bf16-mixed": torch.bfloat16,
    "bf16-true": torch.bfloat16,
    "16-mixed": torch.float16,
}


def provenance(
    config: dict[str, Any], network: Network, device: str, processes: int, precision: str
) -> dict[str, Any]:
    """Plain data for ``provenance.json`` and the tracker."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "directory": os.getcwd(),
        "seed": config["seed"],
        "split_seed": config["data"]["split_seed"],
        "device": device,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "layers": describe_layers(network, precision, device),
        "git": git_state(Path(surrolab.__file__).parent),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "host": platform.node(),
    }


def describe_layers(
    network: Network, precision: str = "32-true", device: str = "cpu"
) -> dict[str, Any]:
    """The engine of every layer, and why it is not the one that was asked for, if so.

    ``corrected`` says where the step is not snnTorch's.
    """
    layers = {}
    for name, layer in network.named_layers():
        choice = layer.neurons.choice(_DTYPES[precision], torch.device(device))
        layers[name] = {
            "engine": choice.name,
            "why": choice.why,
            "neuron": type(layer.neurons.neuron).__name__,
            "shape": list(layer.shape),
            "decays": {
                decay: float(getattr(layer.neurons.neuron, decay).detach().float().mean())
                for decay in ("beta", "alpha")
                if hasattr(layer.neurons.neuron, decay)
            },
            "corrected": getattr(layer.neurons, "correction", None),
        }
    return layers


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that the code runs from, and whether it was changed; or None."""
    commit = _git(folder, "rev-parse", "HEAD")
    tracked = _git(folder, "ls-files", "--error-unmatch", "__init__.py")
    if commit is None or tracked is None:
        return None  # installed from a wheel, perhaps inside another project's checkout
    changed = _git(folder, "status", "--porcelain", "--untracked-files=normal")
    return {
        "commit": commit,
        "dirty": bool(changed),
        "changed": [line[3:] for line in (changed or "").splitlines()][:50],
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
