"""The user's own data, and sets that lie in packages, as modules and through the program."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Program

from surrolab.data import Arrays, DataModule, Languages, SktimeSeries, Text, TimeSeries
from surrolab.errors import UserError
from surrolab.run.split import keep_split

BRAILLE = Path(__file__).parents[3] / "shared" / "data" / "braille" / "braille_letters.npz"


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "own.npz", **arrays)
    return path / "own.npz"


def waves(n: int = 60, steps: int = 12) -> dict[str, Any]:
    """Three frequencies, in words; lengths from 8 steps."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    time = np.arange(steps)
    x = np.sin(time * (1 + y[:, None]) / 2) + 0.1 * rng.normal(size=(n, steps))
    lengths = rng.integers(8, steps + 1, n)
    return {
        "x": (5 + 3 * x[..., None] * [1.0, -1.0]).astype(np.float32),
        "y": np.array(["slow", "middle", "fast"])[y],
        "lengths": lengths,
    }


def test_arrays_are_what_the_file_has(tmp_path: Path) -> None:
    own = waves()
    data = Arrays(npz(tmp_path, **own))
    assert (data.steps, data.sample_shape, data.classes) == (12, (2,), 3)
    assert data.class_names == ["fast", "middle", "slow"]
    for stage, index in data.split_indices.items():
        part = data.samples[stage]
        names = [data.class_names[label] for label in part.y.tolist()]
        assert names == own["y"][index].tolist()
        assert part.lengths.tolist() == own["lengths"][index].tolist()
        valid = np.arange(12) < own["lengths"][index][:, None]
        assert np.array_equal(part.x.numpy(), own["x"][index] * valid[..., None])


@pytest.mark.parametrize(
    ("shape", "steps", "sample"),
    [
        ((30, 4), None, (4,)),
        ((30,), None, (1,)),
        ((30, 6, 4), 6, (4,)),
        ((30, 2, 5, 5), None, (2, 5, 5)),
        ((30, 6, 2, 5, 5), 6, (2, 5, 5)),
    ],
)
def test_axes_say_whether_there_is_time(
    tmp_path: Path, shape: tuple[int, ...], steps: int | None, sample: tuple[int, ...]
) -> None:
    data = Arrays(npz(tmp_path, x=np.ones(shape), y=np.arange(30) % 2))
    assert (data.steps, data.sample_shape) == (steps, sample)
    if steps is not None:
        still = Arrays(data.path, sequence=False)
        assert (still.steps, still.sample_shape) == (None, shape[1:])


def test_the_file_gives_parts_and_groups(tmp_path: Path) -> None:
    own = waves(90)
    del own["lengths"]
    split = ["train"] * 60 + ["test"] * 30
    groups = np.arange(90) // 6
    data = Arrays(npz(tmp_path, split=split, group=groups, **own), val_fraction=0.2)
    assert data.split_sizes["test"] == 30
    there = [set(data.samples[stage].groups.tolist()) for stage in ("train", "val")]
    assert not there[0] & there[1]
    assert sorted(there[0] | there[1]) == list(range(10))


@pytest.mark.parametrize("how", ["standard", "unit"])
def test_channels_are_scaled_by_the_training_part(tmp_path: Path, how: str) -> None:
    data = Arrays(npz(tmp_path, **waves()), normalize=how)
    parts = data.samples
    for samples in parts.values():
        assert not samples.x[torch.arange(12) >= samples.lengths[:, None]].any()
    train = parts["train"]
    valid = train.x[torch.arange(12) < train.lengths[:, None]]
    if how == "standard":
        assert torch.allclose(valid.mean(0), torch.zeros(2), atol=1e-5)
        assert torch.allclose(valid.std(0, correction=0), torch.ones(2), atol=1e-5)
    else:
        assert torch.equal(valid.amin(0), torch.zeros(2))
        assert torch.allclose(valid.amax(0), torch.ones(2))
    # What it takes from training is the same for all: nothing else decides.
    raw = Arrays(data.path).samples
    slope = (train.x[0, 1] - train.x[0, 0]) / (raw["train"].x[0, 1] - raw["train"].x[0, 0])
    other = (parts["test"].x[0, 1] - parts["test"].x[0, 0]) / (
        raw["test"].x[0, 1] - raw["test"].x[0, 0]
    )
    assert torch.allclose(slope, other, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "sizes", "shape", "steps", "classes"),
    [
        ("JapaneseVowels", (216, 54, 370), (12,), 29, 9),
        ("BasicMotions", (32, 8, 40), (6,), 100, 4),
        ("ItalyPowerDemand", (54, 13, 1029), (1,), 24, 2),
    ],
)
def test_sets_in_sktime(
    name: str, sizes: tuple[int, ...], shape: tuple[int, ...], steps: int, classes: int
) -> None:
    data = SktimeSeries(name)
    assert tuple(data.split_sizes.values()) == sizes
    assert (data.sample_shape, data.steps, data.classes) == (shape, steps, classes)
    lengths = torch.cat([samples.lengths for samples in data.samples.values()])
    wanted = (7, 29) if name == "JapaneseVowels" else (steps, steps)
    assert (int(lengths.min()), int(lengths.max())) == wanted


