"""What a sweep costs beside its training, and what pruning saves.

``python tests/bench/sweeps.py`` (about half an hour on 2 cores) writes docs/sweeps/benchmark.md:

- gap: from the moment a trial is told to the storage as finished to the next one's first training
  step, in a worker that is warm. The worker is the real one, in this process, whose training step
  and storage have clocks on them.
- workers: the same study with one worker and with two, by turns; real commands. Trials are drawn at
  random by their number, so that both train the very same networks.
- hyperband: a study over slope and learning rate on digits with and without it, for several seeds
  of the sampler: best accuracies, and epochs trained.

``--only gap`` and so on runs a part.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "sweeps" / "benchmark.md"
PARTS = ("gap", "workers", "hyperband")

SLOPE_AND_RATE: dict[str, Any] = {
    "base": ["data=digits", "surrogate=fast_sigmoid", "surrogate.normalize=peak", "logger=none"],
    "space": {
        "surrogate.slope": {"low": 0.5, "high": 100, "log": True},
        "optimizer.lr": {"low": 1e-4, "high": 1e-1, "log": True},
    },
    "objectives": {"val/accuracy": "maximize"},
}


def sweep(spec: dict[str, Any], folder: Path, *words: str) -> float:
    """Run a study as a command; seconds it took."""
    file = folder.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(spec))
    code = "from surrolab.cli import main; main()"
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, "sweep", str(file), f"output={folder}", *words],
        check=True,
        capture_output=True,
        cwd=folder.parent,
    )
    return time.perf_counter() - began


def measure_gap(root: Path, trials: int = 12) -> list[str]:
    """Seconds between a trial's end and the next one's first step, for each logger."""
    import optuna

    from surrolab.sweep.places import Places
    from surrolab.sweep.reading import make_spec
    from surrolab.sweep.storage import open_storage, storage_url
    from surrolab.sweep.study import prepare
    from surrolab.sweep.worker import Worker
    from surrolab.task import Task

    ends: list[float] = []
    begins: list[float] = []
    step, tell = Task.training_step, optuna.Study.tell

    def timed_step(task: Task, batch: Any, batch_idx: int) -> Any:
        if task.global_step == 0:
            begins.append(time.perf_counter())
        return step(task, batch, batch_idx)

    def timed_tell(study: optuna.Study, *values: Any, **named: Any) -> Any:
        told = tell(study, *values, **named)
        ends.append(time.perf_counter())
        return told

    lines = ["| logger | median s | largest s | trials |", "|---|---|---|---|"]
    for logger in ("none", "wandb"):
        ends.clear()
        begins.clear()
        directory = root / f"gap-{logger}"
        (directory / "trials").mkdir(parents=True)
        spec = make_spec(
            {
                **SLOPE_AND_RATE,
                "study": "gap",
                "trials": trials,
                "base": [*SLOPE_AND_RATE["base"][:-1], f"logger={logger}", "trainer.max_epochs=2"],
            }
        )
        storage = open_storage(storage_url(None, directory))
        spec, study = prepare(spec, storage)
        worker = Worker(study, spec, Places(storage.engine, study._study_id), directory, None, None)
        Task.training_step, optuna.Study.tell = timed_step, timed_tell  # type: ignore[method-assign]
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                worker.work()
        finally:
            Task.training_step, optuna.Study.tell = step, tell  # type: ignore[method-assign]
        gaps = [begin - end for end, begin in zip(ends[:-1], begins[1:], strict=True)]
        # The first two find libraries that are not loaded yet.
        warm = gaps[2:]
        lines.append(
            f"| `{logger}` | {statistics.median(warm):.2f} | {max(warm):.2f} | {len(warm)} |"
        )
    return lines


def measure_workers(root: Path, rounds: int = 3, trials: int = 24, epochs: int = 30) -> list[str]:
    """The same study with one and with two workers, by turns."""
    spec = {**SLOPE_AND_RATE, "sampler": "random", "trials": trials}
    whole: dict[int, list[float]] = {1: [], 2: []}
    trained: dict[int, list[float]] = {1: [], 2: []}
    best: dict[int, set[float]] = {1: set(), 2: set()}
    for turn in range(rounds):
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            folder = root / f"workers-{turn}-{workers}"
            words = (f"workers={workers}", f"trainer.max_epochs={epochs}", "study=workers")
            whole[workers].append(sweep(spec, folder, *words))
            found = json.loads((folder / "study.json").read_text())["trials"]
            times = [datetime.fromisoformat(t[key]) for t in found for key in ("started", "ended")]
            trained[workers].append((max(times) - min(times)).total_seconds())
            best[workers].add(max(trial["values"][0] for trial in found))
    lines = ["| | one worker, s | two workers, s | ratio of medians |", "|---|---|---|---|"]
    for name, seconds in (("first trial to last", trained), ("the whole command", whole)):
        one, two = statistics.median(seconds[1]), statistics.median(seconds[2])
        lines.append(f"| {name} | {one:.1f} | {two:.1f} | {one / two:.2f} |")
    lines += [
        "",
        f"{trials} trials of {epochs} epochs, {rounds} rounds; best accuracies "
        f"{sorted(best[1])} with one and {sorted(best[2])} with two.",
    ]
    return lines


def measure_hyperband(root: Path, seeds: int = 5, trials: int = 40, epochs: int = 27) -> list[str]:
    """Best validation accuracy and epochs, with and without hyperband."""
    lines = [
        "| sampler's seed | best without | best with | test of the best, without / with | epochs "
        "without | epochs with | share | epochs until the best without less 0.5 points |",
        "|---|---|---|---|---|---|---|---|",
    ]
    shares, differences, reached = [], [], []
    for seed in range(seeds):
        found = {}
        for pruner in ("none", "hyperband"):
            folder = root / f"hyperband-{seed}-{pruner}"
            spec = {
                **SLOPE_AND_RATE,
                "trials": trials,
                "sampler": {"name": "tpe", "seed": seed},
                "pruner": pruner,
            }
            sweep(spec, folder, f"trainer.max_epochs={epochs}", "study=hyperband")
            found[pruner] = _history(folder)
        without, with_ = found["none"], found["hyperband"]
        goal = without["best"] - 0.005
        until = next((e for e, value in with_["curve"] if value >= goal - 1e-9), None)
        share = with_["epochs"] / without["epochs"]
        shares.append(share)
        differences.append(with_["best"] - without["best"])
        reached.append(None if until is None else until / without["epochs"])
        lines.append(
            f"| {seed} | {without['best']:.4f} | {with_['best']:.4f} | "
            f"{without['test']:.4f} / {with_['test']:.4f} | {without['epochs']} | "
            f"{with_['epochs']} | {share:.2f} | "
            f"{_reached(until, without['epochs'])} |"
        )
    far = [value for value in reached if value is not None]
    lines += [
        "",
        f"{trials} trials of up to {epochs} epochs. Median share of the epochs: "
        f"{statistics.median(shares):.2f}; median difference of the best: "
        f"{100 * statistics.median(differences):+.2f} points; the best without, less 0.5 points, "
        f"was reached by {len(far)} of {seeds}, after "
        f"{statistics.median(far) if far else float('nan'):.2f} of the epochs (median).",
    ]
    return lines


def _reached(until: int | None, epochs: int) -> str:
    return "not reached" if until is None else f"{until} ({until / epochs:.2f})"


def _history(folder: Path) -> dict[str, Any]:
    """Best accuracy, its test accuracy, and the best so far by epochs trained."""
    study = json.loads((folder / "study.json").read_text())
    epochs, best, curve, test = 0, 0.0, [], 0.0
    for trial in sorted(study["trials"], key=lambda trial: trial["ended"]):
        metrics = (folder / trial["runs"][0]["directory"] / "metrics.csv").read_text()
        epochs += sum(1 for row in metrics.splitlines()[1:] if row.split(",")[1] != "")
        if trial["state"] == "complete" and trial["values"][0] > best:
            best = trial["values"][0]
            test = trial["runs"][0]["metrics"]["test/accuracy"]
        curve.append((epochs, best))
    return {"epochs": epochs, "best": best, "test": test, "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--stdout", action="store_true", help="leave the page as it is")
    given = parser.parse_args()
    measures = {"gap": measure_gap, "workers": measure_workers, "hyperband": measure_hyperband}
    titles = {
        "gap": "Between two trials of a warm worker",
        "workers": "Two workers against one",
        "hyperband": "Hyperband",
    }
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        for part in given.only or PARTS:
            lines = measures[part](Path(folder))
            text = "\n".join([f"## {titles[part]}", "", *lines, ""])
            print(text, flush=True)
            sections.append(text)
    if given.stdout:
        return
    where = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(
        "# What sweeps cost\n\nMade by `python tests/bench/sweeps.py` "
        f"({where}).\n\n" + "\n".join(sections)
    )


if __name__ == "__main__":
    main()
