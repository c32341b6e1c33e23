"""What W&B's files have lost, from the files of the run directory.

A full disk or a killed machine leaves a file of W&B's that ends early or not at all. The numbers
are in ``metrics.csv`` too, so they are not lost.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

import yaml

from surrolab.files import atomic
from surrolab.tracking.definitions import BEST, best_values, define_metrics, summary_kind
from surrolab.tracking.guard import Guard
from surrolab.tracking.metrics_file import numbers_of
from surrolab.tracking.record_log import HEADER_SIZE, log_of, read_records
from surrolab.tracking.segments import STEP, Segment, logged
from surrolab.tracking.session import finish_run, start_run

UNTRACKED = ".untracked"  # marks a run directory in which W&B's program could write nothing


def repair(segment: Segment) -> Segment | None:
    """Leave what can be read of a damaged file in its place; None where that is nothing.

    The damaged file is kept beside it. A file whose contents have reached the server stays.
    """
    if segment.whole or segment.received:
        return segment
    damaged = segment.path.with_suffix(".wandb.damaged")
    if segment.run is None:
        os.replace(segment.path, damaged)
        return None
    records = [record for record in read_records(segment.path) if record is not None]
    header = segment.path.read_bytes()[:HEADER_SIZE]
    damaged.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.link(segment.path, damaged)
    with atomic(segment.path, "wb") as file:
        file.write(log_of(records, header))
    return Segment(segment.path)


def restore(run_dir: Path, segments: list[Segment]) -> Segment | None:
    """Write what is lost as a further segment, and return it; None where nothing is.

    The summary that the server keeps is that of the last segment, so a run that was resumed
    offline loses there what was logged only before: a further segment says it again.

    Args:
        run_dir: of the run.
        segments: the run's, repaired.
    """
    rows = _rows(run_dir, segments)
    summary = _summary(run_dir, segments)
    short = len(segments) > 1 and not _holds(segments[-1].summary, summary)
    if not rows and not short:
        return None
    config = _read(run_dir / "config.yaml")
    logger = config["logger"]
    guard = Guard()
    # What W&B's files have of the configuration is more than what can be read here.
    known = any(segment.run is not None for segment in segments)
    run = start_run(
        "offline",
        guard,
        name=config["name"],
        dir=run_dir,
        id=tracked_id(run_dir),
        config=None if known else config | {"provenance": _read(run_dir / "provenance.json")},
        project=logger["project"],
        entity=logger["entity"],
        group=logger["group"],
        job_type=logger["job_type"] or "train",
        tags=logger["tags"],
        notes=logger["notes"],
    )
    define_metrics(run)
    for step, metrics in rows:
        run.log(metrics | {STEP: step})
    run.summary.update(summary)
    ended_well = _read(run_dir / "result.json").get("status") in ("completed", "pruned")
    finish_run(run, guard, 0 if ended_well else 1)
    (run_dir / UNTRACKED).unlink(missing_ok=True)
    return Segment(Path(run.settings.sync_file))


def _rows(run_dir: Path, segments: list[Segment]) -> list[tuple[int, dict[str, Any]]]:
    """What to log, by optimizer step."""
    rows: list[tuple[int, dict[str, Any]]] = []
    picture = run_dir / "surrogate.png"
    if picture.is_file() and not any("surrogate" in row for s in segments for row in s.history):
        import wandb

        rows.append((0, {"surrogate": wandb.Image(str(picture))}))
    if not any(segment.received for segment in segments):
        rows += lost(run_dir, segments)
    return rows


def _summary(run_dir: Path, segments: list[Segment]) -> dict[str, Any]:
    """The last value of everything; the best where that is what the summary keeps."""
    found: dict[str, Any] = {}
    for segment in segments:
        found |= segment.summary
    rows = _numbers(run_dir)
    for step, row in rows:
        found |= row | {STEP: step}
        found |= {name: {"last": v} for name, v in row.items() if summary_kind(name) == "last"}
    return found | best_values(rows)


def _holds(summary: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a summary has all names, and the best where that is what it keeps."""
    best = {name: value for name, value in wanted.items() if name in BEST}
    return wanted.keys() <= summary.keys() and all(summary[n] == best[n] for n in best)


def lost(run_dir: Path, segments: list[Segment]) -> list[tuple[int, dict[str, float]]]:
    """What the run directory has and W&B's files have not, by optimizer step."""
    have = logged(segments)
    missing = [
        (step, {k: v for k, v in row.items() if k not in have.get(step, ())})
        for step, row in _numbers(run_dir)
    ]
    return [(step, row) for step, row in missing if row]


def _numbers(run_dir: Path) -> list[tuple[int, dict[str, float]]]:
    """``metrics.csv``, and the test's metrics at its last step."""
    rows = numbers_of(run_dir / "metrics.csv")
    metrics = _read(run_dir / "result.json").get("metrics", {})
    if rows:
        rows[-1][1].update({k: v for k, v in metrics.items() if k.startswith("test/")})
    return rows


def tracked_id(run_dir: Path) -> str | None:
    """W&B's id of the run in a directory; None where it is none that W&B was to track."""
    logger = _read(run_dir / "config.yaml").get("logger") or {}
    wanted = logger.get("mode") in ("offline", "online")
    return _read(run_dir / "provenance.json").get("run_id") if wanted else None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