def test_a_series_is_that_of_sktimes_own_reader(tmp_path: Path) -> None:
    """Read by other code: the lines of the file, split by hand."""
    data = SktimeSeries("JapaneseVowels", normalize="none")
    index = data.split_indices["test"].tolist()
    text = data.path.with_stem("JapaneseVowels_TEST").read_text()
    lines = text.split("@data", 1)[1].strip().splitlines()
    for at in (0, 100, 369):
        *channels, label = lines[index[at]].split(":")
        rows = np.array([[float(v) for v in channel.split(",")] for channel in channels]).T
        part = data.samples["test"]
        assert int(part.lengths[at]) == len(rows)
        assert np.array_equal(part.x[at, : len(rows)].numpy(), rows.astype(np.float32))
        assert data.class_names[int(part.y[at])] == label


def test_languages_are_told_by_names() -> None:
    data = Languages()
    assert data.classes == 16
    assert 9_000 < sum(data.split_sizes.values()) < 20_000
    parts = data.samples
    groups = [set(part.groups.tolist()) for part in parts.values()]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    batch = next(iter(data.val_dataloader()))
    word, label = batch.x[:, 0], int(batch.y[0])
    steps = int(batch.lengths[0])
    assert set(word.sum(-1)[:steps].tolist()) <= {0.0, 1.0}
    assert not word[steps:].any()
    text = "".join(
        data.token_names[int(row.argmax())] if row.any() else "?" for row in word[:steps]
    )
    from babel import Locale

    locale = Locale(data.class_names[label])
    kinds = (locale.territories, locale.languages, locale.scripts, locale.currencies)
    known = {str(name).lower() for kind in kinds for name in kind.values()}
    assert any(
        len(name) == len(text) and all(b in ("?", a) for a, b in zip(name, text, strict=True))
        for name in known
    )


def table(path: Path) -> Path:
    rows = [(f"aab{'c' * (n % 4)}", "first") for n in range(40)]
    rows += [(f"ddé{'a' * (n % 5)}", "second") for n in range(40)]
    with (path / "own.tsv").open("w") as file:
        csv.writer(file, delimiter="\t").writerows([("text", "label"), *rows])
    return path / "own.tsv"


@pytest.mark.parametrize("tokens", ["char", "byte"])
def test_texts_become_steps(tmp_path: Path, tokens: str) -> None:
    data = Text(table(tmp_path), tokens=tokens, steps_per_token=2)
    batch = next(iter(data.train_dataloader()))
    assert batch.x.shape[1:] == (56, 5 if tokens == "char" else 256)
    assert torch.equal(batch.x[0::2], batch.x[1::2])
    shown = batch.x.sum((0, 2))
    assert torch.equal(shown.long(), batch.lengths)
    accent = 2 if tokens == "byte" else 1
    assert int(batch.lengths.max()) == 2 * (2 + accent + 4)


def test_long_texts_are_cut_and_rare_characters_are_nothing(tmp_path: Path) -> None:
    path = table(tmp_path)
    with path.open("a") as file:
        file.write("zzzzzzzzzz\tfirst\nz\tsecond\n")
    data = Text(path, most_tokens=4, least_count=13)
    assert "z" not in data.token_names
    assert data.steps == 4


