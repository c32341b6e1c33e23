"""Sending to W&B what is not there yet: runs tracked offline, and those whose server was gone."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from surrolab.errors import RunError, UserError, one_line
from surrolab.locks import is_held
from surrolab.tracking.light import quiet
from surrolab.tracking.restore import UNTRACKED, repair, restore, tracked_id
from surrolab.tracking.segments import Segment
from surrolab.tracking.send import send
from surrolab.tracking.session import answers

AT_ONCE = 16  # runs for each start of wandb's program


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    directory: Path
    run_id: str
    what: str
    failed: bool = False


@dataclass
class TrackedRun:
    """A run of W&B: its directory, and its files in order."""

    directory: Path
    id: str
    segments: list[Segment]

    @property
    def sent(self) -> bool:
        return bool(self.segments) and all(segment.sent for segment in self.segments)

    @property
    def unsent(self) -> list[Segment]:
        return [segment for segment in self.segments if not segment.sent]

    @property
    def going_on(self) -> bool:
        """Whether a process runs in its directory."""
        return bool(is_held(self.directory))

    def prepare(self) -> None:
        """Make its files good: what is damaged is repaired, what is lost restored."""
        for segment in self.unsent:
            if segment.received and not segment.whole:
                segment.mark(sent=True)
        repaired = [segment if segment.sent else repair(segment) for segment in self.segments]
        self.segments = [segment for segment in repaired if segment is not None]
        if tracked_id(self.directory) == self.id:
            restored = restore(self.directory, self.segments)
            if restored is not None:
                self.segments.append(restored)


def tracked_runs(paths: Sequence[Path]) -> list[TrackedRun]:
    """The runs of W&B at or below the paths, in the order in which they began."""
    found: dict[tuple[Path, str], list[Segment]] = {}
    for path in paths:
        for folder, below, names in os.walk(path.resolve()):
            # Links are not followed: W&B keeps one to the latest segment, outputs/ to the run.
            here = Path(folder)
            below[:] = [name for name in below if name not in ("checkpoints", "files", "records")]
            for name in names:
                if here.parent.name == "wandb" and name.endswith(".wandb"):
                    segment = Segment(here / name)
                    found.setdefault((here.parent.parent, segment.id), []).append(segment)
            if UNTRACKED in names and (run_id := tracked_id(here)) is not None:
                found.setdefault((here, run_id), [])
    runs = [
        TrackedRun(directory, run_id, sorted(segments, key=lambda segment: segment.started))
        for (directory, run_id), segments in found.items()
    ]
    return sorted(runs, key=lambda run: (run.segments[0].started if run.segments else "", run.id))


def sync(paths: Sequence[Path], dry_run: bool = False) -> Iterator[Outcome]:
    """Send what is not sent; what became of each run, as it is known.

    Raises:
        UserError: there is no login.
        RunError: the server does not answer.
    """
    to_send = []
    for run in tracked_runs(paths):
        if run.sent:
            yield Outcome(run.directory, run.id, "already sent")
        elif run.going_on:
            yield Outcome(run.directory, run.id, "still going on")
        elif dry_run:
            yield Outcome(run.directory, run.id, f"would be sent ({_parts(run)})")
        else:
            to_send.append(run)
    if to_send:
        check_login()
    for first in range(0, len(to_send), AT_ONCE):
        yield from _send(to_send[first : first + AT_ONCE])


def check_login() -> None:
    """Make sure that there is a server and a key for it.

    Raises:
        UserError: there is no key, or a wrong one.
        RunError: the server does not answer.
    """
    import wandb

    quiet(wandb)
    url = str(wandb.setup().settings.base_url)
    silence = f"no answer from {url}; nothing is lost, try again later"
    if not answers(url):
        raise RunError(silence)
    try:
        found = wandb.login(prompt=False, verify=True)
    except wandb.errors.Error as error:
        if not answers(url):
            raise RunError(silence) from error
        raise UserError(
            f"WANDB_API_KEY: {one_line(error)}; allowed: a key from `wandb login`"
        ) from error
    if not found:
        raise UserError(f"WANDB_API_KEY: no login for {url}; allowed: a key from `wandb login`")


def _send(runs: Sequence[TrackedRun]) -> Iterator[Outcome]:
    ready = []
    for run in runs:
        try:
            run.prepare()
        except Exception as error:
            yield Outcome(run.directory, run.id, f"failed: {one_line(error)}", failed=True)
        else:
            if run.segments:
                ready.append(run)
                continue
            what = "failed: its file is damaged, and nothing of it can be read"
            yield Outcome(run.directory, run.id, what, failed=True)
    parts = {run.directory / run.id: _parts(run) for run in ready}
    failed = send([segment for run in ready for segment in run.unsent])
    for run in ready:
        reasons = [failed[segment.path] for segment in run.unsent if segment.path in failed]
        for segment in run.unsent:
            # What came after a part that failed has to come after it again.
            segment.mark(sent=not reasons)
        if reasons:
            yield Outcome(run.directory, run.id, f"failed: {reasons[0]}", failed=True)
        else:
            yield Outcome(run.directory, run.id, f"sent ({parts[run.directory / run.id]})")


def _parts(run: TrackedRun) -> str:
    number = len(run.unsent)
    return "from metrics.csv" if not number else "1 part" if number == 1 else f"{number} parts"
