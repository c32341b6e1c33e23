"""``surrolab data``: what a set is, said and drawn."""

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


@pytest.mark.parametrize("name", ["digits", "japanese_vowels", "languages", "yinyang"])
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
    ],
)
def test_what_is_wrong_is_one_line(
    words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = data(capsys, *words)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert line in err