RUNS: dict[str, tuple[str, ...]] = {
    "japanese_vowels": ("trainer.max_epochs=15", "optimizer.lr=0.01"),
    "languages": ("trainer.max_epochs=1", "trainer.limit_train_batches=8"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_set_trains_and_keeps_its_split(program: Program, name: str) -> None:
    run = program.run("run", f"data={name}", "objective=ce_mean", "model.hidden=[64]", *RUNS[name])
    classes = 9 if name == "japanese_vowels" else 16
    least = 0.6 if name == "japanese_vowels" else 0
    assert run.result["metrics"]["test/accuracy"] > max(least, 0.5 / classes)
    with np.load(run.path / "records" / "split.npz") as kept:
        sizes = [len(kept[stage]) for stage in ("train", "val", "test")]
        assert len(kept["classes"]) == classes
        assert not set(kept["train"]) & set(kept["val"])
    assert list(run.result["samples"].values()) == sizes


def test_a_run_does_not_go_on_with_other_data(program: Program) -> None:
    own = waves()
    assert npz(program.directory, **own).name == "own.npz"
    words = ("data=arrays", "data.path=own.npz", "trainer.max_epochs=2", "model.hidden=[8]")
    run = program.run("run", *words)
    elsewhere = program.directory / "elsewhere"
    elsewhere.mkdir()
    shutil.move(run.path, elsewhere / "run")
    again, kept = Program(elsewhere), elsewhere / "run" / "records" / "split.npz"
    process = again("resume=run", "trainer.max_epochs=3")  # the path is kept whole
    assert process.returncode == 0, process.stderr
    npz(program.directory, **own | {"y": own["y"][::-1]})
    process = again("resume=run", "trainer.max_epochs=4")
    assert process.returncode == 2
    assert "surrolab: data: its split is not " in process.stderr
    line = (
        r"^data: its content is not the one that the run began with; allowed: the data as they were"
    )
    with pytest.raises(UserError, match=line):
        keep_split(Arrays(npz(program.directory, **own | {"x": own["x"] + 1})), kept)
    keep_split(Arrays(npz(program.directory, **own)), kept)


def test_folds_are_not_of_data_with_a_validation_part(tmp_path: Path) -> None:
    own = waves()
    split = np.resize(["train", "val", "train", "train", "test"], len(own["y"]))
    data = Arrays(npz(tmp_path, **own, split=split), folds=3)
    with pytest.raises(ValueError, match=r"^folds: 3 is not allowed, as the data have"):
        data.setup()
    Arrays(npz(tmp_path, **own), folds=3).setup()


WRONG: dict[str, tuple[str, ...]] = {
    "data.path: missing; allowed: the path of a file, as in data.path=FILE": ("data=arrays",),
    "no such file; give a path that exists": ("data=text", "data.path=absent.tsv"),
    "data.set: 'Absent' is not there; allowed: ACSF1, ": ("data=ucr", "data.set=Absent"),
    "data.fold: 7 is not allowed; allowed: a whole number from 0 to 4": (
        *("data=basic_motions", "data.folds=5", "data.fold=7"),
    ),
    "data.folds: 30 is not allowed; allowed: 2 to 10, the samples of a class": (
        *("data=basic_motions", "data.folds=30"),
    ),
    "encoding: latency needs static samples": ("data=basic_motions", "encoding=latency"),
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_one_line(here: Any, line: str) -> None:
    status, out, err = here(*WRONG[line])
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert line in err


def test_a_constructor_says_the_same() -> None:
    with pytest.raises(ValueError, match=r"^path: missing"):
        Arrays(None)
    with pytest.raises(UserError, match=r"^data\.path: .*absent\.ts: no such file"):
        TimeSeries("absent.ts")


@pytest.mark.slow
def test_braille_letters(program: Program) -> None:
    if not BRAILLE.exists():
        pytest.skip(f"there is no {BRAILLE}")
    words = ("data=arrays", f"data.path={BRAILLE}", "data.normalize=standard")
    run = program.run("run", *words, "trainer.max_epochs=5", "objective=ce_mean")
    assert run.result["metrics"]["test/accuracy"] > 0.2
    assert json.loads((run.path / "result.json").read_text())["samples"]["test"] == 270


def test_every_module_says_whose_the_data_are() -> None:
    assert isinstance(Languages.licence, str)
    assert DataModule.licence
