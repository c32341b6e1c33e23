"""Who works on which trial: a table beside Optuna's, in the same database.

A study of N trials has N places. A worker takes a free one, or one whose worker is gone, makes the
trial that belongs to it, and keeps it by heartbeats until the trial is finished. So no more than N
trials are finished, a trial is never worked on twice at a time, and one whose worker died goes on
where it stood, in the same directory and under the same number. Optuna's own heartbeats only work
inside `Study.optimize` and begin a trial anew.
"""

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from surrolab.sweep.identity import is_dead

# Seconds between heartbeats, and after how many without one a worker is taken for dead.
BEAT, GRACE = 5.0, 30.0
# And how long its heartbeat has to have been the same while we looked: a database that was away
# for a while makes everybody look dead.
_WATCHED = 8.0

_metadata = sql.MetaData()
_table = sql.Table(
    "surrolab_places",
    _metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("study_id", sql.Integer, nullable=False),
    sql.Column("place", sql.Integer),  # none: the trial failed, its place is free again
    sql.Column("point", sql.Text),  # of a grid or a starting point, each handed out once
    sql.Column("trial_id", sql.Integer),
    sql.Column("state", sql.String(16), nullable=False),  # open | done | failed | old
    sql.Column("worker", sql.String(255)),  # none: free to go on with
    sql.Column("beat", sql.Float, nullable=False),
    sql.Column("attempts", sql.Integer, nullable=False),
    sql.Column("kills", sql.Integer, nullable=False),  # since the last finished epoch
    sql.Column("progress", sql.Text),
    sql.UniqueConstraint("study_id", "place"),
    sql.UniqueConstraint("study_id", "point"),
)


class Nothing(Enum):
    """Why there is no place."""

    FINISHED = "every place is done"
    WAIT = "others work on what is left"


@dataclass(frozen=True)
class Place:
    """A place that this worker has."""

    id: int
    trial_id: int | None
    point: dict[str, Any] | None
    attempts: int
    kills: int


