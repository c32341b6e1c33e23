"""The command `surrolab` and the script `train.py`."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from surrolab.errors import RunError, UserError, one_line


def _train(words: list[str]) -> int:
    from surrolab.cli.jobs import run_command

    return run_command(words)


def _sweep(words: list[str]) -> int:
    from surrolab.cli.sweep import run_command

    return run_command(words)


def _reproduce(words: list[str]) -> int:
    from surrolab.cli.reproduce import run_command

    return run_command(words)


def _surrogates(words: list[str]) -> int:
    from surrolab.cli.surrogates import run_command

    return run_command(words)


def _diagnose(words: list[str]) -> int:
    from surrolab.cli.diagnose import run_command

    return run_command(words)


def _dashboard(words: list[str]) -> int:
    from surrolab.cli.dashboard import run_command

    return run_command(words)


def _report(words: list[str]) -> int:
    from surrolab.cli.report import run_command

    return run_command(words)


def _compare(words: list[str]) -> int:
    from surrolab.cli.compare import run_command

    return run_command(words)


def _data(words: list[str]) -> int:
    from surrolab.cli.data import run_command

    return run_command(words)


def _sync(words: list[str]) -> int:
    from surrolab.cli.sync import run_command

    return run_command(words)


@dataclass(frozen=True)
class Command:
    """What a command does, in words, and the function that does it: words to exit status.

    The function imports what it needs when it is called, so that ``--help`` answers at once.
    """

    what: str
    run: Callable[[list[str]], int]


COMMANDS: dict[str, Command] = {
    "train": Command("train a network; the same as `python train.py`", _train),
    "sweep": Command("search surrogates, slopes and whatever else a spec varies", _sweep),
    "reproduce": Command("make a published result again, and the ledger of all", _reproduce),
    "surrogates": Command("draw or list every surrogate derivative", _surrogates),
    "data": Command("say and draw what a data set is", _data),
    "report": Command("make one site from runs and sweeps, which needs no network", _report),
    "compare": Command("say what differs between runs, and what came of it", _compare),
    "diagnose": Command("say where a run's gradient goes and which way it points", _diagnose),
    "dashboard": Command("look at a sweep's study in the browser, while it runs too", _dashboard),
    "sync": Command("send to W&B what was tracked offline or did not get there", _sync),
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The command ``surrolab``: the first word says what to do."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print("usage: surrolab [--debug] COMMAND ...\n")
        for name, command in COMMANDS.items():
            print(f"  {name:10} {command.what}")
        print("\nEach command has --help; --debug shows the trace of an error.")
        sys.exit(0)
    if words[0] == "--version":
        from surrolab import __version__

        print(f"surrolab {__version__}")
        sys.exit(0)
    if words[0] not in COMMANDS:
        _end(lambda: _unknown(words[0]), debug)
    _run(COMMANDS[words[0]], words[1:], debug)


def train(argv: Sequence[str] | None = None, debug: bool = False) -> NoReturn:
    """``train.py`` and ``surrolab train``: Hydra overrides, or ``resume=RUN_DIR``.

    Ends the process: status 0, 2 for what the user can put right, 1 for a run that failed, 130
    for one that was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _run(COMMANDS["train"], words, debug)


def _run(command: Command, words: list[str], debug: bool) -> NoReturn:
    debug = debug or "--debug" in words or os.environ.get("HYDRA_FULL_ERROR") == "1"
    words = [word for word in words if word != "--debug"]
    _end(lambda: command.run(words), debug)


def _unknown(command: str) -> int:
    raise UserError(f"{command}: no such command; allowed: {', '.join(COMMANDS)}")


def _end(job: Callable[[], int], debug: bool) -> NoReturn:
    """Run a job and end the process with its status, errors told in one line."""
    try:
        status = job()
    except KeyboardInterrupt:
        status = _tell("interrupted", 130)
    except (UserError, RunError) as error:
        if debug:
            traceback.print_exc()
        status = _tell(one_line(error), 2 if isinstance(error, UserError) else 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        what = f"{type(error).__name__}: {one_line(error)}"
        status = _tell(f"{what} (this is a fault of surrolab; --debug shows the trace)", 1)
    sys.stdout.flush()
    sys.exit(status)


def _tell(line: str, status: int) -> int:
    print(f"surrolab: {line}", file=sys.stderr)
    return status
