"""``surrolab data``: what a set is, said and drawn."""

import gc
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surrolab.cli import main


def data(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["data", *words])
    return (int(end.value.code or 0), *capsys.readouterr())


@pytest.mark.parametrize(
    "name", ["digits", "japanese_vowels", "languages", "yinyang", "trajectories", "delayed_xor"]
)
def test_a_set_in_numbers_and_as_a_picture(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = data(capsys, name, "--output", str(tmp_path), "--samples", "3")
    assert (status, err) == (0, "")
    assert out.startswith(f"{name}: ")
    assert "licence: " in out
    assert f"picture: {tmp_path / name}.png" in out
    if name == "digits":
        assert re.search(r"samples +│ +1258 │ +180 │ +359", out)
    with Image.open(io.BytesIO((tmp_path / f"{name}.png").read_bytes())) as image:
        assert image.width > 900
        assert len(image.convert("RGB").getcolors(1_000_000) or []) > 3


def test_the_users_own_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = np.array(["<b>cat</b>", "[red]$dog[/red]"] * 30)
    np.savez(tmp_path / "own.npz", x=np.random.default_rng(0).normal(size=(60, 7)), y=y)
    words = ("arrays", f"data.path={tmp_path / 'own.npz'}", "--output", str(tmp_path))
    status, out, err = data(capsys, *words)
    assert (status, err) == (0, "")
    assert "sample: [7]" in out
    assert "class <b>cat</b>" in out
    assert "class [red]$dog[/red]" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("absent",), "NAME: 'absent' is no data set; "),
        (("digit",), "did you mean 'digits'? allowed: ag_news, "),
        (("arrays",), "data.path: missing; allowed: the path of a file"),
        (("digits", "data.batch_size=0"), "data.batch_size: 0 is not allowed"),
        (("digits", "--samples", "0"), "--samples: 0 is not allowed"),
        ((), "NAME: missing; allowed: "),
        (("--cache", "shd"), "--cache: 'shd' beside it; allowed: nothing, or data.root=DIR"),
        (("--clear-cache", "data.root=a", "x=1"), "--clear-cache: 'data.root=a x=1' beside it"),
        (("--cache", f"data.root={__file__}"), "data.root: "),
        (("shd", "data.root=/absent"), "data.root: there is no /absent/shd/shd_train.h5; allowed"),
        (("saccades", "data.time_step=0"), "data.time_step: 0 is not allowed"),
        (("saccades", "data.augment_drop=1"), "data.augment_drop: 1 is not allowed"),
        (("events", "data.path=/absent.h5"), "data.path: /absent.h5: no such file"),
        (("nmnist", "data.polarity=both"), "allowed: split, merge, on, off"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = data(capsys, *words)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert line in err


def test_recordings_in_numbers_frames_and_what_is_kept_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"data.root={tmp_path / 'root'}"
    words = ("saccades", root, "data.steps=20", "--output", str(tmp_path))
    status, out, err = data(capsys, *words)
    assert (status, err) == (0, "")
    assert "saccades: Synthetic: " in out
    assert "sample: [20 steps, 2, 16, 16]" in out
    assert re.search(r"events a step +│ +\d", out)
    cut = re.search(r"events cut, after │ +(\d+) \((\d\d\.\d\d)%\)", out)
    assert cut is not None
    assert int(cut[1]) > 0
    assert 25 < float(cut[2]) < 45  # of three saccades, the last is cut
    with Image.open(tmp_path / "saccades.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}
    assert any(r > b + 100 for r, g, b in colours)  # ON
    assert any(b > r + 100 for r, g, b in colours)  # OFF

    status, out, err = data(capsys, "--cache", root)
    assert (status, err) == (0, "")
    first, *kept = out.splitlines()
    assert first.startswith(f"binned events in {tmp_path / 'root' / 'events'}: 1 kept, 0.0")
    assert first.endswith(" GB of at most 20 GB")
    assert len(kept) == 1
    assert "SaccadeRecordings threshold=0.3 " in kept[0]
    assert kept[0].endswith(": 1797 recordings, 20 steps of 10 ms")
    gc.collect()
    status, out, err = data(capsys, root, "--clear-cache")
    assert (status, err) == (0, "")
    assert out.endswith(": 1 removed\n")
    assert data(capsys, "--cache", root)[1].endswith(": 0 kept, 0.00 GB of at most 20 GB\n")
