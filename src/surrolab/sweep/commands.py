"""Lines for a shell."""

import shlex
import sys
from pathlib import Path


def command(words: list[str]) -> str:
    """The line that makes a run again, from any directory."""
    script = Path(__file__).parents[3] / "train.py"
    program = [sys.executable, str(script)]
    if not script.is_file():  # installed
        program = [str(Path(sys.executable).with_name("surrolab")), "train"]
    return shlex.join([*program, *words])


def each_once(words: list[str]) -> list[str]:
    """Of a key given twice Hydra takes the last; a line for people says it once."""
    last = {word.partition("=")[0].lstrip("+"): index for index, word in enumerate(words)}
    return [word for index, word in enumerate(words) if index in last.values()]
