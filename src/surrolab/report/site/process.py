"""What is known of the processes that ran a run: code, packages and machine, in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from surrolab.report.drawing import DASH, label
from surrolab.report.site.run_file import RunFile


def when(moment: datetime) -> str:
    """A time for people."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def code(found: Mapping[str, Any]) -> str:
    """Which code: the release, and the commit where it ran from a checkout."""
    packages, git = found.get("packages"), found.get("git")
    words = []
    if isinstance(packages, dict) and packages.get("surrolab"):
        words.append(f"surrolab {packages['surrolab']}")
    if isinstance(git, dict) and git.get("commit"):
        words.append(f"commit {str(git['commit'])[:12]}")
        words += ["with changes"] if git.get("dirty") is True else []
    return ", ".join(words) or DASH


def earlier(run: RunFile) -> list[tuple[str, list[tuple[str, str]]]]:
    """The processes before the last: a title, when each began, and what else is not as in it."""
    last = facts_of(run.provenance)
    found = []
    for place, process in enumerate(run.processes[:-1]):
        own = [fact for fact in facts_of(process) if fact not in last]
        found.append((f"Process {place + 1} of {len(run.processes)}", own))
    return found


def facts_of(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names of what is known of a process, and the words for it."""
    rows: list[tuple[str, str]] = []
    for key, value in found.items():
        if key == "earlier":
            continue
        if isinstance(value, dict) and key == "packages":
            rows.append((key, ", ".join(f"{name} {_words(item)}" for name, item in value.items())))
        elif isinstance(value, dict) and key == "git":
            rows += [(f"{key}: {name}", _words(item)) for name, item in value.items()]
        elif isinstance(value, dict) and key == "layers":
            rows += [(f"layer {name}", _layer_words(item)) for name, item in value.items()]
        else:
            rows.append((key.replace("_", " "), _words(value)))
    return rows


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_words, value[:60])) or DASH
    return DASH if value is None else label(value)


def _layer_words(facts: Any) -> str:
    if not isinstance(facts, dict):
        return _words(facts)
    shape = facts.get("shape")
    size = "\N{MULTIPLICATION SIGN}".join(map(str, shape)) if isinstance(shape, list) else DASH
    words = [f"{facts.get('neuron', DASH)} {size}", f"engine {facts.get('engine', DASH)}"]
    words += [str(facts[key]) for key in ("why", "corrected") if facts.get(key)]
    return ", ".join(words)
