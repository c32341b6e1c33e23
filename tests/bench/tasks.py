"""What a shipped network reaches on each task, beside the same one whose hidden layers are frozen.

``python tests/bench/tasks.py [TASK...]`` trains the named tasks, or all, for seeds 0, 1 and 2, each
with a split of its own, with the task's surrogate and with the true derivative
(``surrogate=none``: the hidden weights do not move). Results are kept in docs/tasks.json, of which
``--table`` alone makes docs/tasks.md again. About half an hour on two cores. Braille and the
published Yin-Yang arrays need ``--shared DIR``, the folder with ``braille/braille_letters.npz`` and
``yinyang/*.npy``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from surrolab.results.statistics import differences, interval

CHECKOUT = Path(__file__).parents[2]
RESULTS = CHECKOUT / "docs" / "tasks.json"
TABLE = CHECKOUT / "docs" / "tasks.md"
SEEDS = (0, 1, 2)
Record = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A task: its words on the command line, what changes with the seed, and the goal."""

    words: str
    by_seed: str
    goal: float
    shared: bool = False


SPLIT = "data.split_seed"
TASKS = {
    "japanese_vowels": Task("experiment=japanese_vowels", SPLIT, 0.955),
    "languages": Task("experiment=languages", SPLIT, 0.70),
    "basic_motions": Task("experiment=basic_motions", "data.fold", 0.95),
    "saccades": Task("experiment=saccades", SPLIT, 0.90),
    "yinyang": Task("experiment=yinyang", SPLIT, 0.97),
    "yinyang (published arrays)": Task(
        "experiment=yinyang data=arrays data.path=yinyang.npz", SPLIT, 0.97, shared=True
    ),
    "braille": Task(
        "data=arrays data.path=braille/braille_letters.npz data.normalize=standard "
        "objective=ce_mean model.hidden=[256] optimizer.lr=0.003 trainer.max_epochs=40",
        SPLIT,
        0.95,
        shared=True,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", nargs="*", choices=[*TASKS, []], help="all unless given")
    parser.add_argument("--shared", type=Path, help="folder of the files that do not ship")
    parser.add_argument("--table", action="store_true", help="make the table again, train nothing")
    given = parser.parse_args()
    results: dict[str, Record] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in [] if given.table else given.task or list(TASKS):
        task = TASKS[name]
        if task.shared and given.shared is None:
            print(f"{name}: left out, needs --shared")
            continue
        with tempfile.TemporaryDirectory() as folder:
            results[name] = measured(task, Path(folder), given.shared)
        print(name, json.dumps(results[name]), flush=True)
        results = {task: results[task] for task in TASKS if task in results}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    TABLE.write_text(page(results))


def measured(task: Task, folder: Path, shared: Path | None) -> Record:
    """Test accuracy and time of each seed, with the task's surrogate and with none."""
    words = task.words
    if shared is not None:
        words = words.replace("braille/", f"{shared / 'braille'}/")
        if "yinyang.npz" in words:
            words = words.replace("yinyang.npz", str(one_file(shared / "yinyang", folder)))
    found: Record = {"command": f"python train.py {task.words}", "by_seed": task.by_seed}
    for kind, more in (("surrogate", []), ("none", ["surrogate=none"])):
        runs = [
            result(
                folder / f"{kind}-{seed}", [*words.split(), f"{task.by_seed}={seed}", *more], seed
            )
            for seed in SEEDS
        ]
        found[kind] = {
            "test": [run["metrics"]["test/accuracy"] for run in runs],
            "val": [run["metrics"]["val/accuracy"] for run in runs],
            "seconds": [run["duration_s"] for run in runs],
        }
    return found


def result(path: Path, words: list[str], seed: int) -> Record:
    """The result of one run."""
    command = [sys.executable, str(CHECKOUT / "train.py"), *words, f"seed={seed}"]
    quiet = ["logger=none", "diagnostics=none", f"hydra.run.dir={path}"]
    subprocess.run([*command, *quiet], check=True, stdout=subprocess.DEVNULL)
    loaded: Record = json.loads((path / "result.json").read_text())
    return loaded


def one_file(source: Path, folder: Path) -> Path:
    """The published Yin-Yang arrays in the layout of data=arrays."""
    parts = {"train": "train", "val": "validation", "test": "test"}
    x, y, split = [], [], []
    for stage, name in parts.items():
        x.append(np.load(source / f"{name}_samples.npy"))
        y.append(np.load(source / f"{name}_labels.npy"))
        split += [stage] * len(y[-1])
    path = folder / "yinyang.npz"
    np.savez(path, x=np.concatenate(x).astype(np.float32), y=np.concatenate(y), split=split)
    return path


def page(results: dict[str, Record]) -> str:
    """The page."""
    rows = []
    for name, found in results.items():
        ours, none = found["surrogate"]["test"], found["none"]["test"]
        gain, half = interval(differences(ours, none))
        tests = "yes" if gain - half > 0 else "**no**: the interval does not exclude zero"
        rows.append(
            f"| {name} | **{mean(ours):.4f}** | {', '.join(f'{a:.4f}' for a in ours)} | "
            f"{TASKS[name].goal} | {mean(none):.4f} | {gain:+.4f} ± {half:.4f} | {tests} | "
            f"{mean(found['surrogate']['seconds']):.0f} s |"
        )
    commands = "\n".join(f"- {name}: `{found['command']}`" for name, found in results.items())
    return f"""# Tasks

Test accuracy of the epoch chosen on validation, for seeds 0, 1 and 2, each with a split of its own
(`data.split_seed`, or `data.fold` of five). `none` is the same network on the same seeds with the
true derivative: its hidden weights never move, only the readout learns. The difference is paired,
with its 95 % interval over the seeds; where that does not exclude zero, the set does not test the
surrogate.
Made by `python tests/bench/tasks.py`.

| task | accuracy | by seed | goal | `none` | difference | tests the surrogate | time a run |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

{commands}
"""


if __name__ == "__main__":
    main()
