"""Run directories made of a real one, under other names and with other numbers."""

import json
import re
import shutil
from pathlib import Path

import numpy as np

COPIED = ("config.yaml", "overrides.txt", "provenance.json", "metrics.csv", "result.json")
SCRIPT = (
    "</script><script>window.bad=1</script><img src=x onerror=window.bad=2><b>x</b>&amp;%{x}$y$"
)


def copy_run(
    real: Path,
    to: Path,
    name: str | None = None,
    surrogate: str = "sigmoid",
    slope: float = 25.0,
    seed: int = 0,
    accuracy: float | None = None,
    notes: str | None = None,
) -> Path:
    """A copy of a run of the sigmoid, relabelled."""
    to.mkdir(parents=True)
    for file in COPIED:
        shutil.copy(real / file, to / file)
    shutil.copytree(real / "records", to / "records")
    config = (to / "config.yaml").read_text()
    config = config.replace("surrogate=sigmoid", f"surrogate={surrogate}")
    target = surrogate.title().replace("_", "")
    config = config.replace("surrogates.Sigmoid", f"surrogates.{target}")
    config = config.replace("slope: 25.0", f"slope: {slope}")
    config = re.sub(r"^seed: .*$", f"seed: {seed}", config, flags=re.M)
    if name is not None:
        config = re.sub(r"^name: .*$", lambda _: f"name: {json.dumps(name)}", config, flags=re.M)
    if notes is not None:
        config = re.sub(r"notes: .*$", lambda _: f"notes: {json.dumps(notes)}", config, flags=re.M)
    (to / "config.yaml").write_text(config)
    result = json.loads((to / "result.json").read_text())
    result["seed"] = seed
    if accuracy is not None:
        result["metrics"] |= {"val/accuracy": accuracy, "test/accuracy": accuracy - 0.01}
    (to / "result.json").write_text(json.dumps(result))
    return to


def records(run: Path, epoch: int = 3, steps: int = 20, neurons: int = 50) -> np.ndarray:
    """Records of activity and of mistakes, and the spikes ``[T, S, N]`` in them."""
    draw = np.random.default_rng(epoch)
    samples = 8
    spikes = (draw.random((steps, samples, neurons)) < 0.2).astype(np.uint8)
    folder = run / "records"
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / f"activity-epoch{epoch:04}.npz",
        layers=["hidden1"],
        targets=np.array([3, 1, 4, 0, 2, 5, 6, 7]),
        predictions=np.array([3, 5, 4, 0, 2, 5, 6, 7]),
        lengths=np.array([steps, steps - 5, *[steps] * 6]),
        spikes_0=np.packbits(spikes, axis=-1),
        neurons_0=np.arange(neurons),
        membrane_0=draw.normal(size=(steps, samples, 4)).astype(np.float32),
        traced_0=np.arange(4),
        threshold_0=np.ones(4),
    )
    np.savez(folder / f"confusion-epoch{epoch:04}.npz", counts=np.array([[8, 2], [1, 9]]))
    return spikes
