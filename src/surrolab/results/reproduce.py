"""Run a result's studies, keep a record of each run, and make its page and the ledger."""

import os
import subprocess
import sys
from pathlib import Path

from surrolab.errors import RunError, UserError, one_line
from surrolab.files import write_json, write_text
from surrolab.results.definition import Result, Study
from surrolab.results.gather import sweep_records
from surrolab.results.measuring import check, measured
from surrolab.results.records import Record, Records, read_records, records_file, write_records
from surrolab.sweep.yaml_text import write_yaml


def reproduce(result: Result, budget: str, output: Path, ledger: Path, workers: str) -> None:
    """Run what is not there yet, and write the records.

    Args:
        result: which.
        budget: of :data:`~surrolab.results.definition.BUDGETS`.
        output: directory of its studies.
        ledger: directory of the ledger, ``docs/results``.
        workers: processes of a sweep: a number or "auto".

    Raises:
        UserError: a study that cannot be run.
        RunError: trials or measurements that fail.
        KeyboardInterrupt: it was told to stop, and has saved.
    """
    studies = result.at(budget)
    for name, study in studies.items():
        if "measure" in study:
            check(result.name, name, study)
    output.mkdir(parents=True, exist_ok=True)
    path = records_file(ledger, result.name, budget)
    before = read_records(path) if path.is_file() else Records()
    records: list[Record] = []
    for name, study in studies.items():
        missing = _missing(study)
        if missing is not None:
            # What another machine has run stays.
            kept = before.of(name)
            print(f"{result.name}: {name} is left out: {missing}; {len(kept)} records of it stay")
            records += kept
            continue
        run = _measure if "measure" in study else _sweep
        records += run(result.name, name, study, output / name, workers)
    write_records(path, records)


def _sweep(result: str, name: str, study: Study, directory: Path, workers: str) -> list[Record]:
    from surrolab.cli.sweep import run_command

    spec = directory.with_suffix(".yaml")
    write_text(spec, write_yaml({key: value for key, value in study.items() if key != "needs"}))
    words = [str(spec), f"study={result}-{name}", f"output={directory}", f"workers={workers}"]
    run_command(words)
    return sweep_records(name, directory)


def _measure(result: str, name: str, study: Study, directory: Path, workers: str) -> list[Record]:
    directory.mkdir(exist_ok=True)
    spec = directory.with_suffix(".json")
    write_json(spec, study)
    # A process of its own: memory and threads of what ran before do not meddle with its clocks.
    command = [sys.executable, "-m", "surrolab.results.measuring", str(spec), str(directory)]
    status = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
    if status in (130, -2):
        raise KeyboardInterrupt
    if status == 2:
        raise UserError(f"{result}: {name} cannot be measured; the line above says why")
    if status:
        raise RunError(f"{result}: {name} ended with status {status}; the lines above say why")
    return measured(name, study, directory)


def _missing(study: Study) -> str | None:
    """Why the files that a study needs are not at hand; None if they are, or it needs none."""
    if "needs" not in study:
        return None
    from surrolab.composition import compose_run
    from surrolab.run.construct import blame, build

    node = compose_run(study["base"], "look").config["data"]
    try:
        data = build("data", node)
        with blame("data", node):
            data.setup()
    except UserError as error:
        return f"it needs {study['needs']} ({one_line(error)})"
    return None
