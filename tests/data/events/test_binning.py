"""Binned events against bins that are filled one event at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import drawn, filled

from surrolab.data.events.arrays import EventArrays
from surrolab.data.events.binning import Binning
from surrolab.data.events.recordings import Listing, Recordings, build
from surrolab.data.events.samples import EventSamples
from surrolab.data.events.writing import InMemory
from surrolab.data.formats.events import Recording
from surrolab.errors import RunError


def at(*times: int) -> Recording:
    zeros = np.zeros(len(times), np.uint16)
    return Recording(np.array(times, np.int64), zeros, zeros, zeros.astype(np.uint8))


def arrays(
    recordings: list[Recording], sensor: tuple[int, int, int] | None, binning: Binning
) -> EventArrays:
    class Given(Recordings):
        def files(self) -> list[Any]:
            return []

        def settings(self) -> dict[str, Any]:
            return {}

        def opened(self) -> Any:
            import contextlib

            labels = [str(number % 2) for number in range(len(recordings))]
            return contextlib.nullcontext(
                Listing(labels, ["0", "1"], None, None, sensor, lambda: iter(recordings))
            )

    sink = InMemory()
    return sink.arrays(build(Given(), binning, sink))


SENSORS = st.sampled_from([(7, 1, 1), (5, 1, 2), (6, 5, 2), (4, 7, 1)])


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32),
    sensor=SENSORS,
    time_step=st.sampled_from([0.007, 1.0, 2.5, 10]),
    steps=st.one_of(st.none(), st.integers(1, 12)),
    pool=st.integers(1, 4),
    polarity=st.sampled_from(["split", "merge", "on", "off"]),
    binary=st.booleans(),
)
def test_batches_are_those_of_a_loop_over_events(
    seed: int,
    sensor: tuple[int, int, int],
    time_step: float,
    steps: int | None,
    pool: int,
    polarity: str,
    binary: bool,
) -> None:
    if sensor[2] == 1 and polarity in ("on", "off"):
        polarity = "merge"
    rng = np.random.default_rng(seed)
    step_us = round(1000 * time_step)
    sizes = [int(rng.integers(0, 50)) for _ in range(4)] + [3]
    recordings = [drawn(rng, size, sensor, 12 * step_us) for size in sizes]
    # The last event at the very begin of a step of its own.
    recordings[-1] = Recording(np.array([0, 1, 9 * step_us]), *recordings[-1][1:])
    recordings[-1].p[:] = 0 if polarity == "off" or sensor[2] == 1 else 1
    found = arrays(recordings, sensor, Binning(time_step, steps, pool, polarity))
    samples = EventSamples.of(found, np.arange(5), binary)
    rows = torch.tensor([3, 0, 4, 4, 2, 1])
    batch = samples.batch(rows)
    assert batch.x.dtype == torch.float32
    assert batch.x.is_contiguous()
    assert len(batch.x) == batch.lengths.max()
    for place, row in enumerate(rows.tolist()):
        whole, late = filled(
            *(recordings[row], sensor),
            step_us=step_us,
            steps=found.steps,
            pool=pool,
            polarity=polarity,
        )
        x = whole[: len(batch.x)]
        assert x.sum() == whole.sum()
        wanted = np.minimum(x, 1) if binary else x
        assert np.array_equal(batch.x[:, place].numpy(), wanted.reshape(batch.x[:, place].shape))
        assert late == found.cut[row]
        assert x.sum() == found.events[row]
        filled_steps = np.flatnonzero(x.sum((1, 2, 3)))
        assert batch.lengths[place] == (filled_steps[-1] + 1 if len(filled_steps) else 1)
        assert not batch.x[batch.lengths[place] :, place].any()
    if steps is None:
        assert not found.cut.any()
        assert found.steps == found.lengths.max()
    assert batch.y.tolist() == [row % 2 for row in rows.tolist()]
    # The way that augmented batches take.
    other = samples.batch_of(samples.entries(rows), rows)
    assert all(torch.equal(a, b) for a, b in zip(batch, other, strict=True))


def test_the_last_event_and_the_last_partial_step_are_there() -> None:
    binning = Binning(10, None, 1, "split")
    sensor = (1, 1, 1)
    for last, length in ((25_000, 3), (29_999, 3), (30_000, 4), (0, 1)):
        found = binning(at(0, 5, last) if last else at(0), sensor)
        assert found.length == length
        assert found.where[-1] == length - 1
        assert int(found.counts.sum()) == found.events == (3 if last else 1)
    # Of 25 ms, two steps and a half, nothing is lost; a number of steps is what cuts.
    assert Binning(10, 3, 1, "split")(at(0, 24_999), sensor).cut == 0
    assert Binning(10, 2, 1, "split")(at(0, 19_999, 20_000, 24_999), sensor).cut == 2


def test_many_events_in_a_bin_saturate() -> None:
    found = Binning(1, 1, 1, "merge")(at(*[0] * 300), (1, 1, 1))
    assert (found.counts.tolist(), found.events) == ([255], 300)


@pytest.mark.parametrize(
    ("sensor", "polarity", "pool", "shape"),
    [
        ((700, 1, 1), "split", 1, (700,)),
        ((700, 1, 1), "merge", 3, (234,)),
        ((10, 1, 2), "split", 1, (2, 10)),
        ((10, 1, 2), "on", 1, (10,)),
        ((34, 34, 2), "split", 1, (2, 34, 34)),
        ((128, 64, 2), "merge", 4, (1, 16, 32)),
        ((9, 5, 2), "off", 4, (1, 2, 3)),
    ],
)
def test_shapes(
    sensor: tuple[int, int, int], polarity: str, pool: int, shape: tuple[int, ...]
) -> None:
    assert Binning(1, None, pool, polarity).shape(sensor) == shape


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((0, None, 1, "split"), "time_step: 0 is not allowed"),
        ((0.0004, None, 1, "split"), "time_step: 0.0004 is not allowed; allowed: a multiple of"),
        ((1.00001, None, 1, "split"), "time_step: 1.00001 is not allowed"),
        ((1, 0, 1, "split"), "steps: 0 is not allowed"),
        ((1, None, 0, "split"), "pool: 0 is not allowed"),
        ((1, None, 1, "both"), "polarity: 'both' is not allowed; allowed: split, merge, on, off"),
    ],
)
def test_what_is_out_of_range_is_refused(values: Any, line: str) -> None:
    with pytest.raises(ValueError) as caught:
        Binning(*values)
    assert str(caught.value).startswith(line)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^time_step: 2147483648 steps of 700 inputs .* steps=N"):
        Binning(0.001, None, 1, "split")(at(2**31 - 1), (700, 1, 1))
    with pytest.raises(ValueError, match=r"^polarity: on is not allowed, as the sensor has one"):
        arrays([at(0)], (3, 1, 1), Binning(1, None, 1, "on"))
    with pytest.raises(ValueError, match=r"^steps: there are no events; "):
        arrays([at(), at()], (3, 1, 1), Binning(1, None, 1, "split"))
    with pytest.raises(ValueError, match=r"^steps: there are no events within 2 steps"):
        arrays([at(5000)], (3, 1, 1), Binning(1, 2, 1, "split"))


def test_a_sensor_that_is_not_given_is_as_large_as_the_events_need() -> None:
    rng = np.random.default_rng(0)
    recordings = [drawn(rng, 200, (9, 6, 2), 1000) for _ in range(3)]
    assert arrays(recordings, None, Binning(1, None, 1, "split")).sensor == (9, 6, 2)


def test_taking_copies_no_event() -> None:
    rng = np.random.default_rng(0)
    recordings = [drawn(rng, 20, (9, 6, 2), 9000) for _ in range(6)]
    samples = EventSamples.of(
        arrays(recordings, None, Binning(1, None, 1, "split")), np.array([5, 3, 2, 0]), binary=False
    )
    part = samples.take(torch.tensor([2, 0]))
    assert part.arrays is samples.arrays
    assert (len(part), part.rows.tolist(), part.y.tolist()) == (2, [2, 5], [0, 1])
    whole, some = samples.batch(torch.arange(4)), part.batch(torch.arange(2))
    assert torch.equal(whole.x[:, [2, 0]], some.x)
    assert torch.equal(whole.lengths[[2, 0]], some.lengths)
    assert part.sample_shape == (samples.arrays.steps, 2, 6, 9)
    assert part.groups is None


def test_time_starts_with_the_clock_or_the_first_event(caplog: pytest.LogCaptureFixture) -> None:
    late = [at(5_000_000, 5_012_000), at(9_000_000, 9_001_000)]
    found = arrays(late, (1, 1, 1), Binning(10, None, 1, "split", "first"))
    assert (found.steps, found.lengths.tolist(), found.counts.tolist()) == (2, [2, 1], [1, 1, 2])
    assert not caplog.records
    assert arrays(late, (1, 1, 1), Binning(10, None, 1, "split")).steps == 901
    assert "no recording has an event in its first 1000 ms: data.start=first" in caplog.text
    with pytest.raises(ValueError, match=r"within 20 steps; allowed: .*, or start=first$"):
        arrays(late, (1, 1, 1), Binning(10, 20, 1, "split"))


def test_events_behind_the_last_step_are_damage() -> None:
    found = arrays([at(0, 5000), at(1000)], (1, 1, 1), Binning(1, None, 1, "split"))
    samples = EventSamples.of(
        replace(found, where=found.where + 100, place="kept"), np.arange(2), False
    )
    rows = torch.tensor([0, 1])
    with pytest.raises(RunError, match="the binned events in kept are damaged"):
        samples.batch_of(samples.entries(rows), rows)
