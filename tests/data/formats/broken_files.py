"""Broken files of each format: a name, what is in the file, and what reads it."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from valid_files import (
    ARFF,
    ARFF_RELATIONAL,
    COLUMNS,
    EVENTS,
    FORMATS,
    IMAGES,
    NMNIST,
    TS,
    TS_HEADER,
    UCR_TSV,
    Format,
    cifar,
    csv_text,
    event,
    idx,
    jsonl,
    npy,
    npz,
    shd,
    tarred,
    tsv,
    zipped,
)

from surrolab.data.formats.ucr import read_series

HUGE = 1 << 40


def _strict(path: Path) -> Any:
    return read_series(path, "data.path")


def npy_header(text: str, version: int = 1) -> bytes:
    packed = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + packed + text.encode()


def npy_claim(shape: str, descr: str = "'<f8'") -> bytes:
    return npy_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n")


def member(name: str, kind: bytes = tarfile.REGTYPE, **attributes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def zip_mode(name: str, mode: int) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def zip_claim() -> bytes:
    """A zip whose member says that it has 4 GB."""
    content = bytearray(zipped({"x.npy": npy(COLUMNS), "y.npy": npy(np.array([0, 1, 0]))}))
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = b"\xfe\xff\xff\xff"
    return bytes(content)


def tar_claim() -> bytes:
    """A tar whose long name says that it has 8 GB."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, (8 << 30) - 1
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)


