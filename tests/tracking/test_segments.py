"""W&B's files of a run: read, repaired and completed."""

import random
from pathlib import Path
from typing import Any

import pytest

from surrolab.tracking.record_log import BLOCK, log_of, read_records
from surrolab.tracking.restore import lost, repair
from surrolab.tracking.segments import STEP, Segment, logged

HEADER = b":W&B\xe1\xbe\x00"


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    folder = tmp_path / "wandb" / "offline-run-20260101_000000-abc"
    folder.mkdir(parents=True)
    return Segment(folder / "run-abc.wandb")


def history(step: int, **metrics: float) -> bytes:
    record = _record()
    for name, value in {STEP: step, **metrics}.items():
        item = record.history.item.add()
        item.nested_key.append(name)
        item.value_json = str(value)
    return bytes(record.SerializeToString())


def run() -> bytes:
    record = _record()
    record.run.run_id = "abc"
    return bytes(record.SerializeToString())


def end(code: int) -> bytes:
    record = _record()
    record.exit.exit_code = code
    return bytes(record.SerializeToString())


def _record() -> Any:
    from wandb.proto import wandb_internal_pb2 as protocol

    kind: Any = protocol.Record  # type: ignore[attr-defined]
    return kind()


@pytest.mark.parametrize(
    "sizes",
    [
        [0],
        [1, 2, 3],
        [BLOCK - 14],
        [BLOCK - 15, 5],
        [BLOCK - 20, 10],
        [3 * BLOCK, 1],
        list(range(32_700, 32_790)),
    ],
)
def test_records_are_read_as_written(tmp_path: Path, sizes: list[int]) -> None:
    draw = random.Random(0)
    records = [draw.randbytes(size) for size in sizes]
    path = tmp_path / "log"
    path.write_bytes(log_of(records, HEADER))
    assert list(read_records(path)) == records


@pytest.mark.parametrize("seed", range(20))
def test_damage_costs_no_more_than_its_block(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    records = [draw.randbytes(draw.randrange(1, 3000)) for _ in range(100)]
    data = bytearray(log_of(records, HEADER))
    at = draw.randrange(7, len(data))
    data[at] ^= 1 + draw.randrange(255)
    path = tmp_path / "log"
    path.write_bytes(data)
    found = list(read_records(path))
    assert None in found
    good = [record for record in found if record is not None]
    assert set(good) <= set(records)
    assert sum(map(len, records)) - sum(map(len, good)) < BLOCK + 6000


@pytest.mark.parametrize("cut", [0, 3, 7, 20, 200, 2000])
def test_a_file_that_ends_early_is_repaired(segment: Segment, cut: int) -> None:
    data = log_of([run(), *(history(n, loss=n / 7) for n in range(60)), end(0)], HEADER)
    segment.path.write_bytes(data[:cut])
    assert not segment.whole
    repaired = repair(Segment(segment.path))
    assert segment.path.with_suffix(".wandb.damaged").read_bytes() == data[:cut]
    if cut <= 20:
        assert repaired is None
        assert not segment.path.exists()
    else:
        assert repaired is not None
        assert repaired.whole
        assert repaired.exit_code is None
        steps = [row[STEP] for row in repaired.history]
        assert steps == list(range(len(steps)))


def test_what_is_lost_is_what_no_file_has(segment: Segment) -> None:
    segment.path.write_bytes(log_of([run(), history(1, a=0.5), history(1, b=1), end(0)], HEADER))
    directory = segment.folder.parents[1]
    (directory / "metrics.csv").write_text("step,epoch,a,b,c\n1,,0.5,1,\n2,0,0.25,,nan\n3,,")
    rows = dict(lost(directory, [segment]))
    assert rows.keys() == {2}
    assert rows[2].keys() == {"epoch", "a", "c"}
    assert logged([segment]) == {1: {STEP, "a", "b"}}


def test_what_is_sent_is_marked_and_unmarked(segment: Segment) -> None:
    segment.path.write_bytes(log_of([run(), end(0)], HEADER))
    assert not segment.sent
    segment.path.with_suffix(".wandb.synced").touch()  # as `wandb sync` does also where it failed
    assert not segment.sent
    segment.mark(sent=True)
    assert Segment(segment.path).sent
    segment.mark(sent=False)
    assert not segment.path.with_suffix(".wandb.synced").exists()
