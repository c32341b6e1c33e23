"""Images in files, written here by hand from true MNIST digits and from noise."""

import gzip
import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Program
from http_files import serving

from surrolab.data import Cifar10, IdxImages, Mnist5k, images
from surrolab.data.downloads import Published


def idx(path: Path, array: np.ndarray, zipped: bool) -> None:
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    if zipped:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data, 1))
    else:
        path.write_bytes(data)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    samples = Mnist5k().load()
    order = np.random.default_rng(0).permutation(len(samples))
    x = (samples.x[:, 0] * 255).round().to(torch.uint8).numpy()
    return x[order], samples.y.numpy().astype(np.uint8)[order]


@pytest.fixture(params=[True, False], ids=["gzip", "plain"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]
) -> Path:
    for prefix, part in (("train", slice(0, 2000)), ("t10k", slice(2000, 2600))):
        for what, array in zip(("images-idx3", "labels-idx1"), digits, strict=True):
            idx(tmp_path / "mnist" / f"{prefix}-{what}-ubyte", array[part], request.param)
    return tmp_path


def test_idx_files_are_read_and_scaled(root: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    data = IdxImages("mnist", root=root)
    assert (data.sample_shape, data.steps, data.classes) == ((1, 28, 28), None, 10)
    assert list(data.split_sizes.values()) == [1800, 200, 600]
    batch = next(iter(data.test_dataloader()))
    assert torch.equal(batch.x, torch.from_numpy(digits[0][2000:2128, None]).float() / 255)
    assert batch.y.tolist() == digits[1][2000:2128].tolist()
    train = data.split_indices["train"]
    assert torch.equal(data.samples["train"].x[:, 0], torch.from_numpy(digits[0])[train])


def test_a_network_learns_from_them(root: Path, program: Program) -> None:
    words = ("data=mnist", f"data.root={root}", "trainer.max_epochs=4", "encoding.steps=8")
    run = program.run("run", *words, "optimizer.lr=0.005")
    assert run.result["metrics"]["test/accuracy"] > 0.7


def test_the_binary_version_of_cifar10(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    records = {}
    for name in names:
        records[name] = rng.integers(0, 256, (40, 3073), dtype=np.uint8)
        records[name][:, 0] = np.arange(40) % 10
        (folder / name).write_bytes(records[name].tobytes())
    data = Cifar10(root=tmp_path)
    assert list(data.split_sizes.values()) == [180, 20, 40]
    assert data.class_names[:2] == ["airplane", "automobile"]
    batch = next(iter(data.test_dataloader()))
    red = records["test_batch.bin"][0, 1:1025].reshape(32, 32)
    assert torch.equal(batch.x[0, 0], torch.from_numpy(red).float() / 255)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "mnist/train-images-idx3-ubyte.gz"),
        ("kmnist", "kmnist/train-images-idx3-ubyte.gz"),
        ("cifar10", "cifar-10-batches-bin/data_batch_1.bin"),
    ],
)
def test_a_file_that_is_missing_is_named(here: Any, tmp_path: Path, name: str, file: str) -> None:
    status, out, err = here(f"data={name}", f"data.root={tmp_path}")
    assert (status, out) == (2, "")
    assert err.startswith(f"surrolab: data.root: there is no {tmp_path / file}; allowed: a folder")
    assert "http" in err


def test_files_are_fetched_and_kept(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As published, but for the address and the checksums, which are those of the files here."""
    zipped = sorted((root / "mnist").glob("*.gz"))
    if not zipped:
        pytest.skip("they are published as .gz")
    with serving() as server:
        remotes = [
            replace(
                remote,
                urls=(server.add(remote.name, (root / "mnist" / remote.name).read_bytes()),),
                md5=hashlib.md5((root / "mnist" / remote.name).read_bytes()).hexdigest(),
            )
            for remote in images.IDX_SETS["mnist"].files
        ]
        published = Published("here", "", tuple(remotes))
        monkeypatch.setattr(images, "IDX_SETS", {"mnist": published})
        other = tmp_path_factory.mktemp("other")
        fetched = IdxImages("mnist", root=other, download=True)
        assert [path for path, _ in server.requests] == [remote.name for remote in remotes]
    assert sorted(path.name for path in (other / "mnist").glob("*")) == [
        ".lock",
        *(path.name for path in zipped),
    ]
    own = IdxImages("mnist", root=root)
    assert torch.equal(fetched.samples["train"].x, own.samples["train"].x)


def test_labels_of_another_file_are_refused(root: Path) -> None:
    for path in (root / "mnist").glob("t10k-labels*"):
        path.unlink()
    idx(root / "mnist" / "t10k-labels-idx1-ubyte", np.zeros(3, np.uint8), False)
    with pytest.raises(Exception, match=r"^data\.root: .*t10k-"):
        IdxImages("mnist", root=root)
