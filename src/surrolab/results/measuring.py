"""A process that measures: every point of a study's grid for every seed, one after another.

Started as ``python -m surrolab.results.measuring STUDY.json DIRECTORY``. Each figure is a file in
the directory; what is there is not measured again.
"""

import hashlib
import importlib
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surrolab.errors import UserError, one_line
from surrolab.files import write_json
from surrolab.results.records import Record, rounded

ALLOWED = ("measure", "base", "space", "seeds")


def check(result: str, name: str, study: dict[str, Any]) -> None:
    """Refuse a study that cannot be measured.

    Raises:
        UserError: names the key and what is allowed.
    """
    where = f"{result}: studies.{name}"
    for key in study:
        if key not in ALLOWED:
            raise UserError(f"{where}.{key}: no such key; allowed: {', '.join(ALLOWED)}")
    known = measurements()
    if study["measure"] not in known:
        raise UserError(
            f"{where}.measure: {study['measure']!r} is not allowed; allowed: {', '.join(known)}"
        )
    space, seeds = study.get("space", {}), study.get("seeds", [0])
    if not isinstance(space, dict) or not all(isinstance(v, list) for v in space.values()):
        raise UserError(f"{where}.space: is not allowed; allowed: lists of values by parameter")
    if not isinstance(seeds, list) or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(
            f"{where}.seeds: {seeds!r} is not allowed; allowed: a list of whole numbers"
        )


def measurements() -> list[str]:
    """Names of all measurements."""
    folder = Path(__file__).with_name("measurements")
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def points(study: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """Values of the parameters, and a seed: all of them."""
    space = study.get("space", {})
    for chosen in itertools.product(*space.values()):
        for seed in study.get("seeds", [0]):
            yield dict(zip(space, chosen, strict=True)), seed


def place(directory: Path, study: dict[str, Any], values: dict[str, Any], seed: int) -> Path:
    """The file of a figure; another one where anything it depends on was changed."""
    known = [study["measure"], study.get("base", {}), values, seed]
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
    return directory / f"{digest[:16]}.json"


def measured(name: str, study: dict[str, Any], directory: Path) -> list[Record]:
    """The records of a study that has been measured.

    Raises:
        UserError: part of it is missing.
    """
    records = []
    for values, seed in points(study):
        path = place(directory, study, values, seed)
        if not path.is_file():
            raise UserError(
                f"{directory}: {values} with seed {seed} is missing; allowed: the same command "
                "again, which goes on with it"
            )
        found = json.loads(path.read_text())
        records.append(Record(study=name, values=values, seed=seed, **found))
    return records


def main() -> int:
    """Measure what is not there yet; the exit status."""
    study = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(sys.argv[2])
    module = importlib.import_module(f"surrolab.results.measurements.{study['measure']}")
    import torch

    import surrolab
    from surrolab.results.gather import commit_of
    from surrolab.run.provenance import git_state

    torch.set_num_threads(int(study.get("base", {}).get("threads", 1)))
    base = {key: value for key, value in study.get("base", {}).items() if key != "threads"}
    todo = [
        (values, seed)
        for values, seed in points(study)
        if not place(directory, study, values, seed).is_file()
    ]
    commit = commit_of(git_state(Path(surrolab.__file__).parent))
    parent = os.getppid()
    for index, (values, seed) in enumerate(todo, 1):
        if os.getppid() != parent:  # who started it is gone, and may be started again
            return 130
        started = time.monotonic()
        metrics = module.measure(seed=seed, **base, **values)
        spent = time.monotonic() - started
        record = {
            "status": "completed",
            "reason": None,
            "metrics": rounded(metrics),
            "duration_s": round(spent, 1),
            "commit": commit,
            "command": "",
        }
        write_json(place(directory, study, values, seed), record)
        print(f"{study['measure']} {values} seed {seed}: {spent:.0f} s - {index} of {len(todo)}")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (UserError, ValueError) as failure:
        print(f"surrolab: {one_line(failure)}", file=sys.stderr)
        sys.exit(2)
