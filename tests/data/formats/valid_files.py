"""A small valid file of each format, written byte by byte or by its own library."""

import csv
import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from surrolab.data.formats.archive import unpack
from surrolab.data.formats.arrays import read_arrays
from surrolab.data.formats.cifar import read_cifar10
from surrolab.data.formats.idx import read_idx
from surrolab.data.formats.nmnist import read_nmnist_recording
from surrolab.data.formats.npy_events import read_npy_recording
from surrolab.data.formats.shd import read_shd
from surrolab.data.formats.table import read_table
from surrolab.data.formats.ucr import read_series

OPTION = "data.path"
SENSOR = (34, 34)


class Format(NamedTuple):
    """A file's name, its bytes, and what reads it."""

    name: str
    content: bytes
    read: Callable[[Path], Any]


def tsv(rows: int = 8) -> bytes:
    lines = ["text\tlabel\tsplit\tgroup"]
    for at in range(rows):
        lines.append(f'a "word" {at}, ü\t{"no" if at % 2 else "yes"}\ttrain\tauthor{at % 3}')
    return "\n".join(lines).encode() + b"\n"


def csv_text(rows: int = 8) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["label", "text"])
    for at in range(rows):
        writer.writerow([at % 2, f'a "word", {at}\nand a line ü'])
    return out.getvalue().encode()


def jsonl(rows: int = 8) -> bytes:
    lines = (json.dumps({"text": f"word {at} ü", "label": at % 2}) for at in range(rows))
    return "\n".join(lines).encode()


def npz(compressed: bool = False, **arrays: Any) -> bytes:
    given = {
        "x": np.arange(60, dtype=np.float32).reshape(4, 5, 3),
        "y": np.array(["no", "yes", "no", "yes"]),
        "lengths": np.array([5, 3, 1, 5]),
        "split": np.array(["train", "train", "val", "test"]),
    }
    given = {key: value for key, value in (given | arrays).items() if value is not None}
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **given)
    return out.getvalue()


