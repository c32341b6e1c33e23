"""Small files for the data sets that are read from some."""

import itertools
import struct
from pathlib import Path

import h5py
import numpy as np

TEXT_SETS = ("sst2", "ag_news", "trec")
IDX_SETS = ("mnist", "fashion_mnist", "kmnist")
GENERATED = {
    "poisson": ["data.samples=32"],
    "trajectories": ["objective=mse_step", "data.samples=3"],
    "delayed_xor": ["data.samples=80", "data.delay_steps=5"],
    "store_recall": ["objective=ce_step", "data.samples=64", "data.symbol_steps=5"],
}
SHD_SETS = {"shd": ("train", "test"), "ssc": ("train", "valid", "test")}


def shd(path: Path, rng: np.random.Generator, count: int) -> None:
    """Spikes of 700 units, two classes, five speakers."""
    with h5py.File(path, "w") as file:
        for name, dtype in (("times", np.float16), ("units", np.uint16)):
            made = file.create_dataset(f"spikes/{name}", (count,), h5py.vlen_dtype(dtype))
            for at in range(count):
                values = np.sort(rng.random(50)) if name == "times" else rng.integers(0, 700, 50)
                made[at] = values.astype(dtype)
        file["labels"] = (np.arange(count) % 2).astype(np.uint16)
        file["extra/keys"] = np.array([b"one", b"two"])
        file["extra/speaker"] = (np.arange(count) // 2 % 5).astype(np.uint16)


def words_for(name: str, folder: Path) -> list[str]:
    """Make what ``data=name`` needs in the folder, ``data.root``; the words that go with it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    if name in GENERATED:
        return GENERATED[name]
    if name == "arrays":
        y = np.arange(60) % 3
        np.savez(folder / "own.npz", x=rng.normal(size=(60, 12, 5)) + y[:, None, None], y=y)
        return [f"data.path={folder / 'own.npz'}"]
    if name == "timeseries":
        rows = [
            ":".join(",".join(f"{v:.3f}" for v in rng.normal(at % 2, 1, 5 + at % 4)) for _ in "ab")
            for at in range(60)
        ]
        header = "@problemName own\n@timeStamps false\n@missing false\n@univariate false\n"
        header += "@dimensions 2\n@equalLength false\n@classLabel true low high\n@data\n"
        lines = [f"{row}:{('low', 'high')[at % 2]}" for at, row in enumerate(rows)]
        (folder / "own_TRAIN.ts").write_text(header + "\n".join(lines) + "\n")
        return [f"data.path={folder / 'own_TRAIN.ts'}"]
    if name == "text":
        lines = [f"{'ab' * (1 + at % 3)}{'xy'[at % 2]}\t{'pq'[at % 2]}" for at in range(60)]
        (folder / "own.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")
        return [f"data.path={folder / 'own.tsv'}"]
    if name in TEXT_SETS:
        text_set(name, folder / name)
    if name in IDX_SETS:
        (folder / name).mkdir(exist_ok=True)
        for prefix, count in (("train", 200), ("t10k", 40)):
            images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            labels = (np.arange(count) % 10).astype(np.uint8)
            for what, array in (("images-idx3", images), ("labels-idx1", labels)):
                head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
                (folder / name / f"{prefix}-{what}-ubyte").write_bytes(head + array.tobytes())
    if name == "events":
        shd(folder / "own.h5", rng, 30)
        return [f"data.path={folder / 'own.h5'}", "data.test_fraction=0.3", "data.val_fraction=0.3"]
    if name in SHD_SETS:
        (folder / name).mkdir(exist_ok=True)
        for part in SHD_SETS[name]:
            shd(folder / name / f"{name}_{part}.h5", rng, 30)
    if name == "tonic":
        (folder / "SHD").mkdir(exist_ok=True)
        for part in SHD_SETS["shd"]:
            shd(folder / "SHD" / f"shd_{part}.h5", rng, 30)
            (folder / "SHD" / f"shd_{part}.h5.zip").touch()  # its class wants it
        return ["data.set=SHD"]
    if name == "nmnist":
        for part, digit, at in itertools.product(("Train", "Test"), range(10), range(3)):
            events = np.column_stack(
                (
                    rng.integers(0, 34, (50, 2)),
                    rng.integers(0, 2, 50) << 7,
                    np.zeros(50),
                    np.arange(50),
                )
            )
            (folder / name / part / str(digit)).mkdir(parents=True, exist_ok=True)
            (folder / name / part / str(digit) / f"{at}.bin").write_bytes(
                events.astype(np.uint8).tobytes()
            )
        return ["data.val_fraction=0.4"]
    if name == "dvs_gesture":
        for user, label in itertools.product((1, 2, 3, 24), range(11)):
            events = np.column_stack(
                (rng.integers(0, 128, (50, 2)), rng.integers(0, 2, 50), 20 * np.arange(50))
            )
            (folder / name / f"user{user:02}_led").mkdir(parents=True, exist_ok=True)
            np.save(folder / name / f"user{user:02}_led" / f"{label}.npy", events)
    if name == "cifar10":
        place = folder / "cifar-10-batches-bin"
        place.mkdir(exist_ok=True)
        for file in [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]:
            records = rng.integers(0, 256, (40, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(40) % 10
            (place / file).write_bytes(records.tobytes())
    return []


def text_set(name: str, folder: Path, counts: tuple[int, int] = (60, 20)) -> None:
    """The two files of a published set of texts, in its format."""
    words = {0: ("dull", "slow", "Empty"), 1: ("bright", "d\u00e9licieux", "fast"), 2: ("old",) * 3}
    rng = np.random.default_rng(0)

    def sentence(label: int) -> str:
        return f"a {words[label][rng.integers(3)]} , {words[label][rng.integers(3)]}ish film's end"

    (folder / "SST-2").mkdir(parents=True, exist_ok=True)
    for part, count in enumerate(counts):
        labels = [at % (2 if name == "sst2" else 3) for at in range(count)]
        if name == "sst2":
            rows = [f"{sentence(label)} \t{label}" for label in labels]
            path = folder / "SST-2" / ("train.tsv", "dev.tsv")[part]
            path.write_text("\n".join(["sentence\tlabel", *rows]) + "\n")
        elif name == "ag_news":
            rows = [f'"{label + 1}","A ""title"", so","{sentence(label)}"' for label in labels]
            (folder / ("train.csv", "test.csv")[part]).write_text("\n".join(rows) + "\n")
        else:
            kinds = ("DESC:manner", "NUM:date", "HUM:ind")
            rows = [f"{kinds[label]} What is {sentence(label)} ?" for label in labels]
            path = folder / ("train_5500.label", "TREC_10.label")[part]
            path.write_text("\n".join(rows) + "\n", encoding="latin-1")
