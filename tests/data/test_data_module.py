"""The interface that all data modules share: split, loaders, parameters."""

import gc
import itertools
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from surrolab.data import Batch, DataModule, Digits, Randman, Samples, SampleSet, Splits, YinYang

N, T = 330, 6


class Numbered(DataModule):
    """Sequences whose every value is the sample's number; classes of unequal sizes."""

    sample_shape = (2, 3)
    classes = 3
    steps = T

    def load(self) -> Samples | Splits:
        y = torch.tensor([0] * 30 + [1] * 100 + [2] * 200)
        x = torch.arange(N, dtype=torch.int16).view(N, 1, 1, 1).repeat(1, T, 2, 3)
        x[:, :, 1] += 1000
        x += 2000 * torch.arange(T, dtype=torch.int16).view(1, T, 1, 1)
        return Samples(x, y, lengths=torch.arange(N) % T + 1)


class HalfOfficial(Numbered):
    """The last 60 samples are the official test samples."""

    def load(self) -> Splits:
        everything = super().load()
        assert isinstance(everything, Samples)
        return Splits(
            train=everything.take(torch.arange(N - 60)),
            test=everything.take(torch.arange(N - 60, N)),
        )


class Misstated(Numbered):
    sample_shape = (3, 2)


def numbers(module: DataModule) -> dict[str, list[int]]:
    loaders = {
        "train": module.train_dataloader(),
        "val": module.val_dataloader(),
        "test": module.test_dataloader(),
    }
    return {
        stage: [int(i) for batch in loader for i in batch.x[0, :, 0, 0]]
        for stage, loader in loaders.items()
    }


def sets(module: DataModule) -> dict[str, list[int]]:
    return {stage: sorted(found) for stage, found in numbers(module).items()}


def test_split_is_disjoint_complete_and_stratified() -> None:
    module = Numbered(batch_size=16)
    parts = sets(module)
    assert {stage: len(part) for stage, part in parts.items()} == module.split_sizes
    assert module.split_sizes == {"train": 231, "val": 33, "test": 66}
    assert sorted(parts["train"] + parts["val"] + parts["test"]) == list(range(N))
    bounds = [0, 30, 130, 330]
    for stage, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        for low, high in itertools.pairwise(bounds):
            found = sum(low <= i < high for i in parts[stage])
            assert found == pytest.approx(share * (high - low), abs=1.01)


def test_split_follows_split_seed_alone() -> None:
    first, second, third = Numbered(), Numbered(batch_size=7), Numbered(split_seed=1)
    second.seed = 99
    torch.manual_seed(123)
    assert sets(first) == sets(second)
    assert sets(first) != sets(third)


def test_seed_changes_the_order_of_training_only() -> None:
    first, second = Numbered(), Numbered()
    second.seed = 1
    a, b = numbers(first), numbers(second)
    assert a["train"] != b["train"]
    assert (a["val"], a["test"]) == (b["val"], b["test"])
    assert numbers(first) == a
    assert a["train"] != sorted(a["train"])


def test_without_shuffle_every_epoch_has_the_same_batches() -> None:
    module = Numbered()
    module.shuffle = False
    assert numbers(module)["train"] == sorted(numbers(module)["train"])


def test_loading_leaves_the_global_random_stream_alone() -> None:
    module = Numbered()
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    numbers(module)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("stage", ["train", "val"])
def test_batches_are_those_of_torchs_own_loader(stage: str) -> None:
    loader = getattr(Numbered(batch_size=16), f"{stage}_dataloader")()
    theirs = list(DataLoader.__iter__(loader))
    own = list(loader)
    assert len(own) == len(theirs) == len(loader)
    for one, other in zip(own, theirs, strict=True):
        assert all(a.equal(b) for a, b in zip(one, other, strict=True))


def test_batches_that_are_made_ahead_are_the_same() -> None:
    loader = Numbered(batch_size=16).train_dataloader()
    expected = list(loader)
    loader.dataset.slow = True
    for one, other in zip(list(loader), expected, strict=True):
        assert all(a.equal(b) for a, b in zip(one, other, strict=True))
    for batch in loader:  # left early: no thread stays
        assert batch.x.equal(expected[0].x)
        break
    del batch
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
    loader.dataset.samples = None
    with pytest.raises(AttributeError):
        list(loader)


