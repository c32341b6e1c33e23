"""Run a configuration in its directory, and leave a result whatever happens."""

import contextlib
import json
import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl

from surrolab.callbacks import Watch, Watching, load_checkpoint
from surrolab.errors import DivergedError, UserError, one_line
from surrolab.files import write_json
from surrolab.memory import keep_freed_memory
from surrolab.run.build import (
    Parts,
    build_parts,
    build_trainer,
    refused_by_lightning,
)
from surrolab.run.construct import blame
from surrolab.run.directory import RunDirectory
from surrolab.run.drawing import leave_picture
from surrolab.run.ending import Ending
from surrolab.run.processes import interruptible, memory_limits, ranks_join, threads
from surrolab.run.provenance import provenance
from surrolab.run.reporting import log_to, quiet_lightning, say_engines, summarize
from surrolab.run.split import keep_split
from surrolab.seeding import seed_all
from surrolab.tracking import MetricsFile, WandbRun, last_metrics

log = logging.getLogger(__name__)


def execute(
    config: dict[str, Any],
    directory: RunDirectory,
    resume: bool = False,
    rank: int = 0,
    watch: Watch | None = None,
    watched: bool = False,
    notes: Sequence[str] = (),
) -> int:
    """Fit, test and write ``result.json``; the exit status.

    Args:
        config: checked by the schema.
        directory: claimed, with its configuration in it.
        resume: go on from the last checkpoint, if there is one.
        rank: of this process on its machine; only rank 0 writes.
        watch: looks at every epoch and may end the run, which is ``pruned`` then and not tested.
        watched: whether the first process has a watch.
        notes: on how the configuration came about, for the log.

    Raises:
        UserError: parts that do not fit together; the result says ``failed``.
        RunError: the run cannot go on; likewise.
    """
    started = time.monotonic()
    result: dict[str, Any] = {
        "status": "failed",
        "metrics": {},
        "seed": config["seed"],
        "duration_s": 0.0,
        "run_dir": str(directory.path),
    }
    before = directory.read_result() if resume else {}
    ending = Ending(directory, config)
    lock = directory.held() if rank == 0 else contextlib.nullcontext()
    with lock, log_to(directory.log, rank), interruptible():
        for note in notes:
            log.info("%s", note)
        try:
            watching = Watching(watch) if watch is not None or watched else None
            result |= _run(config, directory, resume, watch, watching, ending)
        except KeyboardInterrupt:
            result["status"] = "interrupted"
            raise
        except BaseException as error:
            result["error"] = one_line(error)
            log.debug("the run failed", exc_info=True)
            raise
        finally:
            if result["status"] not in ("completed", "pruned"):
                result["metrics"] = before.get("metrics", {}) | last_metrics(directory.metrics)
            spent = before.get("duration_s", 0.0) + time.monotonic() - started
            result["duration_s"] = round(spent, 3)
            try:
                if rank == 0:
                    directory.write_result(result)
            finally:
                ending.finish(result)
    if rank == 0:
        summarize(result, directory)
    return 0


def _run(
    config: dict[str, Any],
    directory: RunDirectory,
    resume: bool,
    watch: Watch | None,
    watching: Watching | None,
    ending: Ending,
) -> dict[str, Any]:
    quiet_lightning()
    keep_freed_memory(config["keep_memory"])
    with threads(config["threads"]), memory_limits():
        return _fit_and_test(config, directory, resume, watch, watching, ending)


def _fit_and_test(
    config: dict[str, Any],
    directory: RunDirectory,
    resume: bool,
    watch: Watch | None,
    watching: Watching | None,
    ending: Ending,
) -> dict[str, Any]:
    parts = build_parts(config)
    checkpoint = None
    if resume and directory.last.exists():
        checkpoint = load_checkpoint(directory.last)
        _fits(checkpoint, parts, directory)
    files = MetricsFile(directory.metrics, checkpoint["global_step"] if checkpoint else None)
    trainer = build_trainer(config, parts, directory, [files], watching)
    with blame("data", config["data"]):
        parts.data.setup()
    _something_to_test(config, parts)
    device = str(trainer.strategy.root_device)
    precision = str(trainer.precision)  # not always what was asked for
    facts = provenance(config, parts.task.network, device, trainer.world_size, precision)
    run_id = _remember(directory, facts, trainer.is_global_zero)
    trainer.loggers = [
        files,
        *parts.tracking.loggers(
            directory.path,
            config["name"],
            _all_about(config, facts, directory) | (watch.about if watch is not None else {}),
            run_id,
        ),
    ]
    ending.runs = [logger for logger in trainer.loggers if isinstance(logger, WandbRun)]
    if trainer.is_global_zero:
        say_engines(facts["layers"])
        keep_split(parts.data, directory.records / "split.npz")
        step = checkpoint["global_step"] if checkpoint else 0
        leave_picture(parts.task.network, directory, trainer.loggers, step)
    words = [*(["resume"] if resume else []), *(["watched"] if watching is not None else [])]
    state, outcome = "failed", {}
    try:
        with ranks_join(directory, *words), refused_by_lightning():
            _fit(trainer, parts, directory, checkpoint)
            if watching is not None and watching.pruned:
                outcome = {"status": "pruned", **_best(load_checkpoint(directory.best), directory)}
            else:
                outcome = {"status": "completed", **_test(trainer, parts, directory, config)}
        state = outcome["status"]
        return outcome
    except DivergedError:
        state = "diverged"
        raise
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    finally:
        files.save()
        ending.tags = watch.tags(state, outcome) if watch is not None else []


