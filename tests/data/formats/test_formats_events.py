"""Recordings of events: HDF5 in SHD's layout, N-MNIST, .npy folders and DVS Gesture."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from valid_files import COLUMNS, EVENTS, NMNIST, OPTION, event, npy, shd

from surrolab.data.formats.events import Events
from surrolab.data.formats.folders import class_folders
from surrolab.data.formats.nmnist import read_nmnist, read_nmnist_recording
from surrolab.data.formats.npy_events import (
    gesture_entries,
    read_dvs_gesture,
    read_npy_folder,
    read_npy_recording,
)
from surrolab.data.formats.problem import DataFileError
from surrolab.data.formats.shd import SHD_UNITS, open_shd, read_shd

SAMPLE = (
    Path(__file__).parents[3] / ".." / "shared" / "data" / "event-samples" / "sample_nmnist.bin"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


def put(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def read_written_shd(folder: Path, **content: Any) -> Events:
    return read_shd(put(folder, {"a.h5": shd(**content)}) / "a.h5", OPTION, units=SHD_UNITS)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2"])
def test_shd(tmp_path: Path, dtype: str) -> None:
    found = read_written_shd(tmp_path, dtype=np.dtype(dtype))
    assert found.t.tolist() == [0, 250_000, 500_000, 125_000, 1_000_000]
    assert found.x.tolist() == [0, 699, 5, 1, 2]
    assert not found.y.any()
    assert not found.p.any()
    assert found.offsets.tolist() == [0, 3, 3, 5]
    assert [found.t.dtype, found.x.dtype, found.p.dtype] == [np.int64, np.uint16, np.uint8]
    assert (found.labels, found.classes) == (["zero", "fünf", "zero"], ["zero", "fünf"])
    assert (found.groups, found.sensor, len(found)) == (list("447"), (700, 1, 1), 3)
    assert found.recording(2).x.tolist() == [1, 2]


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2,)},
        {"chunks": (5,), "maxshape": (None,), "compression": "gzip"},
        {"chunks": (1,), "compression": "gzip", "shuffle": True},
    ],
)
def test_shd_in_chunks(tmp_path: Path, options: dict[str, Any]) -> None:
    plain, chunked = read_written_shd(tmp_path), read_written_shd(tmp_path, **options)
    assert np.array_equal(plain.t, chunked.t)
    assert np.array_equal(plain.x, chunked.x)


def test_shd_without_extras_and_with_texts(tmp_path: Path) -> None:
    found = read_written_shd(tmp_path, keys=None, speakers=None, labels=(10, 9, 10))
    assert (found.labels, found.classes, found.groups) == (["10", "9", "10"], ["9", "10"], None)
    found = read_written_shd(tmp_path, keys=np.array(["no", "fünf"], dtype=h5py.string_dtype()))
    assert found.classes == ["no", "fünf"]
    words = np.array(["a", "ü", "a"], dtype=h5py.string_dtype())
    assert read_written_shd(tmp_path, keys=None, labels=words).labels == ["a", "ü", "a"]


@pytest.mark.parametrize("compression", ["gzip", "lzf", None])
def test_shd_with_compressed_labels(tmp_path: Path, compression: str | None) -> None:
    labels = np.arange(3, dtype=np.uint16) % 2
    path = put(tmp_path, {"a.h5": shd(labels=labels)}) / "a.h5"
    with h5py.File(path, "r+") as file:
        del file["labels"]
        options = {"chunks": (2,), "shuffle": True, "fletcher32": True, "compression": compression}
        file.create_dataset("labels", data=labels, **options)
    assert read_shd(path, OPTION).labels == ["zero", "fünf", "zero"]


SPIKES = st.lists(
    hnp.arrays(np.float16, st.integers(0, 40), elements=st.floats(0, 2, width=16)),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(SPIKES)
def test_shd_as_h5py_reads_it(folder: Path, times: list[np.ndarray]) -> None:
    path = folder / "a.h5"
    rows = [np.sort(row) for row in times]
    rows.append(np.array([0.5], np.float16))
    units = [np.arange(len(row), dtype=np.uint16) for row in rows]
    path.write_bytes(shd(rows, units, labels=[0] * len(rows), speakers=None))  # type: ignore[arg-type]
    with h5py.File(path) as file, open_shd(path, OPTION) as found:
        for at in range(len(found)):
            t, x, _, _ = found.recording(at)
            seconds = file["spikes/times"][at].astype(np.float64)
            assert np.array_equal(t, np.rint(seconds * 1e6))
            assert np.array_equal(x, file["spikes/units"][at])


def test_times_that_run_back_can_be_sorted(tmp_path: Path) -> None:
    path = put(tmp_path, {"a.h5": shd(times=[[0.5, 0.25, 0.5], [], [1, 1]])}) / "a.h5"
    found = read_shd(path, OPTION, backwards="sort")
    assert found.t.tolist() == [250_000, 500_000, 500_000, 1_000_000, 1_000_000]
    assert found.x.tolist() == [699, 0, 5, 1, 2]  # stable
    assert found.sensor == (700, 1, 1)
    with pytest.raises(ValueError, match="backwards: 'no' is not allowed; allowed: error, sort"):
        read_shd(path, OPTION, backwards="no")  # type: ignore[arg-type]


def test_nmnist_by_hand(tmp_path: Path) -> None:
    found = read_nmnist_recording(put(tmp_path, {"a.bin": NMNIST}) / "a.bin", OPTION)
    assert found.t.tolist() == [5, 8000, 8195, 16383]  # 8192 later after the overflow
    assert found.x.tolist() == [1, 33, 4, 4]
    assert found.y.tolist() == [2, 33, 5, 6]
    assert found.p.tolist() == [0, 1, 1, 0]


def test_true_nmnist_recording() -> None:
    if not SAMPLE.is_file():
        pytest.skip("the recording (../shared/data/event-samples) is not here")
    found = read_nmnist_recording(SAMPLE, OPTION)
    raw = SAMPLE.read_bytes()
    assert len(found.t) == len(raw) // 5 == 4325
    for at, (t, x, y, p) in enumerate(zip(*found, strict=True)):
        x_raw, y_raw, *rest = raw[5 * at : 5 * at + 5]
        number = int.from_bytes(bytes(rest), "big")
        assert (x_raw, y_raw, number >> 23, number & 0x7FFFFF) == (x, y, p, t)
    # Three saccades of 100 ms (Orchard et al. 2015).
    assert 280_000 < found.t[-1] < 320_000


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            *(st.integers(0, 33), st.integers(0, 33), st.integers(0, 1)),
            st.integers(0, 3 * 8192 - 1),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_is_written_as_nmnist_is_read(
    folder: Path, events: list[tuple[int, int, int, int]]
) -> None:
    events.sort(key=lambda one: one[3])
    content, epoch = b"", 0
    for x, y, p, t in events:
        while t - 8192 * epoch >= 8192:
            content, epoch = content + event(0, 240, 0, 0), epoch + 1
        content += event(x, y, p, t - 8192 * epoch)
    path = put(folder, {"a.bin": content}) / "a.bin"
    t, x, y, p = read_nmnist_recording(path, OPTION)
    assert list(zip(*(one.tolist() for one in (x, y, p, t)), strict=True)) == events


def test_folders_of_nmnist(tmp_path: Path) -> None:
    names = ("Train/10/1.bin", "Train/2/10.bin", "Train/2/9.bin", "Test/2/3.bin")
    put(tmp_path, dict.fromkeys((*names, "Train/2/read me.txt", ".hidden/2/a.bin"), NMNIST))
    found = read_nmnist(tmp_path, OPTION)
    entries = class_folders(tmp_path, OPTION, ".bin")
    assert [entry.path.name for entry in entries] == ["3.bin", "9.bin", "10.bin", "1.bin"]
    assert found.labels == ["2", "2", "2", "10"]
    assert (found.classes, found.split) == (["2", "10"], ["test", "train", "train", "train"])
    assert (found.offsets.tolist(), found.sensor) == ([0, 4, 8, 12, 16], (34, 34, 2))


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"Train/0/1.bin": NMNIST, "other/0/1.bin": NMNIST}, "holds 'other' beside 'Train'"),
        ({"0/1.bin": NMNIST, "1/1.npy": NMNIST}, "holds no .bin file"),
        ({"1.bin": NMNIST}, "holds no folder"),
        ({"0/1.bin": NMNIST, "0/2.bin": NMNIST}, "has only 1 class"),
        ({"0/1.bin": NMNIST, "1/1.bin": NMNIST[:-1]}, "1/1.bin: ends within an event"),
        ({"0/1.bin": NMNIST, "1/1.bin": b""}, "1/1.bin: is empty"),
    ],
)
def test_folders_that_cannot_be_read(tmp_path: Path, files: dict[str, bytes], part: str) -> None:
    put(tmp_path, files)
    with pytest.raises(DataFileError, match=f"^{OPTION}: {tmp_path}") as caught:
        read_nmnist(tmp_path, OPTION)
    assert part in str(caught.value)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no such file"):
        read_npy_folder(tmp_path / "a", OPTION)
    (tmp_path / "a").touch()
    with pytest.raises(DataFileError, match="a: is no folder"):
        read_dvs_gesture(tmp_path / "a", OPTION)


def test_npy_of_fields_and_of_columns(tmp_path: Path) -> None:
    seconds = COLUMNS[:, [3, 0, 1, 2]] / np.array([1e6, 1, 1, 1])
    line = EVENTS[["x", "p", "t"]]
    put(tmp_path, {"a.npy": npy(EVENTS), "b.npy": npy(COLUMNS)})
    put(tmp_path, {"c.npy": npy(np.asfortranarray(seconds)), "d.npy": npy(line)})
    for found in (
        read_npy_recording(tmp_path / "a.npy", OPTION),
        read_npy_recording(tmp_path / "b.npy", OPTION, sensor=(34, 34)),
        read_npy_recording(tmp_path / "c.npy", OPTION, columns="txyp", unit="s"),
    ):
        assert [one.tolist() for one in found] == COLUMNS.T[[3, 0, 1, 2]].tolist()
    found = read_npy_recording(tmp_path / "d.npy", OPTION)
    assert found.y.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="unit: 'ns' is not allowed"):
        read_npy_recording(tmp_path / "a.npy", OPTION, unit="ns")
    with pytest.raises(ValueError, match="columns: "):
        read_npy_recording(tmp_path / "a.npy", OPTION, columns="xyz")


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        st.sampled_from([np.int16, np.int64, np.uint8, np.float32]),
        st.tuples(st.integers(1, 8), st.just(4)),
        elements=st.integers(0, 9),
    )
)
def test_npy_columns_of_any_type(folder: Path, array: np.ndarray) -> None:
    array = array[np.argsort(array[:, 3], kind="stable")]
    array[:, 2] %= 2
    path = put(folder, {"a.npy": npy(array)}) / "a.npy"
    t, x, y, p = read_npy_recording(path, OPTION, unit="ms")
    assert np.array_equal(np.stack([x, y, p, t // 1000], axis=1), array)


def test_the_sensor_is_as_large_as_the_events_need(tmp_path: Path) -> None:
    put(tmp_path, {"left/1.npy": npy(EVENTS[:1]), "right/1.npy": npy(EVENTS)})
    found = read_npy_folder(tmp_path, OPTION)
    assert (found.sensor, found.split, found.groups) == ((34, 34, 2), None, None)
    assert found.labels == found.classes == ["left", "right"]


def test_dvs_gesture(tmp_path: Path) -> None:
    content = npy(COLUMNS.astype(np.float64) * np.array([1, 1, 1, 0.5]))
    names = ("user23_led/0.npy", "user23_led/10.npy", "user24_fluorescent/2.npy")
    put(tmp_path, dict.fromkeys(names, content))
    found = read_dvs_gesture(tmp_path, OPTION)
    assert found.labels == ["0", "10", "2"]
    assert (found.classes, found.sensor) == (["0", "2", "10"], (128, 128, 2))
    assert (found.split, found.groups) == (
        ["train", "train", "test"],
        ["user23", "user23", "user24"],
    )
    assert found.recording(0).t.tolist() == [2500, 4_000_000, 4_097_500]
    put(tmp_path, {"user30_led/1.npy": content})
    with pytest.raises(DataFileError, match="'user30_led' is no folder of a user"):
        gesture_entries(tmp_path, OPTION)