def test_sequence_batches_are_time_first() -> None:
    module = Numbered(batch_size=16)
    loader = module.train_dataloader()
    batches = list(loader)
    assert len(loader) == len(batches) == 15
    assert module.is_sequence
    for batch in batches:
        assert isinstance(batch, Batch)
        size = len(batch.y)
        # What is padding in all of its samples is left out.
        steps = int(batch.lengths.max())
        assert batch.x.shape == (steps, size, 2, 3)
        assert batch.x.is_contiguous()
        dtypes = (batch.x.dtype, batch.y.dtype, batch.lengths.dtype)
        assert dtypes == (torch.float32, torch.int64, torch.int64)
        number = batch.x[0, :, 0, 0].to(torch.int64)
        assert torch.equal(batch.lengths, number % T + 1)
        assert torch.equal(batch.y, (number >= 30).long() + (number >= 130).long())
        time = 2000 * torch.arange(steps).view(steps, 1)
        assert torch.equal(batch.x[:, :, 1, 2].long(), number + 1000 + time)


def test_static_batches_have_no_time_axis() -> None:
    module = YinYang(batch_size=64)
    batch = next(iter(module.val_dataloader()))
    assert not module.is_sequence
    assert batch.x.shape == (64, 4)
    assert torch.equal(batch.lengths, torch.ones(64, dtype=torch.int64))


def test_a_single_index_gives_a_batch_of_one() -> None:
    samples = Samples.static(torch.rand(5, 2), torch.arange(5))
    batch = SampleSet(samples, sequence=False)[3]
    assert torch.equal(batch.x, samples.x[3:4])
    assert batch.y.tolist() == [3]


def test_official_test_samples_stay_test_samples() -> None:
    module = HalfOfficial()
    parts = sets(module)
    assert parts["test"] == list(range(N - 60, N))
    assert module.split_sizes == {"train": 243, "val": 27, "test": 60}
    assert sorted(parts["train"] + parts["val"]) == list(range(N - 60))


def test_setup_loads_once() -> None:
    module = Numbered()
    module.prepare_data()
    loaded = module.train_dataloader().dataset
    module.setup("fit")
    module.setup("test")
    again = module.train_dataloader().dataset
    assert isinstance(loaded, SampleSet)
    assert isinstance(again, SampleSet)
    assert loaded.samples is again.samples


def test_samples_that_contradict_the_module_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^x: .*allowed: \(6, 3, 2\)"):
        Misstated().setup()


def test_samples_must_agree_in_number() -> None:
    with pytest.raises(ValueError, match=r"^y: "):
        Samples.static(torch.rand(5, 2), torch.arange(4))
    with pytest.raises(ValueError, match=r"^lengths: "):
        Samples(torch.rand(5, 2), torch.arange(5), torch.ones(5))


@pytest.mark.parametrize(
    ("name", "make", "arguments"),
    [
        ("batch_size", Digits, {"batch_size": 0}),
        ("batch_size", Digits, {"batch_size": 2.5}),
        ("batch_size", Digits, {"batch_size": True}),
        ("split_seed", Digits, {"split_seed": -1}),
        ("split_seed", YinYang, {"split_seed": 2**32}),
        ("val_fraction", Digits, {"val_fraction": 0.0}),
        ("test_fraction", Digits, {"test_fraction": 1.0}),
        ("val_fraction", Digits, {"val_fraction": 0.5, "test_fraction": 0.5}),
        ("root", Digits, {"root": ""}),
        ("manifold_classes", Randman, {"manifold_classes": 1}),
        ("units", Randman, {"units": 0}),
        ("dim", Randman, {"dim": 0}),
        ("alpha", Randman, {"alpha": 0}),
        ("alpha", Randman, {"alpha": float("nan")}),
        ("steps", Randman, {"steps": 0}),
        ("window", Randman, {"window": 101}),
        ("samples_per_class", Randman, {"samples_per_class": 9}),
        ("spectrum", Randman, {"spectrum": "flat"}),
        ("data_seed", Randman, {"data_seed": -1}),
    ],
)
def test_bad_parameters_are_refused_by_name(
    name: str, make: Any, arguments: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .*allowed: ") as error:
        make(**arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^root: .* is not a folder; allowed: "):
        Digits(root=os.path.join(tmp_path, "file", below))


def test_a_part_too_small_for_all_classes_is_refused() -> None:
    module = Numbered(val_fraction=0.005)
    with pytest.raises(ValueError, match=r"^val_fraction: 2 of .*allowed: "):
        module.setup()
