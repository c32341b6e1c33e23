"""Sets of events: the user's own files and published ones, read, binned and split."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import InProcess
from recorded import drawn, filled, nmnist_bytes, shd_bytes, shd_file, spoken

from surrolab.data import OwnEvents, PublishedEvents
from surrolab.data.description import describe
from surrolab.data.formats.events import Recording
from surrolab.data.formats.nmnist import read_nmnist_recording
from surrolab.data.sources import EVENT_SETS
from surrolab.errors import UserError

SAMPLE = (
    Path(__file__).parents[3] / ".." / "shared" / "data" / "event-samples" / "sample_nmnist.bin"
)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def save(path: Path, recording: Recording, order: str = "xypt", per: int = 1) -> None:
    columns = recording._asdict() | {"t": recording.t // per}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.stack([columns[name].astype(np.int64) for name in order], axis=1))


def test_a_file_in_the_layout_of_shd(tmp_path: Path) -> None:
    recordings = shd_file(tmp_path / "own.h5")
    data = OwnEvents(tmp_path / "own.h5", root=tmp_path, time_step=20.0, sensor=[700])
    assert (data.sample_shape, data.classes) == ((700,), 3)
    assert data.class_names == ["one", "two", "three"]
    last = max(int(one.t[-1]) for one in recordings)
    assert data.steps == last // 20_000 + 1
    groups = {stage: set(part.groups.tolist()) for stage, part in data.samples.items()}
    assert not any(a & b for a, b in itertools.combinations(groups.values(), 2))
    for stage, index in data.split_indices.items():
        batch = next(iter(data._loader(stage, training=False)))
        assert batch.y.tolist() == [at % 3 for at in index[: len(batch.y)].tolist()]
        for place, row in enumerate(index[: len(batch.y)].tolist()):
            x, _ = filled(recordings[row], (700, 1, 1), step_us=20_000, steps=data.steps)
            assert np.array_equal(batch.x[:, place].numpy(), x[: len(batch.x), 0, 0])


def test_official_parts_beside_the_training_file(tmp_path: Path) -> None:
    for seed, (name, count) in enumerate((("train", 30), ("valid", 6), ("test", 12))):
        shd_file(tmp_path / f"own_{name}.h5", count, seed)
    data = OwnEvents(tmp_path / "own_train.h5", root=tmp_path)
    assert data.split_sizes == {"train": 30, "val": 6, "test": 12}
    assert OwnEvents(tmp_path / "own_test.h5", root=tmp_path).split_sizes["train"] < 12
    (tmp_path / "own_valid.h5").unlink()
    data = OwnEvents(tmp_path / "own_train.h5", root=tmp_path, val_fraction=0.3)
    assert data.split_sizes["test"] == 12
    speakers = [set(data.samples[stage].groups.tolist()) for stage in ("train", "val")]
    assert speakers[0]
    assert speakers[1]
    assert not speakers[0] & speakers[1]


def test_half_precision_times_are_no_finer_than_a_millisecond(tmp_path: Path) -> None:
    for dtype in (np.float16, np.float32):
        shd_file(tmp_path / f"{np.dtype(dtype)}.h5", dtype=dtype)
    OwnEvents(tmp_path / "float32.h5", root=tmp_path, time_step=0.5)
    OwnEvents(tmp_path / "float16.h5", root=tmp_path, time_step=1.0)
    with pytest.raises(ValueError, match=r"^time_step: 0\.5 is not allowed, as the times are fl"):
        OwnEvents(tmp_path / "float16.h5", root=tmp_path, time_step=0.5)


SENSOR = (12, 9, 2)


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize(("order", "unit", "per"), [("xypt", "us", 1), ("txyp", "ms", 1000)])
def test_a_folder_of_npy(tmp_path: Path, splits: bool, order: str, unit: str, per: int) -> None:
    rng = np.random.default_rng(0)
    written = {}
    parts = ("train/", "valid/", "test/") if splits else ("",)
    for part, label, number in itertools.product(parts, ("left", "right"), range(10)):
        one = drawn(rng, 80, SENSOR, 90_000)
        one = one._replace(t=one.t // per * per)
        one.x[0], one.y[0] = 11, 8
        save(tmp_path / "own" / f"{part}{label}" / f"{number}.npy", one, order, per)
        written[part, label, number] = one
    data = OwnEvents(
        *(tmp_path / "own", 200, tmp_path), columns=order, unit=unit, pool=2, polarity="merge"
    )
    assert data.sample_shape == (1, 5, 6)
    assert data.class_names == ["left", "right"]
    if splits:
        assert data.split_sizes == {"train": 20, "val": 20, "test": 20}
    part = "test/" if splits else ""
    index = data.split_indices["test"].tolist()
    batch = next(iter(data.test_dataloader()))
    for place, row in enumerate(index):
        one = written[part, ("left", "right")[row // 10], row % 10]
        x, _ = filled(
            *(one, SENSOR), step_us=10_000, steps=data.steps or 0, pool=2, polarity="merge"
        )
        assert np.array_equal(batch.x[:, place].numpy(), x[: len(batch.x)])
        assert batch.y[place] == row // 10


def test_a_folder_as_of_nmnist(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written = []
    for part, digit, number in itertools.product(("Train", "Test"), range(3), range(5)):
        one = drawn(rng, 200, (34, 34, 2), 310_000)
        put(tmp_path / "nmnist" / part / str(digit) / f"{number:05}.bin", nmnist_bytes(one))
        written.append(one)
    data = PublishedEvents("nmnist", root=tmp_path, steps=31, val_fraction=0.2)
    assert (data.sample_shape, data.classes) == ((2, 34, 34), 3)
    assert data.split_sizes == {"train": 12, "val": 3, "test": 15}
    batch = next(iter(data.test_dataloader()))
    for place in range(15):
        x, late = filled(written[15 + place], (34, 34, 2), step_us=10_000, steps=31)
        assert late == 0
        assert np.array_equal(batch.x[:, place].numpy(), x[: len(batch.x)])
    own = OwnEvents(tmp_path / "nmnist", root=tmp_path, steps=31, val_fraction=0.2)
    assert np.array_equal(own.arrays.where, data.arrays.where)
    assert own.split_sizes == data.split_sizes


def test_a_true_recording_of_nmnist(tmp_path: Path, here: InProcess) -> None:
    if not SAMPLE.exists():
        pytest.skip("the true recording is not there")
    for label, number in itertools.product("ab", range(10)):
        put(tmp_path / "own" / label / f"{number}.bin", SAMPLE.read_bytes())
    data = OwnEvents(tmp_path / "own", root=tmp_path, time_step=5.0)
    recording = read_nmnist_recording(SAMPLE, "data.path")
    assert len(recording.t) > 1000
    batch = next(iter(data.train_dataloader()))
    x, late = filled(recording, (34, 34, 2), step_us=5000, steps=data.steps or 0)
    assert late == 0
    assert int(x.sum()) == len(recording.t)
    for place in range(len(batch.y)):
        assert np.array_equal(batch.x[:, place].numpy(), x[: len(batch.x)])
    words = (f"data.path={tmp_path / 'own'}", f"data.root={tmp_path}", "data.time_step=5")
    status, _, err = here("debug=smoke", "data=events", *words, "model.hidden=[20]")
    assert (status, err) == (0, "")
    assert here.run.result["status"] == "completed"


@pytest.mark.parametrize("official", [False, True])
def test_dvs_gesture_is_split_by_user(tmp_path: Path, official: bool) -> None:
    rng = np.random.default_rng(0)
    for user, label in itertools.product((*range(1, 11), 24, 25), range(3)):
        one = drawn(rng, 50, (128, 128, 2), 900_000)
        top = tmp_path / "dvs_gesture"
        if official:
            top = top / ("ibmGestureTrain" if user < 24 else "ibmGestureTest")
        save(top / f"user{user:02}_fluorescent" / f"{label}.npy", one._replace(t=one.t // 1000))
    data = PublishedEvents("dvs_gesture", root=tmp_path, time_step=20.0, pool=4)
    assert data.sample_shape == (2, 32, 32)
    assert data.split_sizes == {"train": 27, "val": 3, "test": 6}
    users = [set(part.groups.tolist()) for part in data.samples.values()]
    assert [len(part) for part in users] == [9, 1, 2]
    assert len(set.union(*users)) == 12


def test_speech_in_its_official_parts(tmp_path: Path) -> None:
    for name, parts in (("shd", ("train", "test")), ("ssc", ("train", "valid", "test"))):
        for seed, part in enumerate(parts):
            shd_file(tmp_path / name / f"{name}_{part}.h5", 36, seed, np.float16)
    shd = PublishedEvents("shd", root=tmp_path, time_step=14.0)
    assert shd.sample_shape == (700,)
    assert shd.split_sizes == {"train": 30, "val": 6, "test": 36}
    assert not set(shd.samples["train"].groups.tolist()) & set(shd.samples["val"].groups.tolist())
    assert "speakers of the training part are held out" in shd.about
    ssc = PublishedEvents("ssc", root=tmp_path, time_step=14.0)
    assert ssc.split_sizes == {"train": 36, "val": 36, "test": 36}
    assert ssc.licence == "CC BY 4.0 (Zenke lab)"


@pytest.mark.parametrize("name", EVENT_SETS)
def test_a_set_that_is_missing_says_where_it_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        PublishedEvents(name, root=tmp_path)
    line = str(caught.value)
    assert line.startswith(f"root: there is no {tmp_path / name}")
    assert EVENT_SETS[name].address in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"sensor": [3, 3, 3]}, "sensor: [3, 3, 3] is not allowed; allowed: [width, height]"),
        ({"sensor": [10, 10]}, "sensor: a file in SHD's layout is of a line"),
        ({"columns": "xyzt"}, "columns: 'xyzt' is not allowed; allowed: x, y, p and t"),
        ({"unit": "h"}, "unit: 'h' is not allowed; allowed: us, ms, s"),
        ({"counts": "all"}, "counts: 'all' is not allowed; allowed: binary, sum"),
        ({"polarity": "on"}, "polarity: on is not allowed, as the sensor has one polarity"),
        ({"backwards": "no"}, "backwards: 'no' is not allowed"),
        ({"augment_drop": 2.0}, "augment_drop: 2.0 is not allowed"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], line: str, tmp_path: Path) -> None:
    shd_file(tmp_path / "own.h5")
    with pytest.raises(ValueError) as caught:
        OwnEvents(tmp_path / "own.h5", root=tmp_path, **options)
    assert str(caught.value).startswith(line)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("events")
    put(tmp_path / "own" / "a" / "0.npy", b"no array")
    put(tmp_path / "own" / "b" / "0.npy", b"no array")
    (tmp_path / "none").mkdir()
    for path, line in (
        ("own.txt", "data.path: .*own.txt: is no file of recordings; give a .h5 file"),
        ("own", r"data.path: .*0\.npy: "),
        ("none", "data.path: .*none: holds no .bin or .npy file"),
        ("absent.h5", "data.path: .*absent.h5: no such file"),
    ):
        with pytest.raises(UserError, match=f"^{line}"):
            OwnEvents(tmp_path / path, root=tmp_path)
    with pytest.raises(ValueError, match=r"^path: missing; allowed: "):
        OwnEvents(None, root=tmp_path)
    rng = np.random.default_rng(0)
    for label in "ab":
        save(tmp_path / "cam" / label / "0.npy", drawn(rng, 50, SENSOR, 9000))
    with pytest.raises(ValueError, match=r"^augment_channel_jitter: 2 is not allowed for a camera"):
        OwnEvents(tmp_path / "cam", root=tmp_path, augment_channel_jitter=2.0)


def test_what_is_cut_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recordings = [spoken(rng, at % 3) for at in range(30)]
    path = tmp_path / "own.h5"
    put(path, shd_bytes(recordings, [at % 3 for at in range(30)], None, np.float32))
    data = OwnEvents(path, root=tmp_path, time_step=100.0, steps=5, sensor=[700])
    parts = describe(data)
    for stage, index in data.split_indices.items():
        late = [int((recordings[at].t >= 500_000).sum()) for at in index.tolist()]
        found = parts[stage].events
        assert found is not None
        assert found.cut == sum(late)
        assert found.share_cut == pytest.approx(sum(late) / (60 * len(late)))
        kept = sorted(60 - cut for cut in late)
        assert found.per_sample == (kept[0], kept[len(kept) // 2], kept[-1])
    batch = next(iter(data._loader("train", training=False)))
    valid = batch.x.permute(1, 0, 2)[batch.lengths[:, None] > torch.arange(5)]
    assert parts["train"].mean == pytest.approx(float(valid.mean()))
    assert parts["train"].nonzero == pytest.approx(float((valid > 0).float().mean()))
    assert parts["train"].high == float(valid.max())


def test_times_in_other_steps_than_the_recordings_are_told(tmp_path: Path, here: InProcess) -> None:
    shd_file(tmp_path / "own.h5")
    words = (f"data.path={tmp_path}/own.h5", f"data.root={tmp_path}", "data.time_step=20")
    status, out, err = here("debug=smoke", "data=events", *words, "neuron.tau=40")
    assert (status, err) == (0, "")
    assert "neuron.tau: in steps of neuron.dt=1 ms, but a step of these data is 20 ms long" in out
    shutil.rmtree(here.run.path)
    status, out, _ = here("debug=smoke", "data=events", *words, "neuron.tau=40", "neuron.dt=20")
    assert status == 0
    assert "in steps of" not in out
