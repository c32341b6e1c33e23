"""The command that repeats a run."""

import shlex
from collections.abc import Sequence

from surrolab.report.site.defaults import Setting
from surrolab.report.site.run_file import RunFile

CHANGED_ON_RESUME = ("trainer.max_epochs", "logger.mode")


def command(run: RunFile, found: Sequence[Setting]) -> str:
    """For a shell: what was typed, with what ``config.yaml`` has of the keys a resume may change.

    A schedule over all epochs does not run alike in one go and in a run that was made longer.

    Args:
        run: the run.
        found: its settings.
    """
    words = list(run.overrides)
    now = {setting.key: setting for setting in found}
    for key in CHANGED_ON_RESUME:
        setting = now.get(key)
        if setting is None:
            continue
        places = [i for i, word in enumerate(words) if _key(word) == key]
        if places:
            name, _, value = words[places[-1]].partition("=")
            if value.strip("'\" ") != setting.value:
                words[places[-1]] = f"{name}={setting.value}"
        elif setting.differs and len(run.processes) > 1:
            words.append(f"{key}={setting.value}")
    return shlex.join(["python", "train.py", *words])


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+").strip()
