"""Places of a study, taken by many workers at once: each has one owner, each point is made once."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from postgres import Postgres

from surrolab.sweep import places as module
from surrolab.sweep.identity import process
from surrolab.sweep.places import Nothing, Place, Places

TARGET, WORKERS = 30, 6
POINTS = [{"slope": float(number)} for number in range(5)]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database().replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def engine(url: str) -> Iterator[sql.Engine]:
    made = make_engine(url)
    yield made
    made.dispose()


def make_engine(url: str) -> sql.Engine:
    wanted = {"timeout": 60} if url.startswith("sqlite") else {}
    return sql.create_engine(url, connect_args=wanted)


def hammer(url: str, barrier: Any, said: Any, number: int) -> None:
    """Take places and finish, fail, leave or forget them, until none is left."""
    engine = make_engine(url)
    places = Places(engine, 1)
    places.create()
    chance = random.Random(number)
    barrier.wait()
    name, life = f"elsewhere/{number}/0", 0
    while True:
        try:
            place = places.claim(name, TARGET, POINTS, only_points=False)
        except sql.exc.OperationalError:  # two at once, of which PostgreSQL ends one
            continue
        if place is Nothing.FINISHED:
            break
        if not isinstance(place, Place):
            time.sleep(0.01)
            continue
        said.put((place.id, place.point))
        time.sleep(chance.random() * 0.01)
        places.beat(place, name, {"epochs_done": 1})
        what = chance.choice(["done", "done", "done", "failed", "release", "forget"])
        if what == "forget":  # its heart stops, and it comes back as another
            life += 1
            name = f"elsewhere/{number}/{life}"
            continue
        getattr(places, what)(place, name)
    engine.dispose()


def test_many_at_once(url: str, engine: sql.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.5)
    monkeypatch.setattr(module, "_WATCHED", 0.1)
    fork = multiprocessing.get_context("fork")
    barrier, said = fork.Barrier(WORKERS), fork.SimpleQueue()
    workers = [fork.Process(target=hammer, args=(url, barrier, said, n)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    taken: list[tuple[int, Any]] = []
    while any(worker.is_alive() for worker in workers) or not said.empty():
        if said.empty():
            time.sleep(0.01)
        else:
            taken.append(said.get())
    assert [worker.exitcode for worker in workers] == [0] * WORKERS
    rows = Places(engine, 1).rows()
    done = [row for row in rows if row.state == "done"]
    assert sorted(row.place for row in done) == list(range(TARGET))
    assert {row.state for row in rows} <= {"done", "failed"}
    # Had two taken one place at once, more would say so than the place knows of.
    assert Counter(place for place, _ in taken) == {row.id: row.attempts for row in rows}
    assert max(row.attempts for row in rows) > 1
    given = {place: str(point) for place, point in taken if point}
    assert sorted(given.values()) == [str(point) for point in POINTS]


def test_a_stopped_worker_cannot_count_its_trial_again(
    engine: sql.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs for longer than the grace period, and then goes on as if nothing were."""
    places, other = Places(engine, 1), Places(engine, 1)
    places.create()
    hung, second = "elsewhere/1/1", "elsewhere/2/2"
    place = places.claim(hung, 1, [], only_points=False)
    assert isinstance(place, Place)
    places.remember(place, hung, 7)
    assert other.claim(second, 1, [], only_points=False) is Nothing.WAIT
    clock = [time.monotonic(), 0.0]
    real = module._now
    monkeypatch.setattr(module, "_now", lambda connection: real(connection) + clock[1])
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    clock[1] = module.GRACE + 1
    # It may be the database that was away: it has to be silent while one looks, too.
    assert other.claim(second, 1, [], only_points=False) is Nothing.WAIT
    clock[0] += module._WATCHED + 1
    taken = other.claim(second, 1, [], only_points=False)
    assert isinstance(taken, Place)
    assert (taken.trial_id, taken.attempts, taken.kills) == (7, 2, 1)
    assert not places.beat(place, hung, None)
    for end in (places.done, places.failed, places.release):
        end(place, hung)
        (row,) = places.rows()
        assert (row.state, row.worker) == ("open", second)
    other.done(taken, second)
    assert not other.beat(taken, second, None)
    assert places.claim(hung, 1, [], only_points=False) is Nothing.FINISHED


def test_a_dead_process_is_followed_at_once(engine: sql.Engine) -> None:
    places = Places(engine, 1)
    places.create()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    dead = process(child.pid)
    place = places.claim(dead, None, POINTS[:1], only_points=True)
    assert isinstance(place, Place)
    assert places.claim(process(), None, POINTS[:1], only_points=True) is Nothing.WAIT
    child.kill()
    child.join()
    taken = places.claim(process(), None, POINTS[:1], only_points=True)
    assert isinstance(taken, Place)
    assert (taken.id, taken.point) == (place.id, POINTS[0])
    # A crash does not count, and its point is tried again once that is forgiven.
    places.failed(taken, process())
    assert places.claim(process(), None, POINTS[:1], only_points=True) is Nothing.FINISHED
    places.forgive()
    again = places.claim(process(), None, POINTS[:1], only_points=True)
    assert isinstance(again, Place)
    assert again.point == POINTS[0]