def tar_back() -> bytes:
    """A tar with a member of a negative size."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.SYMTYPE, 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 10 + (0x10000 - 1024).to_bytes(2, "big")
    block[156:157] = tarfile.REGTYPE
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(4096)


def hdf5(fill: Callable[[h5py.File], None]) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        fill(file)
    return out.getvalue()


def hdf5_linked(link: Any) -> bytes:
    out = io.BytesIO(shd())
    with h5py.File(out, "r+") as file:
        del file["labels"]
        file["labels"] = link
    return out.getvalue()


def hdf5_claims_length() -> bytes:
    """A recording whose reference says that it has 2^31 spikes."""
    made = shd(
        times=[[0.0] * 77, [0.5]], units=[[1] * 77, [2]], labels=(0, 1), keys=None, speakers=None
    )
    content = bytearray(made)
    at = content.index((77).to_bytes(4, "little"))
    content[at : at + 4] = (1 << 31).to_bytes(4, "little")
    return bytes(content)


def hdf5_huge(**options: Any) -> bytes:
    def fill(file: h5py.File) -> None:
        for name in ("times", "units"):
            base = np.float16 if name == "times" else np.uint16
            file.create_dataset(f"spikes/{name}", (HUGE,), h5py.vlen_dtype(base), **options)
        file.create_dataset("labels", (HUGE,), np.uint16, chunks=(1 << 20,))

    return hdf5(fill)


def hdf5_bomb() -> bytes:
    """Labels in a chunk that inflates to 128 MiB."""
    out = io.BytesIO(shd(keys=None, speakers=None))
    with h5py.File(out, "r+") as file:
        del file["labels"]
        made = file.create_dataset("labels", (3,), np.uint16, chunks=(3,), compression="gzip")
        packer = zlib.compressobj(1)
        raw = b"".join(packer.compress(bytes(1 << 20)) for _ in range(128)) + packer.flush()
        made.id.write_direct_chunk((0,), raw)
    return out.getvalue()


def _of(key: str) -> Callable[[bytes], Format]:
    name, _, read = FORMATS[key]
    return lambda content: Format(name, content, read)


TSV, CSV, JSONL, NPZ = _of("tsv"), _of("csv"), _of("jsonl"), _of("npz")
TS_, ARFF_, RELATIONAL, UCR = _of("ts"), _of("arff"), _of("arff relational"), _of("ucr tsv")
IDX, GZ, CIFAR, SHD = _of("idx"), _of("idx gz"), _of("cifar"), _of("shd")
BIN, NPY, ZIP, TAR = _of("nmnist"), _of("npy columns"), _of("zip"), _of("tar")
TGZ, GUNZIP = _of("tar gz"), _of("gz")
MASK = {"x": np.array([[np.inf, 1.0], [1, 2], [3, 4], [5, 6]])}
NAN = {"x": np.array([[0, 1.0], [1, np.nan], [3, 4], [5, 6]]), "lengths": None}

# The key says what is wrong.
BROKEN: dict[str, Format] = {
    f"{key} empty": Format(name, b"", read) for key, (name, _, read) in FORMATS.items()
}
BROKEN |= {
    f"{key} half": Format(name, content[: len(content) // 2 - 1], read)
    for key, (name, content, read) in FORMATS.items()
    if key not in ("tsv", "csv", "jsonl", "tar")  # of which half is a valid file, or may be
}
BROKEN |= {
    "tsv not utf-8": TSV(tsv() + "ü\tyes\ttrain\ta\n".encode("latin-1")),
    "tsv utf-16": TSV(tsv().decode().encode("utf-16-le")),
    "tsv without label": TSV(b"text\tclass\na\tb\n"),
    "tsv column twice": TSV(b"text\tlabel\ttext\na\tb\tc\n"),
    "tsv too few values": TSV(tsv() + b"one\n"),
    "tsv too many values": TSV(tsv() + b"one\tyes\ttrain\ta\tb\n"),
    "tsv unknown split": TSV(tsv() + b"one\tyes\tdev\ta\n"),
    "tsv empty text": TSV(tsv() + b" \tyes\ttrain\ta\n"),
    "tsv empty label": TSV(tsv() + b"one\t\ttrain\ta\n"),
    "tsv one class": TSV(b"text\tlabel\na\tyes\nb\tyes\n"),
    "tsv header only": TSV(b"text\tlabel\n"),
    "tsv blank": TSV(b"\n\n  \n"),
    "csv open quotation": CSV(csv_text() + b'1,"open\n'),
    "csv long value": CSV(csv_text() + b"1," + b"a" * 200_000 + b"\n"),
    "jsonl no json": JSONL(jsonl() + b"\n{text: 1}\n"),
    "jsonl list": JSONL(jsonl() + b"\n[1, 2]\n"),
    "jsonl deep": JSONL(jsonl() + b"\n" + b"[" * 100_000 + b"\n"),
    "jsonl key twice": JSONL(jsonl() + b'\n{"text": "a", "text": "b", "label": 1}\n'),
    "jsonl float label": JSONL(jsonl() + b'\n{"text": "a", "label": 1.5}\n'),
    "jsonl no text": JSONL(jsonl() + b'\n{"label": 1}\n'),
    "jsonl half surrogate": JSONL(jsonl() + b'\n{"text": "\\ud800", "label": 1}\n'),
    "jsonl split here and there": JSONL(jsonl() + b'\n{"text": "a", "label": 1, "split": "val"}'),
    "jsonl long number": JSONL(jsonl() + b'\n{"text": "a", "label": ' + b"9" * 9999 + b"}"),
    "npz no zip": NPZ(b"x" * 1000),
    "npz is npy": NPZ(npy(COLUMNS)),
    "npz objects": NPZ(npz(y=np.array(["a", 1, None, 2], dtype=object))),
    "npz pickle for x": NPZ(zipped({"x.npy": b"\x80\x04.", "y.npy": npy(COLUMNS)})),
    "npz no y": NPZ(npz(y=None)),
    "npz float y": NPZ(npz(y=np.array([0.0, 1, 0, 1]))),
    "npz short y": NPZ(npz(y=np.array([0, 1]))),
    "npz one class": NPZ(npz(y=np.array([1, 1, 1, 1]))),
    "npz nan": NPZ(npz(**NAN)),
    "npz inf": NPZ(npz(**MASK, lengths=None)),
    "npz complex": NPZ(npz(x=np.ones((4, 2), complex), lengths=None)),
    "npz length 0": NPZ(npz(lengths=np.array([5, 0, 1, 2]))),
    "npz length over": NPZ(npz(lengths=np.array([5, 6, 1, 2]))),
    "npz length 2^64": NPZ(npz(lengths=np.array([5, 2**64 - 1, 1, 2], np.uint64))),
    "npz lengths of static": NPZ(npz(x=np.arange(4))),
    "npz split unknown": NPZ(npz(split=np.array(["a", "train", "val", "test"]))),
    "npz no samples": NPZ(npz(x=np.ones((0, 5)), y=np.array([], int), lengths=None, split=None)),
    "npz huge shape": NPZ(zipped({"x.npy": npy_claim(f"({HUGE},)"), "y.npy": npy(COLUMNS)})),
    "npz huge member": NPZ(zip_claim()),
    "npz lzma": NPZ(zipped({"x.npy": npy(COLUMNS)}, zipfile.ZIP_LZMA)),
    "npz bad checksum": NPZ(npz().replace(b"\x00\x00\x80\x3f", b"\x00\x00\x81\x3f", 1)),
    "ts no data": TS_(TS_HEADER.replace("@data\n", "").encode()),
    "ts unknown label": TS_(TS + b"1:2:up\n"),
    "ts channels": TS_(TS + b"1,2:left\n"),
    "ts channel lengths": TS_(TS + b"1,2:1:left\n"),
    "ts no number": TS_(TS + b"1,b:1,2:left\n"),
    "ts infinity": TS_(TS + b"1,inf:1,2:left\n"),
    "ts channel unknown": TS_(TS + b"?,?:1,2:left\n"),
    "ts missing": Format("a.ts", TS + b"1,?:1,2:left\n", _strict),
    "ts time stamps": TS_(TS.replace(b"@timeStamps false", b"@timeStamps true")),
    "ts tuples": TS_(TS + b"(0,1),(1,2):(0,1),(1,2):left\n"),
    "ts no classes": TS_(TS.replace(b"@classLabel true left right\n", b"")),
    "ts class twice": TS_(TS.replace(b"true left right", b"true left left")),
    "ts header twice": TS_(TS.replace(b"@dimensions 2\n", b"@dimensions 2\n@dimensions 2\n")),
    "ts dimensions": TS_(TS.replace(b"@dimensions 2", b"@dimensions -2")),
    "ts equal length": TS_(
        TS.replace(b"@equalLength false", b"@equalLength true\n@seriesLength 2")
    ),
    "ts regression": TS_(TS.replace(b"@classLabel true left right", b"@targetLabel true")),
    "ts one class": TS_((TS_HEADER + "1:2:left\n3:4:left\n").encode()),
    "ts not utf-8": TS_(TS + b"1:2:\xff\n"),
    "arff sparse": ARFF_(ARFF + b"{0 1, 3 1}\n"),
    "arff columns": ARFF_(ARFF + b"1,2,1\n"),
    "arff label": ARFF_(ARFF + b"1,2,3,4\n"),
    "arff quotation": ARFF_(ARFF + b"1,2,3,'1\n"),
    "arff string": ARFF_(ARFF.replace(b"REAL", b"string")),
    "arff class first": ARFF_(ARFF.replace(b"att0 numeric", b"att0 {1,2}")),
    "arff numeric class": ARFF_(ARFF.replace(b"{1,'two words'}", b"numeric")),
    "arff missing": Format("a.arff", ARFF + b"?,2,3,1\n", _strict),
    "relational open": RELATIONAL(ARFF_RELATIONAL + b"'1,2,3\\n4,5,6,left\n"),
    "relational channels": RELATIONAL(ARFF_RELATIONAL + b"'1,2,3',left\n"),
    "ucr tsv columns": UCR(UCR_TSV + b"1\t2\n"),
    "ucr tsv label only": UCR(b"1\n2\n"),
    "ucr tsv text": UCR(UCR_TSV + b"1\ta\tb\tc\n"),
    "ucr tsv all missing": UCR(UCR_TSV + b"1\tNaN\tNaN\tNaN\n"),
    "idx magic": IDX(b"\1\0\x08\3" + bytes(80)),
    "idx type": IDX(idx(IMAGES, 0x0A)),
    "idx no dimension": IDX(b"\0\0\x08\0" + bytes(80)),
    "idx too many dimensions": IDX(b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"a"),
    "idx huge count": IDX(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 28) + bytes(99)),
    "idx too long": IDX(idx(IMAGES, 8) + b"a"),
    "idx no sample": IDX(idx(IMAGES[:0], 8)),
    "idx nan": IDX(idx(np.array([1, np.nan], ">f4"), 0x0D)),
    "idx gz huge count": GZ(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2**32 - 1) + bytes(99))),
    "idx gz checksum": GZ(gzip.compress(idx(IMAGES, 8))[:-8] + bytes(8)),
    "cifar record": CIFAR(cifar()[:-1]),
    "cifar label": CIFAR(cifar((3, 10))),
    "cifar one class": CIFAR(cifar((3, 3))),
    "shd magic": SHD(b"\x89HDF\r\n\x1a\n" + bytes(2000)),
    "shd no hdf5": SHD(b"a" * 2000),
    "shd no units": SHD(hdf5(lambda file: file.create_dataset("spikes/times", (3,), "f2"))),
    "shd spikes a dataset": SHD(hdf5(lambda file: file.create_dataset("spikes", (3,), "f2"))),
    "shd times not of variable length": SHD(
        hdf5(lambda file: file.update({"spikes/times": np.ones(3), "spikes/units": np.ones(3)}))
    ),
    "shd integer times": SHD(shd(dtype=np.int32, times=[[0], [1], [2]], units=[[0], [1], [2]])),
    "shd float units": SHD(shd(unit_dtype=np.float32)),
    "shd unit outside": SHD(shd(units=[[0, 700, 5], [], [1, 2]])),
    "shd backwards": SHD(shd(times=[[0.0, 0.5, 0.25], [], [0.125, 1.0]])),
    "shd nan": SHD(shd(times=[[0.0, np.nan, 0.25], [], [0.125, 1.0]])),
    "shd negative time": SHD(shd(times=[[-0.5, 0.0, 0.25], [], [0.125, 1.0]])),
    "shd huge time": SHD(shd(times=[[0.0, 0.5, 1e300], [], [0.1, 1.0]], dtype=np.float64)),
    "shd times and units": SHD(shd(units=[[0, 5], [], [1, 2]])),
    "shd recordings differ": SHD(shd(units=[[0, 699, 5], []])),
    "shd labels differ": SHD(shd(labels=(0, 1))),
    "shd label without key": SHD(shd(labels=(0, 1, 2))),
    "shd float labels": SHD(shd(labels=(0.0, 1.0, 0.0))),
    "shd key twice": SHD(shd(keys=(b"a", b"a"))),
    "shd key not utf-8": SHD(shd(keys=(b"a", b"\xff"))),
    "shd speakers differ": SHD(shd(speakers=(1, 2))),
    "shd one class": SHD(shd(labels=(0, 0, 0))),
    "shd no spikes": SHD(shd(times=[[], [], []], units=[[], [], []])),
    "shd soft link": SHD(hdf5_linked(h5py.SoftLink("/extra/speaker"))),
    "shd external link": SHD(hdf5_linked(h5py.ExternalLink("/etc/passwd", "/labels"))),
    "shd claims length": SHD(hdf5_claims_length()),
    "shd huge count": SHD(hdf5_huge(chunks=(1 << 16,))),
    "shd huge chunk": SHD(shd(chunks=(1 << 21,), maxshape=(None,))),
    "shd lzf": SHD(shd(chunks=(2,), compression="lzf")),
    "shd bomb": SHD(hdf5_bomb()),
    "nmnist within an event": BIN(NMNIST[:-1]),
    "nmnist outside": BIN(NMNIST + event(34, 0, 0, 8191)),
    "nmnist row outside": BIN(NMNIST + event(0, 241, 0, 8191)),
    "nmnist backwards": BIN(NMNIST + event(0, 0, 0, 5)),
    "npy objects": NPY(npy(np.array([1, None]), allow_pickle=True)),
    "npy pickle": NPY(b"\x80\x04K\x01." * 20),
    "npy huge": NPY(npy_claim(f"({HUGE}, 4)")),
    "npy overflowing shape": NPY(npy_claim(f"({1 << 62}, 4)")),
    "npy huge item": NPY(npy_claim("(2, 4)", f"('<f8', ({1 << 30},))")),
    "npy negative shape": NPY(npy_claim("(-1, 4)")),
    "npy no header": NPY(npy_header("{'descr': ")),
    "npy deep header": NPY(npy_header("(" * 9000)),
    "npy header of 4 GB": NPY(b"\x93NUMPY\2\0\xff\xff\xff\xff{"),
    "npy version": NPY(b"\x93NUMPY\x09\0" + bytes(90)),
    "npy too long": NPY(npy(COLUMNS) + b"a"),
    "npy three columns": NPY(npy(COLUMNS[:, :3])),
    "npy text": NPY(npy(COLUMNS.astype(str))),
    "npy no field t": NPY(npy(EVENTS[["x", "y", "p"]])),
    "npy polarity -1": NPY(npy(COLUMNS * np.array([1, 1, -1, 1]))),
    "npy outside": NPY(npy(COLUMNS + np.array([1, 0, 0, 0]))),
    "npy negative x": NPY(npy(COLUMNS - np.array([5, 0, 0, 0]))),
    "npy half a pixel": NPY(npy(COLUMNS + np.array([0.5, 0, 0, 0]))),
    "npy nan": NPY(npy(COLUMNS + np.array([0, 0, 0, np.nan]))),
    "npy backwards": NPY(npy(COLUMNS[::-1])),
    "npy time 2^63": NPY(npy(COLUMNS.astype(np.uint64) + np.array([0, 0, 0, 2**63], np.uint64))),
    "zip no zip": ZIP(b"PK\3\4" + bytes(99)),
    "zip parent": ZIP(zipped({"../outside": b"a"})),
    "zip deep parent": ZIP(zipped({"a/../../outside": b"a"})),
    "zip absolute": ZIP(zipped({"/tmp/outside": b"a"})),
    "zip backslash": ZIP(zipped({"..\\outside": b"a"})),
    "zip drive": ZIP(zipped({"C:/outside": b"a"})),
    "zip line break": ZIP(zipped({"a\nb": b"a"})),
    "zip link": ZIP(zip_mode("link", 0o120777)),
    "zip device": ZIP(zip_mode("device", 0o020666)),
    "zip lzma": ZIP(zipped({"a": b"a"}, zipfile.ZIP_LZMA)),
    "zip claim": ZIP(zip_claim()),
    "zip file and folder": ZIP(zipped({"a": b"a", "a/b": b"b"})),
    "zip nothing": ZIP(zipped({})),
    "zip long name": ZIP(zipped({"a" * 300: b"a"})),
    "tar no tar": TAR(b"a" * 2000),
    "tar parent": TAR(tarred({"../outside": b"a"})),
    "tar absolute": TAR(tarred({"/tmp/outside": b"a"})),
    "tar soft link": TAR(tarred({"a": member("a", tarfile.SYMTYPE, linkname="/etc")})),
    "tar hard link": TAR(tarred({"a": member("a", tarfile.LNKTYPE, linkname="/etc/passwd")})),
    "tar fifo": TAR(tarred({"a": member("a", tarfile.FIFOTYPE)})),
    "tar device": TAR(tarred({"a": member("a", tarfile.CHRTYPE)})),
    "tar long name claim": TAR(tar_claim()),
    "tar backwards": TAR(tar_back()),
    "tar size claim": TAR(member("a", size=1 << 50).tobuf(tarfile.GNU_FORMAT) + bytes(2048)),
    "tar cut": TAR(tarred({"a": b"a" * 5000})[:2048]),
    "tar no end": TAR(tarred({"a": b"a" * 10})[:1024]),
    "tar gz no gzip": TGZ(tarred({"a": b"a"})),
    "tar gz checksum": TGZ(tarred({"a": b"a"}, "w:gz")[:-8] + bytes(8)),
    "gz no gzip": GUNZIP(NMNIST),
    "gz checksum": GUNZIP(gzip.compress(NMNIST)[:-8] + bytes(8)),
}
BROKEN |= {
    "table of another kind": Format("a.xlsx", b"PK", FORMATS["tsv"].read),
    "series of another kind": Format("a.txt", TS, FORMATS["ts"].read),
    "archive of another kind": Format("a.7z", b"7z\xbc\xaf", FORMATS["zip"].read),
}
