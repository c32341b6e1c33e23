"""A process that runs one trial after another, until nothing is left to do.

Started as ``python -m surrolab.sweep.worker``, or called by a cluster's launcher.
"""

import argparse
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState

from surrolab.errors import UserError, one_line
from surrolab.sweep.heart import Heart
from surrolab.sweep.identity import process
from surrolab.sweep.patience import no_room, persistently, why
from surrolab.sweep.places import Nothing, Place, Places
from surrolab.sweep.spec import Spec
from surrolab.sweep.storage import open_storage
from surrolab.sweep.study import attach, equip, quiet_optuna

log = logging.getLogger(__name__)

# Exit statuses, beside those of Python's own.
FINISHED, GAVE_UP, HINDERED, STOPPED = 0, 3, 4, 5
# After so many kills without an epoch in between, the trial itself is to blame: out of memory.
MAX_KILLS = 5


@dataclass
class Worker:
    """What a worker works with.

    Args:
        study: Optuna's.
        spec: of the study.
        places: of the study.
        directory: of the sweep.
        deadline: time of day, in seconds, after which no trial is begun; None: there is none.
        parent: process number of who started it, or None.
    """

    study: optuna.Study
    spec: Spec
    places: Places
    directory: Path
    deadline: float | None
    parent: int | None

    def work(self) -> int:
        """Run trials; the exit status."""
        name = process()
        while True:
            if self.parent is not None and os.getppid() != self.parent:
                return STOPPED
            if self.deadline is not None and time.time() > self.deadline:
                return FINISHED
            if persistently(self.places.failures) >= self.spec.node["max_failures"]:
                return GAVE_UP
            place = persistently(self._claim)
            if place is Nothing.FINISHED:
                return FINISHED
            if place is Nothing.WAIT:
                time.sleep(0.5)
                continue
            assert isinstance(place, Place)
            heart = Heart(self.places, place, name, self.parent)
            heart.start()
            stopped = False
            try:
                self._one(place, name, heart)
            except KeyboardInterrupt:
                stopped = True
            finally:
                if stopped:
                    self._let_go()
                heart.stop()
                if not heart.lost:
                    self._leave(place, name)
            if heart.lost:
                log.warning("another worker has taken the trial over")
            elif stopped:
                return STOPPED

    def _let_go(self) -> None:
        """Close what an interrupt left of a transaction: its lock would keep everybody waiting."""
        gc.collect()
        storage = getattr(self.study._storage, "_backend", self.study._storage)
        storage.remove_session()

    def _leave(self, place: Place, name: str) -> None:
        """Let others have the place; only where the trial is not finished is it still open."""
        # Once: where the database is away they see before long that nobody works on it.
        with contextlib.suppress(Exception):
            self.places.release(place, name)

    def _claim(self) -> Place | Nothing:
        spec = self.spec
        grid = spec.points
        points = [*spec.starting_points, *(grid or [])]
        return self.places.claim(process(), spec.target, points, only_points=grid is not None)

    def _one(self, place: Place, name: str, heart: Heart) -> None:
        with quiet_optuna():
            trial = persistently(lambda: self._trial(place, name))
        if isinstance(trial, TrialState):  # its worker died before it could say so here
            end = self.places.failed if trial == TrialState.FAIL else self.places.done
            heart.stop()
            persistently(lambda: end(place, name))
            return
        number = trial.number
        if place.kills >= MAX_KILLS:
            error = (
                f"its worker was killed {place.kills} times without finishing an epoch; is the "
                "memory enough?"
            )
            self._fail(place, name, heart, trial, error)
            return
        # Only now: what is heavy is not needed where nothing is to be run.
        from surrolab.sweep.trial import run_trial

        try:
            with quiet_optuna():
                values = persistently(lambda: self.spec.space.suggest(trial))
            log.info("trial %d: %s", number, self.spec.space.overrides(values))
            outcome = run_trial(self.spec, trial, values, self.directory, heart.say)
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            if no_room(error):
                raise
            log.exception("trial %d failed", number)
            self._check_held(place, name, heart)
            self._fail(place, name, heart, trial, one_line(error))
            return
        self._check_held(place, name, heart)
        facts = {key: value for key, value in asdict(outcome).items() if key in ("runs", "reason")}
        state = TrialState.COMPLETE if outcome.state == "complete" else TrialState.PRUNED
        persistently(
            lambda: self._finish(
                trial, state, outcome.values, {**facts, "attempts": place.attempts}
            )
        )
        heart.stop()  # which would take the place for lost
        persistently(lambda: self.places.done(place, name))
        log.info("trial %d: %s %s", number, outcome.state, outcome.values or "")

    def _check_held(self, place: Place, name: str, heart: Heart) -> None:
        """Leave the trial to the worker that has taken it over, if one has.

        Raises:
            KeyboardInterrupt: one has.
        """
        if not persistently(lambda: self.places.beat(place, name, None)):
            heart.lost = True
            heart.stop()  # it would interrupt for the same reason
            raise KeyboardInterrupt

    def _trial(self, place: Place, name: str) -> Trial | TrialState:
        """The trial of a place, made if there is none yet; its state if it is finished."""
        study_id, storage = self.study._study_id, self.study._storage
        trial_id = place.trial_id
        if trial_id is None:
            # One may have been made by a worker that died before it could say which.
            trials = storage.get_all_trials(study_id, deepcopy=False)
            mine = [t for t in trials if t.user_attrs.get("place") == place.id]
            if mine:
                trial_id = mine[0]._trial_id
            else:
                template = optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    user_attrs={"place": place.id, "starting_point": place.point is not None},
                    system_attrs={} if place.point is None else {"fixed_params": place.point},
                )
                trial_id = storage.create_new_trial(study_id, template)
            self.places.remember(place, name, trial_id)
        frozen = storage.get_trial(trial_id)
        if frozen.state.is_finished():
            return frozen.state
        equip(self.study, self.spec, frozen.number)
        return Trial(self.study, trial_id)

    def _finish(
        self, trial: Trial, state: TrialState, values: list[float] | None, facts: dict[str, Any]
    ) -> None:
        """Write what is known of the trial, and then that it is finished."""
        with quiet_optuna():
            storage, trial_id = self.study._storage, trial._trial_id
            if storage.get_trial(trial_id).state.is_finished():
                return
            for key, value in facts.items():
                storage.set_trial_user_attr(trial_id, key, value)
            self.study.tell(trial, values, state)

    def _fail(self, place: Place, name: str, heart: Heart, trial: Trial, error: str) -> None:
        print(f"surrolab: trial {trial.number} failed: {error}", file=sys.stderr, flush=True)
        facts = {"error": error, "attempts": place.attempts}
        persistently(lambda: self._finish(trial, TrialState.FAIL, None, facts))
        heart.stop()
        persistently(lambda: self.places.failed(place, name))


def work(url: str, study: str, directory: Path, deadline: float | None, parent: int | None) -> int:
    """Work on a study that has been prepared; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    for noisy in ("alembic", "matplotlib", "submitit"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    # A shell's background jobs ignore it, and the heartbeat stops a trial with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        storage: RDBStorage = open_storage(url, make=False)
        spec, found = attach(storage, study)
        places = Places(storage.engine, found._study_id)
        # Imported before a trial is taken: nobody has to wait for a place that is not worked on.
        import surrolab.sweep.trial  # noqa: F401

        return Worker(found, spec, places, directory, deadline, parent).work()
    except KeyboardInterrupt:
        return STOPPED
    except Exception as error:
        if not no_room(error):
            raise
        with contextlib.suppress(OSError):  # the log may lie on the same disk
            print(f"surrolab: {why(error)}", file=sys.stderr)
        return HINDERED


def main() -> int:
    """The process that a supervisor on the same machine starts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("study")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--deadline", type=float)
    given = parser.parse_args()
    # Not on the command line, which every user of the machine can read: it may hold a password.
    url = os.environ.pop("SURROLAB_STORAGE")
    try:
        return work(url, given.study, given.directory, given.deadline, given.parent)
    except UserError as error:
        print(f"surrolab: {one_line(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
