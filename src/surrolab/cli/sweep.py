"""``surrolab sweep SPEC``: an Optuna study whose trials are runs."""

import contextlib
import shlex
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surrolab.errors import RunError, UserError
from surrolab.files import write_text

HELP = """usage: surrolab sweep SPEC [key=value ...] [any override of train.py]

Search the space of SPEC, a file such as sweeps/slope.yaml, and leave trials.csv and report.html in
outputs/sweeps/<study>/. The same command again goes on where the study stands; Ctrl-C stops it
after saving.

  study=NAME         of the study and its directory; by default the file's name
  trials=N           finished trials in all, pruned ones included
  time_budget=2h     begin no trial after that time
  workers=K          processes; by default one for each GPU, or each core
  storage=URL        postgresql://USER:PASSWORD@HOST/DATABASE: any number of machines share the
                     study, each started with the same command; by default a file in its directory
  output=DIR         the study's directory
  seeds=[0,1,2]      runs of each trial, whose mean counts
  sampler=NAME       {samplers}
  pruner=NAME        {pruners}
  launcher=NAME      local, slurm (with launcher.KEY=VALUE: {launcher})
  max_failures=N     give up after so many trials have crashed

The spec's other keys: base, space, objectives, starting_points; sweeps/README.md describes them."""


def run_command(words: list[str]) -> int:
    """Run or go on with a study; the exit status.

    Raises:
        UserError: a spec, key or storage that cannot be used, or a change that a study cannot take.
        RunError: trials or workers that fail again and again.
        KeyboardInterrupt: it was told to stop, and has saved.
    """
    if not words or {"-h", "--help"} & set(words):
        print(_help())
        if not words:
            raise UserError("SPEC: missing; allowed: a file such as sweeps/slope.yaml")
        return 0
    path, given, output, overrides = _read(words)
    from surrolab.sweep.reading import read_spec

    spec = read_spec(path, given, overrides)
    directory = (Path("outputs/sweeps") / spec.study if output is None else Path(output)).absolute()
    from surrolab.sweep.patience import no_room
    from surrolab.sweep.supervise import no_room_in

    try:
        return _sweep(spec, directory, _said(words))
    except (UserError, RunError):
        raise
    except Exception as error:
        if not no_room(error):
            raise
        raise RunError(no_room_in(directory)) from error


def _sweep(spec: Any, directory: Path, command: str) -> int:
    from surrolab.sweep.files import Files
    from surrolab.sweep.launchers import Job
    from surrolab.sweep.places import Places
    from surrolab.sweep.storage import open_storage, storage_url, without_password
    from surrolab.sweep.study import prepare, refuse_foreign_trials
    from surrolab.sweep.supervise import count_workers, devices_of_workers, supervise
    from surrolab.sweep.yaml_text import write_yaml

    url = storage_url(spec.node["storage"], directory)
    with _nothing_left(directory, url):
        try:
            (directory / "trials").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"output: {directory} cannot be written ({error.strerror}); allowed: a directory "
                "that can"
            ) from error
        storage = open_storage(url)
        refuse_foreign_trials(directory, storage, spec.study)
        spec, study = prepare(spec, storage)
    shown = spec.node | {"storage": None if spec.node["storage"] is None else without_password(url)}
    write_text(directory / "spec.yaml", write_yaml(shown))
    places = Places(storage.engine, study._study_id)
    places.forgive()
    budget = spec.node["time_budget"]
    devices = devices_of_workers(spec)
    workers = count_workers(spec, devices)
    deadline = None if budget is None else time.time() + budget
    job = Job(url, spec.study, directory, deadline, devices)
    files = Files(spec, study, directory, url, command)
    print(f"study {spec.study}: {directory}", flush=True)
    try:
        supervise(spec, study, places, job, workers, files.look)
    finally:
        files.close()
    files.summarize()
    return 0


@contextlib.contextmanager
def _nothing_left(directory: Path, url: str) -> Iterator[None]:
    """On an error remove what had to be made before a study could be refused."""
    from surrolab.sweep.storage import sqlite_file

    trials = directory / "trials"
    made = [path for path in (trials, *trials.parents) if not path.exists()]
    database = sqlite_file(url)
    if database is not None and not database.exists():
        made.insert(0, database)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError, sqlite3.Error):
            for path in made:
                if path.is_dir():
                    path.rmdir()  # only if nobody else has put something there
                elif path.exists() and _holds_nothing(path):
                    path.unlink()
        raise


def _holds_nothing(database: Path) -> bool:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("SELECT count(*) FROM studies").fetchone() == (0,))


def _read(words: list[str]) -> tuple[Path, dict[str, Any], str | None, list[str]]:
    """The spec's file, its keys, the directory, and what is left for ``train.py``."""
    from surrolab.sweep.reading import WORDS

    given: dict[str, Any] = {}
    launcher: dict[str, Any] = {}
    overrides: list[str] = []
    files: list[str] = []
    output: str | None = None
    for word in words:
        key, equals, value = word.partition("=")
        if word.startswith("-"):
            raise UserError(f"{word}: no such flag; allowed: --help, --debug, key=value")
        if not equals:
            files.append(word)
        elif key == "output":
            if not value:
                raise UserError("output: nothing is given; allowed: a directory")
            output = value
        elif key.startswith("launcher."):
            launcher[key.removeprefix("launcher.")] = _value(value)
        elif key in WORDS:
            given[key] = value if key in ("study", "storage") else _value(value)
        else:
            overrides.append(word)
    if len(files) != 1:
        what = "missing" if not files else f"{len(files)} of them ({', '.join(files)})"
        raise UserError(f"SPEC: {what}; allowed: one file such as sweeps/slope.yaml")
    if launcher:
        given["launcher"] = {"name": given.get("launcher", "slurm"), **launcher}
    return Path(files[0]), given, output, overrides


def _said(words: list[str]) -> str:
    """The command as files may show it: without a password."""
    from surrolab.sweep.storage import without_password

    shown = [
        f"storage={without_password(word.partition('=')[2])}"
        if word.startswith("storage=")
        else word
        for word in words
    ]
    return f"surrolab sweep {shlex.join(shown)}"


def _value(text: str) -> Any:
    """In the grammar of the other words of the line."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(f"x={text}")
    except HydraException:
        return text
    return text if parsed.is_sweep_override() else parsed.value()


def _help() -> str:
    from surrolab.sweep.launchers import _SLURM
    from surrolab.sweep.search import PRUNERS, SAMPLERS

    return HELP.format(
        samplers=" ".join(SAMPLERS), pruners=" ".join(PRUNERS), launcher=" ".join(_SLURM)
    )