def npy(array: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


TS_HEADER = """# a comment
@problemName Made
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength false
@classLabel true left right
@data
"""
TS = (TS_HEADER + "1,2,3:4,5,6:left\n-1.5,1e-3:0,7:right\n").encode()
ARFF = b"""% a comment
@relation 'Made'
@attribute att0 numeric
@attribute att1 REAL
@attribute att2 numeric
@attribute target {1,'two words'}
@data
1,2.5,3,1
-1e3,0,?,'two words'
4,5,6,1
"""
ARFF_RELATIONAL = rb"""@relation Made
@attribute series relational
  @attribute t0 numeric
  @attribute t1 numeric
  @attribute t2 numeric
@end series
@attribute class {left,right}
@data
'1,2,3\n4,5,6',left
"7,8,?\n1,2,?",right
"""
UCR_TSV = b"1\t0.5\t-1\t2e2\n2\t1\t2\t3\n1\t4\t5\tNaN\n"


def idx(array: np.ndarray, code: int) -> bytes:
    head = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


CIFAR_PIXELS = np.random.default_rng(0).integers(256, size=(2, 3072), dtype=np.uint8)


def cifar(labels: tuple[int, int] = (3, 9)) -> bytes:
    rows = zip(labels, CIFAR_PIXELS, strict=True)
    return b"".join(bytes([label]) + pixels.tobytes() for label, pixels in rows)


def shd(
    times: list[list[float]] | None = None,
    units: list[list[int]] | None = None,
    labels: Any = (0, 1, 0),
    keys: Any = (b"zero", b"f\xc3\xbcnf"),
    speakers: Any = (4, 4, 7),
    dtype: Any = np.float16,
    unit_dtype: Any = np.uint16,
    **options: Any,
) -> bytes:
    times = times or [[0.0, 0.25, 0.5], [], [0.125, 1.0]]
    units = units or [[0, 699, 5], [], [1, 2]]
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        spikes = file.create_group("spikes")
        for name, rows, base in (("times", times, dtype), ("units", units, unit_dtype)):
            made = spikes.create_dataset(name, (len(rows),), h5py.vlen_dtype(base), **options)
            for at, row in enumerate(rows):
                made[at] = np.array(row, base)
        file["labels"] = np.asarray(labels) if isinstance(labels, tuple | list) else labels
        if keys is not None:
            file["extra/keys"] = np.array(keys) if isinstance(keys, tuple) else keys
        if speakers is not None:
            file["extra/speaker"] = np.array(speakers, np.uint16)
    return out.getvalue()


def event(x: int, y: int, polarity: int, us: int) -> bytes:
    return bytes([x, y]) + ((polarity << 23) | us).to_bytes(3, "big")


NMNIST = b"".join(
    (
        event(1, 2, 0, 5),
        event(33, 33, 1, 8000),
        event(0, 240, 0, 0),
        event(4, 5, 1, 3),
        event(4, 6, 0, 8191),
    )
)
EVENT_DTYPE = np.dtype([("x", "<i2"), ("y", "<i2"), ("p", "?"), ("t", "<i8")])
EVENTS = np.array([(1, 2, 0, 5), (33, 33, 1, 8000), (3, 4, 1, 8195)], EVENT_DTYPE)
COLUMNS = np.array([[1, 2, 0, 5], [33, 33, 1, 8000], [3, 4, 1, 8195]])


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


MEMBERS = {"Train/0/1.bin": NMNIST, "Train/1/2.bin": NMNIST[5:], "read me.txt": b"text" * 300}


def unpacked(path: Path) -> dict[str, bytes]:
    """What unpacking gives; the target is taken away again."""
    target = path.parent / "unpacked"
    unpack(path, target, OPTION)
    found = {
        str(one.relative_to(target)): one.read_bytes() for one in target.rglob("*") if one.is_file()
    }
    for one in sorted(target.rglob("*"), reverse=True):
        one.rmdir() if one.is_dir() else one.unlink()
    target.rmdir()
    return found


def _table(path: Path) -> Any:
    return read_table(path, OPTION)


def _series(path: Path) -> Any:
    return read_series(path, OPTION, missing="linear")


def _arrays(path: Path) -> Any:
    return read_arrays(path, OPTION)


def _nmnist(path: Path) -> Any:
    return read_nmnist_recording(path, OPTION)


def _npy(path: Path) -> Any:
    return read_npy_recording(path, OPTION, sensor=SENSOR)


def _shd(path: Path) -> Any:
    return read_shd(path, OPTION, units=700)


def _idx(path: Path) -> Any:
    return read_idx(path, OPTION)


def _cifar(path: Path) -> Any:
    return read_cifar10(path, OPTION)


FORMATS = {
    "tsv": Format("a.tsv", tsv(), _table),
    "csv": Format("a.csv", csv_text(), _table),
    "jsonl": Format("a.jsonl", jsonl(), _table),
    "npz": Format("a.npz", npz(), _arrays),
    "npz compressed": Format("b.npz", npz(compressed=True), _arrays),
    "ts": Format("a.ts", TS, _series),
    "arff": Format("a.arff", ARFF, _series),
    "arff relational": Format("b.arff", ARFF_RELATIONAL, _series),
    "ucr tsv": Format("b.tsv", UCR_TSV, _series),
    "idx": Format("a-idx3-ubyte", idx(IMAGES, 8), _idx),
    "idx gz": Format("a-idx3-ubyte.gz", gzip.compress(idx(IMAGES, 8), mtime=0), _idx),
    "cifar": Format("a.bin", cifar(), _cifar),
    "shd": Format("a.h5", shd(), _shd),
    "shd gzip": Format("b.h5", shd(compression="gzip", chunks=(2,)), _shd),
    "nmnist": Format("b.bin", NMNIST, _nmnist),
    "npy fields": Format("a.npy", npy(EVENTS), _npy),
    "npy columns": Format("b.npy", npy(COLUMNS), _npy),
    "zip": Format("a.zip", zipped(MEMBERS), unpacked),
    "tar": Format("a.tar", tarred(MEMBERS), unpacked),
    "tar gz": Format("a.tar.gz", tarred(MEMBERS, "w:gz"), unpacked),
    "gz": Format("a.bin.gz", gzip.compress(NMNIST, mtime=0), unpacked),
}
