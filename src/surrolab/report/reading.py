"""Files that may be half written, of another kind or made to do harm: what is whole is read."""

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from surrolab.files import open_file

LARGEST = 1 << 20  # bytes of a text file that a run leaves
LARGEST_TABLE = LARGEST_RECORD = 1 << 26  # of metrics.csv and study.json; of an array's file
MOST_VALUES = 5000  # of a configuration; aliases in YAML could make a few lines endless

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(path: Path, tail: int | None = None, most: int = LARGEST) -> str:
    """The text, or its last so many bytes; nothing where it cannot be read.

    Args:
        path: of the file.
        tail: how many bytes of its end.
        most: bytes of its beginning; what lies beyond is left out.
    """
    try:
        with open_file(path) as file:
            if tail is not None:
                file.seek(max(0, os.fstat(file.fileno()).st_size - tail))
            return file.read(most if tail is None else tail).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; an empty one where there is none that is whole."""
    try:
        found = json.loads(read_text(path))
        return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        return {}


def read_yaml(text: str) -> dict[str, Any]:
    """Keys joined by dots and their values; nothing where the text holds no mapping."""
    try:
        found = yaml.load(text, _Loader)
        return dict(_flat(found)) if isinstance(found, dict) else {}
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return {}


def read_record(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a record; none where it is not whole."""
    try:
        # Opened here: of a damaged archive NumPy leaves the file open.
        with open_file(path) as opened:
            if os.fstat(opened.fileno()).st_size > LARGEST_RECORD:
                return {}
            with np.load(opened, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, TypeError, NotImplementedError, MemoryError):
        return {}
    except (zipfile.BadZipFile, zlib.error, SyntaxError, RuntimeError, AttributeError):
        return {}  # what NumPy and zipfile make of damaged files


def _flat(found: dict[Any, Any]) -> list[tuple[str, Any]]:
    """Depth first; mappings without keys and lists are values."""
    flat: list[tuple[str, Any]] = []
    left = MOST_VALUES

    def walk(value: Any, name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(item, f"{name}.{key}" if name else str(key))
        else:
            flat.append((name, plain(value)))

    def plain(value: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        return value if isinstance(value, str | int | float | None) else str(value)

    walk(found, "")
    return flat
