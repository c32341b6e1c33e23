"""Reads what W&B's program wrote of runs that were offline."""

import json
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Written:
    """One run's file: records of W&B's protocol in LevelDB's log format."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        self.records = [(r.WhichOneof("record_type"), r) for r in self._records(path.read_bytes())]

    def all(self, kind: str) -> list[Any]:
        return [getattr(record, kind) for name, record in self.records if name == kind]

    @property
    def run(self) -> Any:
        return self.all("run")[0]

    @property
    def config(self) -> dict[str, Any]:
        return {item.key: json.loads(item.value_json) for item in self.run.config.update}

    @property
    def history(self) -> list[dict[str, Any]]:
        rows = []
        for record in self.all("history"):
            row: dict[str, Any] = {}
            for item in record.item:
                inside = row
                for key in item.nested_key[:-1]:  # a picture or a table is a dictionary
                    inside = inside.setdefault(key, {})
                inside[item.nested_key[-1]] = json.loads(item.value_json)
            rows.append({key: value for key, value in row.items() if not key.startswith("_")})
        return rows

    @property
    def steps(self) -> list[int]:
        return [record.step.num for record in self.all("history")]

    @property
    def summary(self) -> dict[str, Any]:
        found = {}
        for record in self.all("summary"):
            for item in record.update:
                found[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
        return found

    @property
    def table(self) -> list[dict[str, Any]]:
        path = self.folder / "files" / self.summary["trials"]["path"]
        table = json.loads(path.read_text())
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]

    @staticmethod
    def _records(data: bytes) -> Iterator[Any]:
        from wandb.proto import wandb_internal_pb2 as protocol

        assert data[:4] == b":W&B"[: len(data)]
        at, whole = 7, b""
        while at + 7 <= len(data):
            rest = -at % 32768  # a header does not cross the end of a block
            if 0 < rest < 7:
                at += rest
                continue
            checksum, size, kind = struct.unpack_from("<IHB", data, at)
            piece = data[at + 7 : at + 7 + size]
            if len(piece) < size:  # not yet written
                return
            assert zlib.crc32(bytes([kind]) + piece) == checksum
            at, whole = at + 7 + size, whole + piece
            if kind in (1, 4):  # full, last
                yield protocol.Record.FromString(whole)
                whole = b""


def written(directory: Path) -> list[Written]:
    """All runs below a directory, in the order of their time.

    W&B's program still writes when ``finish`` has returned: waits for the record that ends a run.
    """
    found = []
    for path in sorted(directory.glob("wandb/offline-run-*")):  # the time is in the name
        (file,) = path.glob("*.wandb")
        end = time.monotonic() + 60
        while not (run := Written(file)).all("exit") and time.monotonic() < end:
            time.sleep(0.05)
        found.append(run)
    return found
