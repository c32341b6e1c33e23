"""Beginning and ending a run of Weights & Biases, whatever its server does meanwhile."""

import contextlib
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrolab.errors import UserError, one_line
from surrolab.tracking.guard import Guard
from surrolab.tracking.light import light, quiet
from surrolab.tracking.segments import Segment
from surrolab.tracking.send import log_entries

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

ANSWER_S = 10.0
INIT_S = 60.0
FINISH_S = 300.0
MARGIN_S = 15.0
ALLOWED = "offline, disabled, or online after `wandb login`"
_FATAL = "uploading data"  # of wandb's message that it has given up on the server


def start_run(mode: str, guard: Guard, **init: Any) -> "wandb.Run":
    """A run of W&B; offline where ``mode`` is online and the server or the key is no good.

    Nobody is ever asked for a key: a batch job would wait for ever.

    Args:
        mode: ``offline`` or ``online``.
        guard: is told when the run is offline against its mode.
        init: of ``wandb.init``, but ``mode``, ``settings`` and ``resume``.

    Raises:
        UserError: online without a login, or the server refuses what a good key asks for.
    """
    import wandb

    quiet(wandb)
    url = str(wandb.setup().settings.base_url)
    silence = f"no answer from {url}, so the run is tracked offline"
    if mode == "online" and not answers(url):
        guard.tell(silence)
        mode = "offline"
    try:
        if mode == "online" and not wandb.login(prompt=False):
            raise UserError(
                f"logger.mode: online needs a login and there is none for {url}; allowed: {ALLOWED}"
            )
        run = _init(mode, init)
    except wandb.errors.AuthenticationError as error:
        guard.tell(f"the key is no good ({one_line(error)}), so the run is tracked offline")
        run = _init("offline", init)
    except wandb.errors.Error as error:
        # Where there is an answer, it is why, such as a project that is not the user's.
        if mode == "offline" or answers(url):
            raise UserError(
                f"logger.mode: {mode} does not work here ({one_line(error)}); allowed: {ALLOWED}"
            ) from error
        guard.tell(silence)
        run = _init("offline", init)
    # Keeps what wandb would print in the middle of ours, and notes when it gives up.
    wandb.termsetup(run.settings, _Listener(guard))
    return run


def record_artifacts(run: "wandb.Run") -> None:
    """Have W&B take the artifacts and tables of an online run as it takes those of an offline one.

    Otherwise it asks the server before each, for 10 s and more where that is gone, and keeps what
    it could not send in no file. As records of the run's file they are sent like the rest.
    """
    log_artifact, settings = run._log_artifact, run._settings

    def recorded(*args: Any, **kwargs: Any) -> Any:
        before, settings.mode = settings.mode, "offline"
        try:
            return log_artifact(*args, **kwargs)
        finally:
            settings.mode = before

    run._log_artifact = recorded  # type: ignore[method-assign]


def finish_run(run: "wandb.Run", guard: Guard, exit_code: int) -> None:
    """End a run within bounded time; a run that is whole on the server is marked as sent."""
    with guard.guarded("ending the run"):
        path = Path(run.settings.sync_file)
        try:
            _finish(run, exit_code)
        except TimeoutError:
            guard.cut_off = True
            guard.tell("its server did not take the whole run in time")
        except ConnectionError as error:
            guard.cut_off = True
            guard.tell(one_line(error))
        written = _wait_for_end(path)
        if not run.offline and not guard.cut_off and not _failures(path.parent):
            if guard.told:
                Segment(path).mark_received()
            else:
                Segment(path).mark(sent=True)
        elif not run.offline:
            guard.tell("its server has not got all of the run")
        elif not written:
            guard.tell(f"{path} was not written to its end")


def _finish(run: "wandb.Run", exit_code: int) -> None:
    """``run.finish`` for so long as W&B itself should take at most, and then no longer.

    W&B 0.31 does not look at its own limit while it waits for an answer about an artifact.

    Raises:
        TimeoutError: it took longer.
    """
    errors: list[Exception] = []

    def finish() -> None:
        try:
            run.finish(exit_code=exit_code)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=finish, daemon=True)
    thread.start()
    thread.join(run.settings.finish_timeout + MARGIN_S)
    if thread.is_alive():
        _drop_service()
        raise TimeoutError
    if drop_dead_service():
        raise ConnectionError("its own process is dead")
    if errors:
        raise errors[0]


def drop_dead_service() -> bool:
    """Whether W&B's process is dead; W&B is kept from talking to it once more at the very end."""
    import wandb

    with contextlib.suppress(Exception):
        if wandb.setup().ensure_service()._proc._process.poll() is not None:  # type: ignore[union-attr]
            _drop_service()
            return True
    return False


def _drop_service() -> None:
    """End W&B's process, which may hang or be dead; what it wrote can be sent later."""
    import wandb

    # All of this is W&B's own: no public way ends a process that does not answer.
    with contextlib.suppress(Exception):
        wandb.setup().ensure_service()._proc._process.kill()  # type: ignore[union-attr]
    try:
        wandb.teardown()
    except (Exception, SystemExit):
        log.debug("W&B: its process ended badly", exc_info=True)


def _failures(folder: Path) -> bool:
    """Whether W&B's own log tells of something that did not get to the server.

    What could not be written on this machine may have got there all the same.
    """
    entries = log_entries(folder / "logs" / "debug-internal.log")
    errors = [entry for entry in entries if str(entry.get("level")).startswith("ERROR")]
    return any(
        "no space left" not in str(entry) and not str(entry.get("msg")).startswith("writer:")
        for entry in errors
    )


def _wait_for_end(path: Path) -> bool:
    """Whether the file ends with the process's exit, which is written after ``finish``."""
    for _ in range(50):
        if Segment(path).exit_code is not None:
            return True
        time.sleep(0.1)
    return False


def answers(url: str, timeout: float = ANSWER_S) -> bool:
    """Whether a server of W&B answers there in time, if only to refuse."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=b'{"query": "query Viewer { viewer { id } }", "variables": {}}',
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except (OSError, ValueError):
        return False


def _init(mode: str, init: dict[str, Any]) -> "wandb.Run":
    import wandb

    settings = wandb.Settings(
        # Its own console capture and messages would break up the progress bar.
        console="off",
        silent=True,
        x_disable_meta=True,
        x_save_requirements=False,  # provenance has the versions that matter
        init_timeout=INIT_S,
        finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT", FINISH_S)),
        finish_timeout_raises=True,
        # What is in memory when a process is killed is lost: by default, 15 s of metrics.
        x_transaction_log_flush_interval=0.1,
    )
    # Python prints a trace for each message that a logger cannot write, as on a full disk.
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        with light():
            run = wandb.init(**init, mode=mode, resume="allow", settings=settings)  # type: ignore[arg-type]
    finally:
        logging.raiseExceptions = before
    for handler in logging.getLogger("wandb").handlers:
        handler.handleError = lambda record: None  # type: ignore[method-assign]
    return run


class _Listener:
    """Takes what wandb would print."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def info(self, message: str) -> None:
        log.debug("wandb: %s", message)

    def warning(self, message: str) -> None:
        log.debug("wandb: %s", message)
        if _FATAL in message:
            self._guard.cut_off = True
            self._guard.tell("its server does not take the run's data any more")

    error = warning