class Places:
    """The places of one study.

    Args:
        engine: of the study's storage.
        study_id: Optuna's.
    """

    def __init__(self, engine: sql.Engine, study_id: int) -> None:
        self._engine = engine
        self._mine = _table.c.study_id == study_id
        self._study_id = study_id
        self._seen: dict[int, tuple[float, float]] = {}

    def create(self) -> None:
        """Make the table where there is none."""
        # Two machines may start at the same moment.
        with contextlib.suppress(sql.exc.ProgrammingError, sql.exc.OperationalError):
            _metadata.create_all(self._engine)

    def clear(self) -> None:
        """Forget them, for a study that is new: SQLite gives it the number of a deleted one."""
        with self._engine.begin() as connection:
            connection.execute(sql.delete(_table).where(self._mine))

    def claim(
        self, worker: str, target: int | None, points: Sequence[dict[str, Any]], only_points: bool
    ) -> Place | Nothing:
        """Take a place.

        Args:
            worker: who takes it.
            target: how many places there are; None: no end of them.
            points: values of trials that are wanted, in this order.
            only_points: there are no other trials.
        """
        wanted = [json.dumps(point, sort_keys=True) for point in points]
        while True:
            with self._engine.connect() as connection:
                rows = connection.execute(sql.select(_table).where(self._mine)).fetchall()
                now = _now(connection)
            held = [row for row in rows if row.state == "open"]
            for row in held:
                if self._is_free(row, now):
                    taken = self._take(row, worker)
                    if taken is not None:
                        return taken
            known = {row.point for row in rows}
            left = [point for point in wanted if point not in known]
            used = {row.place for row in rows}
            # Places beyond the target stay done when a study is made smaller.
            free = next(number for number in range(len(rows) + 1) if number not in used)
            # Of a grid its own points count, whatever else the study holds.
            counted = [
                row
                for row in rows
                if row.place is not None and (not only_points or row.point in wanted)
            ]
            full = target is not None and len(counted) >= target
            if full or (only_points and not left):
                return Nothing.WAIT if held else Nothing.FINISHED
            with contextlib.suppress(IntegrityError):  # somebody was faster
                return self._new(free, left[0] if left else None, worker)

    def beat(self, place: Place, worker: str, progress: dict[str, Any] | None) -> bool:
        """Say that the worker is there; False if the place is somebody else's by now."""
        with self._engine.begin() as connection:
            values = {"beat": _now(connection), "progress": json.dumps(progress)}
            if progress is not None and progress.get("epochs_done"):
                values["kills"] = 0
            done = connection.execute(
                sql.update(_table).where(*self._held(place, worker)).values(values)
            )
            return done.rowcount == 1

    def remember(self, place: Place, worker: str, trial_id: int) -> None:
        """Say which trial it is."""
        self._update(place, worker, trial_id=trial_id)

    def done(self, place: Place, worker: str) -> None:
        """The trial is finished."""
        self._update(place, worker, state="done", worker=None)

    def failed(self, place: Place, worker: str) -> None:
        """The trial crashed: it does not count, and its place is free for another."""
        self._update(place, worker, state="failed", place=None, worker=None)

    def release(self, place: Place, worker: str) -> None:
        """Leave it to whoever is free."""
        self._update(place, worker, worker=None)

    def failures(self) -> int:
        """How many trials have crashed since :meth:`forgive`."""
        with self._engine.connect() as connection:
            count = sql.select(sql.func.count()).where(self._mine, _table.c.state == "failed")
            return int(connection.execute(count).scalar_one())

    def forgive(self) -> None:
        """Start counting crashes anew, and let points that crashed be tried again."""
        with self._engine.begin() as connection:
            connection.execute(
                sql.update(_table)
                .where(self._mine, _table.c.state == "failed")
                .values(state="old", point=None)
            )

    def rows(self) -> list[Any]:
        """All there is, as the table has it."""
        with self._engine.connect() as connection:
            return list(connection.execute(sql.select(_table).where(self._mine)).fetchall())

    def working(self) -> list[str]:
        """Workers that are there, as far as can be known."""
        with self._engine.connect() as connection:
            rows = connection.execute(sql.select(_table).where(self._mine)).fetchall()
            now = _now(connection)
        return [
            row.worker
            for row in rows
            if row.state == "open"
            and row.worker is not None
            and now - row.beat < GRACE
            and not is_dead(row.worker)
        ]

    def _is_free(self, row: Any, now: float) -> bool:
        if row.worker is None or is_dead(row.worker):
            return True
        if now - row.beat < GRACE:
            return False
        beat, since = self._seen.get(row.id, (None, 0.0))
        if beat != row.beat:
            self._seen[row.id] = (row.beat, time.monotonic())
            return False
        return time.monotonic() - since > _WATCHED

    def _take(self, row: Any, worker: str) -> Place | None:
        """Exchange the worker, if nobody else has done so since the row was read."""
        killed = row.worker is not None
        with self._engine.begin() as connection:
            done = connection.execute(
                sql.update(_table)
                .where(
                    _table.c.id == row.id,
                    _table.c.state == "open",
                    _table.c.attempts == row.attempts,
                    _table.c.worker == row.worker if killed else _table.c.worker.is_(None),
                )
                .values(
                    worker=worker,
                    beat=_now(connection),
                    attempts=row.attempts + 1,
                    kills=row.kills + killed,
                )
            )
            if done.rowcount != 1:
                return None
        return _place(row, row.attempts + 1, row.kills + killed)

    def _new(self, number: int, point: str | None, worker: str) -> Place:
        with self._engine.begin() as connection:
            values = {
                "study_id": self._study_id,
                "place": number,
                "point": point,
                "state": "open",
                "worker": worker,
                "beat": _now(connection),
                "attempts": 1,
                "kills": 0,
            }
            done = connection.execute(sql.insert(_table).values(values))
            assert done.inserted_primary_key is not None
            given = None if point is None else json.loads(point)
            return Place(int(done.inserted_primary_key[0]), None, given, 1, 0)

    def _held(self, place: Place, worker: str) -> tuple[sql.ColumnElement[bool], ...]:
        return _table.c.id == place.id, _table.c.worker == worker, _table.c.state == "open"

    def _update(self, held: Place, worker_now: str, /, **values: Any) -> None:
        with self._engine.begin() as connection:
            statement = sql.update(_table).where(*self._held(held, worker_now)).values(values)
            connection.execute(statement)


def _place(row: Any, attempts: int, kills: int) -> Place:
    point = None if row.point is None else json.loads(row.point)
    return Place(row.id, row.trial_id, point, attempts, kills)


def _now(connection: sql.Connection) -> float:
    """Seconds by the database's clock, which all machines that share it see."""
    if connection.dialect.name == "sqlite":
        return time.time()  # a file is used by one machine
    statement = sql.text("SELECT EXTRACT(EPOCH FROM CURRENT_TIMESTAMP)")
    return float(connection.execute(statement).scalar_one())
