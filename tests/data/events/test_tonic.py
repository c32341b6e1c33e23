"""Sets of tonic's, in files of its own classes; most of it where tonic is installed."""

import gzip
import hashlib
import io
import itertools
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import CHECKOUT, InProcess
from http_files import Fault, HttpFiles, serving
from recorded import drawn, nmnist_bytes, shd_file

from surrolab.data import PublishedEvents, TonicEvents
from surrolab.data.events import tonic_sets
from surrolab.data.events.binning import Binning
from surrolab.data.events.cache import EventCache
from surrolab.data.events.tonic_events import TonicRecordings
from surrolab.data.formats.events import Recording
from surrolab.errors import UserError

CAMERA = (128, 128, 2)
SAME = ("offsets", "where", "counts", "labels", "lengths", "split", "events", "cut")


@pytest.fixture
def tonic() -> Any:
    return pytest.importorskip("tonic")


def speech(root: Path) -> None:
    """SHD in the layout of its class, which wants an archive beside each file."""
    for seed, part in enumerate(("train", "test")):
        shd_file(root / "SHD" / f"shd_{part}.h5", 36, seed, np.float16)
        (root / "SHD" / f"shd_{part}.h5.zip").touch()


def gestures(root: Path) -> dict[str, Recording]:
    """DVS Gesture in the layout of its class, which wants 100 files in each part."""
    rng = np.random.default_rng(0)
    written = {}
    parts = (("ibmGestureTrain", range(1, 11)), ("ibmGestureTest", range(24, 30)))
    for (part, users), light in itertools.product(parts, ("fluorescent", "led")):
        for user, label in itertools.product(users, range(11)):
            one = drawn(rng, 20, CAMERA, 900)  # in milliseconds
            path = root / "DVSGesture" / part / f"user{user:02}_{light}" / f"{label}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.stack([one.x, one.y, one.p, one.t], axis=1).astype(np.int64))
            written[str(path)] = one
    for part, _ in parts:
        (root / "DVSGesture" / f"{part}.tar.gz").touch()
    return written


def same(tonics: TonicEvents, own: PublishedEvents) -> None:
    for name in SAME:
        assert np.array_equal(getattr(tonics.arrays, name), getattr(own.arrays, name)), name
    assert tonics.arrays.sensor == own.arrays.sensor
    assert (tonics.sample_shape, tonics.steps) == (own.sample_shape, own.steps)
    for stage, index in own.split_indices.items():
        assert np.array_equal(tonics.split_indices[stage], index)


def test_it_is_imported_by_one_module_alone() -> None:
    """Which imports it once a set is asked for."""
    importing = re.compile(
        r"^\s*(import|from) tonic\b|import_module\(.tonic|__import__\(.tonic", re.M
    )
    found = {p.name for p in (CHECKOUT / "src").rglob("*.py") if importing.search(p.read_text())}
    assert found == {"tonic_sets.py"}


def test_it_is_not_imported_unless_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys, surrolab.data, surrolab.run.build, surrolab.cli.data\n"
        f"surrolab.data.Saccades(root={str(tmp_path)!r}).setup()\n"
        "try:\n"
        "    surrolab.data.TonicEvents('SHD', start='x')\n"
        "except ValueError as error:\n"
        "    print(error)\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] == 'tonic'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "start: 'x' is not allowed; allowed: clock, first",
        "[]",
    ], done.stderr


