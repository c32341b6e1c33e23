"""The files that W&B's program writes of a run, one for each time the run was started."""

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from surrolab.tracking.record_log import read_records

STEP = "trainer/global_step"


class Segment:
    """One such file, as far as it can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def folder(self) -> Path:
        """What W&B calls a run directory: ``offline-run-<time>-<id>``."""
        return self.path.parent

    @property
    def id(self) -> str:
        """Of the run; the same in all its segments."""
        return self.path.stem.removeprefix("run-")

    @property
    def sent(self) -> bool:
        """Whether all of it is on the server.

        W&B's own mark, ``.synced``, does not say so: ``wandb sync`` 0.31 sets it also where it
        gave up on the server.
        """
        return self._mark("sent").exists()

    @property
    def received(self) -> bool:
        """Whether the server has all metrics of a run that was tracked online."""
        return self._mark("received").exists()

    def mark_received(self) -> None:
        """Note that it has, though something else went wrong."""
        self._mark("received").touch()

    def mark(self, sent: bool) -> None:
        """Note whether all of it is on the server, for W&B's programs too."""
        for name in ("sent", "synced"):
            if sent:
                self._mark(name).touch()
            else:
                self._mark(name).unlink(missing_ok=True)

    def _mark(self, name: str) -> Path:
        return self.path.with_suffix(f".wandb.{name}")

    @cached_property
    def _read(self) -> tuple[list[Any], bool]:
        from wandb.proto import wandb_internal_pb2

        record_of: Any = wandb_internal_pb2  # its classes are made when it is imported

        found, whole = [], True
        for data in read_records(self.path):
            if data is None:
                whole = False
            else:
                found.append(record_of.Record.FromString(data))
        return found, whole

    @property
    def run(self) -> Any:
        """The record that says whose it is; None where that was not written."""
        return next((record.run for record in self._read[0] if record.HasField("run")), None)

    @property
    def whole(self) -> bool:
        """Whether it can be read to its end."""
        return self._read[1] and self.run is not None

    @property
    def exit_code(self) -> int | None:
        """Of the process; None where it was killed before it wrote one."""
        exits = [record.exit.exit_code for record in self._read[0] if record.HasField("exit")]
        return exits[-1] if exits else None

    @property
    def started(self) -> str:
        """When it began, as the folder's name has it: what segments are sorted by."""
        return self.folder.name.removeprefix("offline-")

    @property
    def history(self) -> Iterator[dict[str, Any]]:
        """What was logged, call by call."""
        for record in self._read[0]:
            if record.HasField("history"):
                row: dict[str, Any] = {}
                for item in record.history.item:
                    _set(row, [item.key] if item.key else [*item.nested_key], item.value_json)
                yield row

    @property
    def summary(self) -> dict[str, Any]:
        """The run's summary at its end, without W&B's own part."""
        found: dict[str, Any] = {}
        for record in self._read[0]:
            if record.HasField("summary"):
                for item in record.summary.update:
                    _set(found, [item.key] if item.key else [*item.nested_key], item.value_json)
                for item in record.summary.remove:
                    found.pop(item.key, None)
        return {key: value for key, value in found.items() if not key.startswith("_")}


def segments_in(folder: Path, run_id: str) -> list[Segment]:
    """The segments of a run in a directory, in order."""
    found = [Segment(path) for path in folder.glob(f"wandb/*run-*/run-{run_id}.wandb")]
    return sorted(found, key=lambda segment: segment.started)


def logged(segments: Iterable[Segment]) -> dict[int, set[str]]:
    """The names of what was logged at each optimizer step."""
    found: dict[int, set[str]] = {}
    for segment in segments:
        for row in segment.history:
            if STEP in row:
                found.setdefault(int(row[STEP]), set()).update(row)
    return found


def _set(found: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        inner = found.get(key)
        found = found.setdefault(key, {}) if inner is None or isinstance(inner, dict) else {}
    found[keys[-1]] = json.loads(value)
