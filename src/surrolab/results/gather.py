"""Records out of the directory of a sweep."""

import json
import shlex
from pathlib import Path
from typing import Any

from surrolab.errors import UserError
from surrolab.results.records import Record, kept


def sweep_records(study: str, directory: Path) -> list[Record]:
    """A record for each run of the finished trials of a sweep.

    Raises:
        UserError: the sweep is not finished, or its directory is not whole.
    """
    facts = _read(directory / "study.json")
    finished = [trial for trial in facts["trials"] if trial["state"] in ("complete", "pruned")]
    if facts["target"] is not None and len(finished) < facts["target"]:
        raise UserError(
            f"{directory}: {len(finished)} of {facts['target']} trials are finished; allowed: the "
            "same command again, which goes on with it"
        )
    records = []
    for trial in finished:
        commands = dict(zip(facts["seeds"], (trial["command"] or "").splitlines(), strict=True))
        for run in trial["runs"]:  # of a pruned trial those alone that had begun
            found = _run(directory / run["directory"])
            if found is None:
                continue
            result, commit = found
            records.append(
                Record(
                    study=study,
                    values=as_given(trial["parameters"]),
                    seed=run["seed"],
                    status="completed" if trial["state"] == "complete" else "pruned",
                    reason=trial["reason"],
                    # Of a run that diverged the study knows what it counts as.
                    metrics=kept(run["metrics"] or result["metrics"]),
                    duration_s=round(result["duration_s"], 1),
                    commit=commit,
                    command=_anywhere(commands[run["seed"]]),
                )
            )
    return records


def as_given(parameters: dict[str, Any]) -> dict[str, Any]:
    """Values as the space has them: Optuna keeps lists and mappings as JSON."""

    def value(kept: Any) -> Any:
        if not isinstance(kept, str) or not kept.startswith(("[", "{")):
            return kept
        try:
            return json.loads(kept)
        except ValueError:
            return kept

    return {name: value(kept) for name, kept in parameters.items()}


def _run(path: Path) -> tuple[dict[str, Any], str | None] | None:
    if not (path / "result.json").is_file():
        return None
    git = _read(path / "provenance.json").get("git") if (path / "provenance.json").is_file() else {}
    return _read(path / "result.json"), commit_of(git)


def commit_of(git: dict[str, Any] | None) -> str | None:
    """Ten digits of the commit, "+" behind them where the checkout was changed."""
    if not git:
        return None
    return str(git["commit"])[:10] + ("+" if git["dirty"] else "")


def _anywhere(command: str) -> str:
    """The line as it is typed in a checkout, without the places of this machine."""
    words = shlex.split(command)
    start = next(i for i, word in enumerate(words) if word.endswith(("train.py", "train"))) + 1
    return shlex.join(["python", "train.py", *words[start:]])


def _read(path: Path) -> dict[str, Any]:
    try:
        node = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); allowed: the directory of a sweep"
        ) from error
    assert isinstance(node, dict)
    return node