def test_without_it_one_line_says_what_to_do(
    here: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tonic", None)
    status, out, err = here("data=tonic", "data.set=SHD", f"data.root={tmp_path}")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("surrolab: data.set: tonic cannot be imported (")
    assert "allowed: any of its sets once `pip install 'surrolab[tonic]'` has been done" in err


def test_spoken_digits_are_those_of_the_own_reader(tonic: Any, tmp_path: Path) -> None:
    speech(tmp_path)
    (tmp_path / "shd").mkdir()
    for part in ("train", "test"):
        there = tmp_path / "SHD" / f"shd_{part}.h5"
        (tmp_path / "shd" / there.name).write_bytes(there.read_bytes())
    words: dict[str, Any] = {"root": tmp_path, "time_step": 14.0, "steps": 40}
    tonics, own = TonicEvents("SHD", **words), PublishedEvents("shd", **words)
    same(tonics, own)
    assert tonics.class_names == own.class_names == ["one", "two", "three"]
    assert np.array_equal(tonics.arrays.groups, own.arrays.groups)
    assert tonics.split_sizes == {"train": 30, "val": 6, "test": 36}  # speakers held out
    with pytest.raises(ValueError, match=r"^time_step: 0\.5 is not allowed, as the times are fl"):
        TonicEvents("SHD", root=tmp_path, time_step=0.5)


def test_gestures_are_those_of_the_own_reader(tonic: Any, tmp_path: Path) -> None:
    written = gestures(tmp_path)
    (tmp_path / "dvs_gesture").symlink_to(tmp_path / "DVSGesture")
    words: dict[str, Any] = {"root": tmp_path, "time_step": 20.0, "steps": 45, "pool": 4}
    tonics = TonicEvents("DVSGesture", val_fraction=0.2, **words)
    own = PublishedEvents("dvs_gesture", val_fraction=0.2, **words)
    same(tonics, own)
    assert tonics.class_names[:2] == ["Hand clapping", "Right hand wave"]
    assert tonics.split_sizes == {"train": 176, "val": 44, "test": 132}
    users = [set(part.groups.tolist()) for part in tonics.samples.values()]
    assert [len(part) for part in users] == [8, 2, 6]
    assert len(set.union(*users)) == 16
    # And the events of the files, counted one by one.
    every = sum(len(one.t) for one in written.values())
    assert int(tonics.arrays.counts.sum()) == int(tonics.arrays.events.sum()) == every


@pytest.mark.slow
def test_digits_are_those_of_the_own_reader(tonic: Any, tmp_path: Path) -> None:
    """Its class wants 10,000 files in each part."""
    rng = np.random.default_rng(0)
    for part, digit in itertools.product(("Train", "Test"), range(10)):
        (tmp_path / "NMNIST" / part / str(digit)).mkdir(parents=True)
        for number in range(1000):
            one = nmnist_bytes(drawn(rng, 10, (34, 34, 2), 310_000))
            (tmp_path / "NMNIST" / part / str(digit) / f"{number:05}.bin").write_bytes(one)
    for part in ("train", "test"):
        (tmp_path / "NMNIST" / f"{part}.zip").touch()
    (tmp_path / "nmnist").mkdir()
    for part in ("Train", "Test"):
        (tmp_path / "nmnist" / part).symlink_to(tmp_path / "NMNIST" / part)
    tonics = TonicEvents("NMNIST", root=tmp_path, steps=31)
    own = PublishedEvents("nmnist", root=tmp_path, steps=31)
    # The own reader has "Test" before "Train".
    order = np.argsort(own.arrays.split, kind="stable")
    for name in ("labels", "lengths", "split", "events", "cut"):
        assert np.array_equal(getattr(tonics.arrays, name), getattr(own.arrays, name)[order])
    for at, row in enumerate(order):
        mine = slice(*own.arrays.offsets[row : row + 2])
        theirs = slice(*tonics.arrays.offsets[at : at + 2])
        for name in ("where", "counts"):
            found, wanted = getattr(tonics.arrays, name), getattr(own.arrays, name)
            assert np.array_equal(found[theirs], wanted[mine])
    assert tonics.class_names[7] == "7 - seven"
    assert tonics.split_sizes == {"train": 9000, "val": 1000, "test": 10000}


def test_order_does_not_hang_on_the_file_system(
    tonic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gestures(tmp_path)
    binning = Binning(20.0, None, 4, "split")

    def arrays(cache: str) -> Any:
        source = TonicRecordings("DVSGesture", tmp_path, download=False, backwards="error")
        return EventCache(tmp_path / cache).arrays(source, binning, "data.root")

    first = arrays("a")
    module = sys.modules["tonic.datasets.dvsgesture"]
    walk = module.os.walk

    def backwards(top: str) -> Iterator[Any]:
        for path, folders, names in walk(top):
            yield path, folders, sorted(names, reverse=True)

    monkeypatch.setattr(module.os, "walk", backwards)
    second = arrays("b")
    for name in SAME:
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_other_content_is_binned_anew(tonic: Any, tmp_path: Path) -> None:
    """tonic's own cache on disk goes by the index alone."""
    speech(tmp_path)
    first = TonicEvents("SHD", root=tmp_path).arrays
    assert TonicEvents("SHD", root=tmp_path).arrays.place == first.place
    assert TonicEvents("SHD", root=tmp_path, start="first").arrays.place != first.place
    shd_file(tmp_path / "SHD" / "shd_train.h5", 36, 7, np.float16)
    other = TonicEvents("SHD", root=tmp_path).arrays
    assert other.place != first.place
    assert not np.array_equal(other.where, first.where)


@pytest.fixture
def files() -> Iterator[HttpFiles]:
    with serving() as server:
        yield server


def archives(tonic: Any, root: Path, files: HttpFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve SHD where its class looks for it."""
    speech(root)
    monkeypatch.setattr(tonic.datasets.SHD, "base_url", files.address)
    for part in ("train", "test"):
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.write(root / "SHD" / f"shd_{part}.h5", f"shd_{part}.h5")
        content = held.getvalue()
        files.add(f"shd_{part}.h5.zip", content, Fault(stop_after=300), Fault())
        monkeypatch.setattr(tonic.datasets.SHD, f"{part}_md5", hashlib.md5(content).hexdigest())


def test_it_is_fetched_once_that_is_asked_for(
    tonic: Any,
    here: InProcess,
    files: HttpFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archives(tonic, tmp_path / "own", files, monkeypatch)
    root = tmp_path / "root"
    words = ["data=tonic", "data.set=SHD", f"data.root={root}", "debug=smoke"]
    status, out, err = here(*words)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(
        f"surrolab: data.root: tonic does not find the files of SHD in {root}/SHD"
    )
    assert "and shd_train.h5.zip beside it, which may be empty; or data.download=true" in err
    assert not files.requests
    assert not (root / "SHD").exists()
    status, out, err = here(*words, f"hydra.run.dir={tmp_path}/again", "data.download=true")
    assert status == 0, err
    ranges = (None, "bytes=300-")  # the broken connection is gone on with
    wanted = [(f"shd_{part}.h5.zip", at) for part in ("train", "test") for at in ranges]
    assert files.requests == wanted
    same_as = TonicEvents("SHD", root=tmp_path / "own").arrays
    assert np.array_equal(TonicEvents("SHD", root=root).arrays.where, same_as.where)
    assert len(files.requests) == len(wanted)
    assert not list((root / "SHD").glob(f"{tonic_sets.UNFINISHED}*"))


@pytest.mark.parametrize("part", ["train", "test"])
def test_what_was_broken_off_while_it_was_unpacked_is_not_taken(
    part: str, tonic: Any, files: HttpFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives(tonic, tmp_path / "own", files, monkeypatch)
    root = tmp_path / "root"

    unpack = tonic_sets.unpack

    def killed(path: Path, *others: Any) -> None:
        if path.name == f"shd_{part}.h5.zip":
            (root / "SHD" / f"shd_{part}.h5").write_bytes(b"half")
            raise KeyboardInterrupt
        unpack(path, *others)

    with monkeypatch.context() as patched:
        patched.setattr(tonic_sets, "unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            TonicEvents("SHD", root=root, download=True)
    with pytest.raises(ValueError, match=r"^root: what is in .*SHD may not be whole; allowed: wit"):
        TonicEvents("SHD", root=root)
    TonicEvents("SHD", root=root, download=True)
    assert len(TonicEvents("SHD", root=root).arrays) == 72


def test_no_class_connects_to_anything(
    tonic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **_: asked.append(words))
    monkeypatch.setattr(socket.socket, "connect", lambda _, place: asked.append(place))
    kinds = tonic_sets._kinds(tonic)
    assert {"NMNIST", "SHD", "SSC", "DVSGesture", "CIFAR10DVS", "DVSLip", "SMNIST"} <= set(kinds)
    for name in kinds:
        with pytest.raises(ValueError, match=r"^root: tonic does not find the files of"):
            tonic_sets.open_parts(name, tmp_path / name, download=False)
        assert not (tmp_path / name).exists()
    assert not asked


def test_what_is_there_needs_no_folder_that_can_be_written_to(
    tonic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech(tmp_path)

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(tonic_sets, "take", refused)
    assert set(tonic_sets.open_parts("SHD", tmp_path, download=True)) == {"train", "test"}


def test_official_parts(tonic: Any) -> None:
    parts = {
        name: tuple(tonic_sets._parts(kind)) for name, kind in tonic_sets._kinds(tonic).items()
    }
    assert parts["NMNIST"] == parts["SHD"] == ("train", "test")
    assert parts["SSC"] == ("train", "val", "test")
    assert tonic_sets._parts(tonic.datasets.SSC)["val"] == {"split": "valid"}
    assert parts["CIFAR10DVS"] == parts["NCALTECH101"] == ("",)


def test_sets_without_a_class_are_refused(tonic: Any, tmp_path: Path) -> None:
    place = tmp_path / "ThreeET_Eyetracking"
    for folder in ("data", "labels"):
        (place / folder).mkdir(parents=True)
    (place / "ThreeET_Eyetracking.zip").touch()
    for part in ("train", "val"):
        (place / f"{part}_files.txt").write_text("a\n")
    with h5py.File(place / "data" / "a.h5", "w") as file:
        file["events"] = np.column_stack([np.arange(9), *np.ones((3, 9), np.int64)])
    (place / "labels" / "a.txt").write_text("1.5 2.5 0\n")
    line = "items of ThreeET_Eyetracking have no class .ndarray .*whose labels are whole numbers$"
    with pytest.raises(UserError, match=f"^data.root: {place}: {line}"):
        TonicEvents("ThreeET_Eyetracking", root=tmp_path)
    with pytest.raises(ValueError, match=r"^set: 'DSEC' is not allowed; allowed: ASLDVS, CIFAR10D"):
        TonicEvents("DSEC", root=tmp_path)


def own_class(tonic: Any, change: Callable[[Any, Any], Any]) -> type:
    """A class as tonic's are, of camera recordings with words for classes."""

    class Words(tonic.Dataset):  # type: ignore[misc,name-defined]
        sensor_size = None

        def __init__(self, save_to: str, transform: Any = None) -> None:
            super().__init__(save_to, transform)
            if not self._check_exists():
                self.download()
            self.data = [str(path) for path in Path(self.location_on_system).rglob("*.npy.gz")]
            self.data.sort(reverse=True)
            self.targets = [Path(path).parent.name for path in self.data]

        def _check_exists(self) -> bool:
            return self._folder_contains_at_least_n_files_of_type(30, ".npy.gz")

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, at: int) -> Any:
            with gzip.open(self.data[at]) as file:
                return change(np.load(file), self.targets[at])

    return Words


def words_files(root: Path) -> dict[str, Recording]:
    rng = np.random.default_rng(0)
    kinds = np.dtype([("t", np.uint64), ("x", np.int16), ("y", np.int16), ("p", bool)])
    written = {}
    for label, number in itertools.product(("left", "right"), range(20)):
        one = drawn(rng, 40, (12, 9, 2), 90_000)
        events = np.empty(40, kinds)
        for name in kinds.names or ():
            events[name] = getattr(one, name)
        events["t"] += 10**15 + 77
        path = root / "Words" / label / f"{number}.npy.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        held = io.BytesIO()
        np.save(held, events)
        path.write_bytes(gzip.compress(held.getvalue()))
        written[f"{label}/{number}"] = one
    return written


def install(tonic: Any, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    monkeypatch.setattr(tonic.datasets, "Words", kind, raising=False)
    monkeypatch.setattr(tonic.datasets, "__all__", [*tonic.datasets.__all__, "Words"])


def test_a_class_without_parts_or_size_whose_clock_never_stops(
    tonic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = words_files(tmp_path)
    # One column of events, as ASL-DVS has.
    install(tonic, monkeypatch, own_class(tonic, lambda events, label: (events[:, None], label)))
    with pytest.raises(ValueError, match=r"^time_step: .* steps of 216 inputs are not allowed"):
        TonicEvents("Words", root=tmp_path)
    data = TonicEvents("Words", root=tmp_path, start="first", time_step=5.0)
    assert data.class_names == ["left", "right"]
    assert data.sample_shape == (2, 9, 12)
    assert data.split_sizes == {"train": 28, "val": 4, "test": 8}
    arrays = data.arrays
    assert (arrays.split == -1).all()
    for at, one in enumerate(written.values()):  # in natural order, 2 before 10
        flat = ((one.t - one.t[0]) // 5000).astype(np.int64)
        for size, index in ((2, one.p), (9, one.y), (12, one.x)):
            flat = flat * size + index
        place, counts = np.unique(flat, return_counts=True)
        part = slice(arrays.offsets[at], arrays.offsets[at + 1])
        assert np.array_equal(arrays.where[part], place)
        assert np.array_equal(arrays.counts[part], counts)
        assert arrays.labels[at] == at // 20


def outside(events: Any, label: str) -> Any:
    events["x"][3] = -1
    return events, label


def turned(events: Any, label: str) -> Any:
    return events[::-1], label


def unreadable(events: Any, label: str) -> Any:
    raise RuntimeError("no decoder")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (outside, r"recording 39: event 3 .* lies outside the sensor .*x=-1"),
        (turned, r"recording 39: event 1 .* runs back in time .*set backwards=sort"),
        (unreadable, r"recording 39: tonic cannot read it \(RuntimeError: no decoder\)"),
        (lambda events, _: events, "items of Words are no events with x, t and p, and a class"),
        (lambda events, _: (events, 0.5), r"items of Words have no class \(float 0\.5\)"),
        (lambda events, label: (events[["x", "t"]], label), "items of Words are no events with x"),
        (lambda events, label: (events, label + "s"), r"items of Words have no class \(str 'left"),
    ],
)
def test_items_that_cannot_be(
    change: Callable[[Any, Any], Any],
    line: str,
    tonic: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words_files(tmp_path)
    install(tonic, monkeypatch, own_class(tonic, change))
    with pytest.raises(UserError, match=f"^data.root: .*{line}") as caught:
        TonicEvents("Words", root=tmp_path, start="first")
    assert "\n" not in str(caught.value)
    if change is turned:
        TonicEvents("Words", root=tmp_path, start="first", backwards="sort")