def _something_to_test(config: dict[str, Any], parts: Parts) -> None:
    """Refuse a share of the test batches that is none before anything is trained."""
    share, batches = config["trainer"]["limit_test_batches"], len(parts.data.test_dataloader())
    if isinstance(share, float) and int(share * batches) == 0:
        raise UserError(
            f"trainer.limit_test_batches: {share:g} of {batches} is none; allowed: at least "
            f"{1 / batches:.3g}, or a whole number of batches"
        )


def _fit(
    trainer: pl.Trainer, parts: Parts, directory: RunDirectory, checkpoint: dict[str, Any] | None
) -> None:
    if checkpoint is not None and _stopped_early(checkpoint):
        log.info("the run had stopped early: it is not trained further")
        return
    try:
        trainer.fit(
            parts.task,
            datamodule=parts.data,
            ckpt_path=directory.last if checkpoint is not None else None,
            weights_only=True,
        )
    except SystemExit as error:
        # Lightning ends the process itself on Ctrl-C and SIGTERM; the result comes first.
        raise KeyboardInterrupt from error


def _test(
    trainer: pl.Trainer, parts: Parts, directory: RunDirectory, config: dict[str, Any]
) -> dict[str, Any]:
    """Test the epoch chosen on validation, once."""
    best = load_checkpoint(directory.best)
    parts.load(best)
    seed_all(config["seed"], "test")
    try:
        trainer.test(parts.task, datamodule=parts.data, verbose=False)
    except SystemExit as error:
        raise KeyboardInterrupt from error
    outcome = _best(best, directory)
    last = load_checkpoint(directory.last)
    steps = last["global_step"]
    tested = {
        name: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("test/")
    } | last["callbacks"].get("EpochTests", {}).get("best", {})
    for logger in trainer.loggers[1:]:
        logger.log_metrics(tested, steps)
    return outcome | {
        "metrics": outcome["metrics"] | tested,
        "samples": parts.data.split_sizes,
    }


def _best(best: dict[str, Any], directory: RunDirectory) -> dict[str, Any]:
    """What the result says of the epoch chosen on validation, and of what was wrong until now."""
    state = next(state for key, state in best["callbacks"].items() if key.startswith("Checkpoints"))
    last = load_checkpoint(directory.last)
    return {
        "metrics": dict(state["best_metrics"]),
        "best_epoch": state["best_epoch"],
        "findings": last["callbacks"].get("Health", {}).get("findings", []),
    }


def _fits(checkpoint: dict[str, Any], parts: Parts, directory: RunDirectory) -> None:
    """Refuse a checkpoint of another model before anything is overwritten."""
    mismatch = parts.mismatch(checkpoint)
    if mismatch is not None:
        raise UserError(
            f"resume: {directory.last} is of another model: {mismatch}; allowed: the run's own "
            "checkpoint, or remove it to start over"
        )


def _stopped_early(checkpoint: dict[str, Any]) -> bool:
    return any(
        key.startswith("EarlyStopping") and state["wait_count"] >= state["patience"]
        for key, state in checkpoint["callbacks"].items()
    )


def _all_about(
    config: dict[str, Any], facts: dict[str, Any], directory: RunDirectory
) -> dict[str, Any]:
    """What the tracker keeps of a run beside its numbers."""
    overrides = directory.overrides.read_text().splitlines()
    return config | {"overrides": overrides, "provenance": facts}


def _remember(directory: RunDirectory, facts: dict[str, Any], main: bool) -> str:
    """Write provenance; what earlier parts of the run left is kept beside it."""
    run_id = uuid.uuid4().hex[:10]
    earlier: list[Any] = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        old = json.loads(directory.provenance.read_text())
        run_id = old.get("run_id", run_id)
        earlier = [*old.pop("earlier", []), old]
    if main:
        write_json(directory.provenance, facts | {"run_id": run_id, "earlier": earlier})
    return run_id
