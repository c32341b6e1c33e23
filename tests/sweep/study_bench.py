"""A study in a storage, and a worker that does not train."""

import contextlib
import functools
import math

import optuna
import pytest
import sqlalchemy as sql
from specs import spec

from surrolab.composition import compose_run
from surrolab.sweep.places import Places
from surrolab.sweep.storage import open_storage
from surrolab.sweep.study import attach, prepare
from surrolab.sweep.trial import Outcome
from surrolab.sweep.worker import FINISHED, Worker


def run_at_once(found, trial, values, directory, say):
    """In place of training."""
    result = -abs(math.log(values["surrogate.slope"] / 20)) if "surrogate.slope" in values else 0.0
    return Outcome("complete", [result] * len(found.objectives), [], None)


def _hurry(connection, _):
    connection.execute("PRAGMA synchronous=OFF")


@functools.cache
def composed(words, name):
    return compose_run(words, name)


class Bench:
    """A storage, and a worker that does not train."""

    def __init__(self, path):
        self.path = path
        self.storage = open_storage(f"sqlite:///{path}/study.db")
        # Nobody pulls the plug here, and a trial writes twenty times.
        sql.event.listen(self.storage.engine, "connect", _hurry)
        self.storage.engine.dispose()

    def prepare(self, changes="", **more):
        return prepare(spec(changes, **more), self.storage)

    def run(self, changes="", **more) -> list[optuna.trial.FrozenTrial]:
        """What a study holds when all is done that a spec asks for."""
        self.prepare(changes, **more)
        found, study = attach(self.storage, "widths")
        places = Places(self.storage.engine, study._study_id)
        assert Worker(study, found, places, self.path, None, None).work() == FINISHED
        return self.trials

    @property
    def study(self) -> optuna.Study:
        return optuna.load_study(study_name="widths", storage=self.storage)

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        return self.study.get_trials()

    def values(self, name: str) -> list:
        return [trial.params.get(name) for trial in self.trials]

    def dump(self) -> list:
        """All that the database holds."""
        with self.storage.engine.connect() as connection:
            return list(connection.connection.dbapi_connection.iterdump())

    def close(self):
        self.storage.remove_session()
        self.storage.engine.dispose()


@contextlib.contextmanager
def opened(path):
    """A bench whose trials end at once, and whose specs are composed once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("surrolab.sweep.trial.run_trial", run_at_once)
        for module in ("reading", "checks"):
            patch.setattr(
                f"surrolab.sweep.{module}.compose_run",
                lambda words, name: composed(tuple(words), name),
            )
        bench = Bench(path)
        yield bench
        bench.close()


def slope(low, high, **more):
    return {"surrogate.slope": {"low": low, "high": high, **more}}


def log_slope(low, high):
    return slope(low, high, log=True)
